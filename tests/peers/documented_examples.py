"""Runs the example of docs/numerics.md, and compares what it prints with the comments in it."""

import contextlib
import io
import pathlib
import re

_PAGE = pathlib.Path(__file__).parents[2] / "docs/numerics.md"
_ADDRESS = '"localhost:50051"'
#: A comment with output follows the line that prints it, and comments for readers are sentences.
_OUTPUT = re.compile(r"^# (\[.*|[A-Z_0-9]+ [-\d\[].*)$", re.MULTILINE)


def failures(address):
    """Prints how many lines are as documented, and returns those that are not."""
    (code,) = re.findall(r"```python\n(.*?)```", _PAGE.read_text(encoding="utf-8"), re.DOTALL)
    expected = _OUTPUT.findall(code)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(code.replace(_ADDRESS, repr(address)), {})  # pylint: disable=exec-used
    actual = printed.getvalue().splitlines()
    found = [f"the example of {_PAGE.name} prints {mine!r}, and says {theirs!r}"
             for mine, theirs in zip(actual, expected, strict=False) if mine != theirs]
    if len(actual) != len(expected) or not expected:
        found.append(f"the example of {_PAGE.name} prints {len(actual)} lines, and says {len(expected)}")
    print(f"{_PAGE.name}: {len(expected) - len(found)} of {len(expected)} lines of the example are as printed")
    return found
