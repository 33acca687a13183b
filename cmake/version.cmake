# Makes version.h: the project's version and the commit it was built from
# ("unknown" outside a git checkout).
execute_process(
  COMMAND git describe --always --dirty --abbrev=12
  WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
  OUTPUT_VARIABLE QUANTD_REVISION
  OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(NOT QUANTD_REVISION)
  set(QUANTD_REVISION "unknown")
endif()
configure_file(${CMAKE_CURRENT_LIST_DIR}/version.h.in ${PROJECT_BINARY_DIR}/generated/version.h)
add_library(quantd_version INTERFACE)
target_include_directories(quantd_version INTERFACE ${PROJECT_BINARY_DIR}/generated)
