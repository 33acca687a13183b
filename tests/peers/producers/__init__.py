"""The software whose arithmetic quantd reproduces: one module for each way to run it.

A module has a docstring that says what it runs, and two functions:

    version()      returns the name and version of the software
    compute(case)  returns the results of a case.Case as a dictionary of arrays: "output"; for gradients
                   "input_gradients" and, if there are any, "min_gradient" and "max_gradient"; for
                   dynamic quantization also "scale" and "zero_point"

It runs in a process of its own (producers/serve.py), so that its settings and its interpreter are its own.
process.py has the list of them.
"""
