# What our own targets are compiled with; generated code is not. Other compilers
# than ours may warn of more: that must not stop people who build a release.
option(QUANTD_WARNINGS_AS_ERRORS "Let warnings stop the build" OFF)

add_library(quantd_warnings INTERFACE)
target_compile_options(
  quantd_warnings
  INTERFACE -Wall
            -Wextra
            -Wpedantic
            -Wconversion
            -Wshadow
            -Wnon-virtual-dtor
            -Woverloaded-virtual
            -Wcast-align
            # To clang, -Wconversion includes what gcc leaves to -Wsign-conversion.
            "$<$<CXX_COMPILER_ID:Clang>:-Wno-sign-conversion;-Wthread-safety>"
            $<$<BOOL:${QUANTD_WARNINGS_AS_ERRORS}>:-Werror>)
