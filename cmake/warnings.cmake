# What our own targets are compiled with; generated code is not.
add_library(quantd_warnings INTERFACE)
target_compile_options(
  quantd_warnings
  INTERFACE -Wall -Wextra -Wpedantic -Werror -Wconversion -Wshadow -Wnon-virtual-dtor
            -Woverloaded-virtual -Wcast-align)
