# quantd_add_test_program(PROGRAM LABELS LABEL ... TIMEOUT SECONDS)
#
# One test for ctest: all of a program with GoogleTest. A process for each of its tests would load
# gRPC and protobuf hundreds of times, and asking the programs for the names of their tests would
# start each of them with every build. It prints failures alone; to run some of its tests:
#
#   build/PRESET/bin/PROGRAM --gtest_filter=NAME
function(quantd_add_test_program program)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "TIMEOUT" "LABELS")
  # Most of what is compiled is tests, and what they wait for is not their own code. An emulated
  # processor is slow enough to make a difference.
  if(NOT CMAKE_CROSSCOMPILING)
    target_compile_options(${program} PRIVATE -O0)
  endif()
  add_test(NAME ${program} COMMAND ${program} --gtest_brief=1)
  set_tests_properties(${program} PROPERTIES LABELS "${arg_LABELS}" TIMEOUT ${arg_TIMEOUT})
endfunction()

# quantd_report_missing(TEST ... WHAT TEXT)
#
# Lists tests that cannot run here as disabled, and says what they need.
function(quantd_report_missing)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "WHAT" "")
  foreach(name IN LISTS arg_UNPARSED_ARGUMENTS)
    add_test(NAME ${name} COMMAND ${CMAKE_COMMAND} -E false)
    set_tests_properties(${name} PROPERTIES DISABLED TRUE)
  endforeach()
  list(JOIN arg_UNPARSED_ARGUMENTS ", " names)
  message(STATUS "Not run, as ${arg_WHAT} is missing: ${names}; script/install-dependencies test "
                 "installs it")
endfunction()
