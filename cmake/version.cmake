# Makes version.h: the project's version and the commit it was built from
# ("unknown" outside a git checkout, where nobody tells it).
set(QUANTD_REVISION "" CACHE STRING "The commit that is built; empty asks git")
if(NOT QUANTD_REVISION)
  execute_process(
    COMMAND git describe --always --dirty --abbrev=12
    WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
    OUTPUT_VARIABLE revision_of_git
    OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  set(QUANTD_REVISION "${revision_of_git}")
endif()
if(NOT QUANTD_REVISION)
  set(QUANTD_REVISION "unknown")
endif()
configure_file(${CMAKE_CURRENT_LIST_DIR}/version.h.in ${PROJECT_BINARY_DIR}/generated/version.h)
add_library(quantd_version INTERFACE)
target_include_directories(quantd_version INTERFACE ${PROJECT_BINARY_DIR}/generated)
