# The allocator of the programs that move large messages: tcmalloc keeps freed
# memory for the next message, where glibc's hands it back and pays for the page
# faults (docs/experiments.md has the figures). Sanitizers bring their own.
add_library(quantd_allocator INTERFACE)
if(NOT QUANTD_SANITIZERS AND NOT QUANTD_CORE_ONLY)
  find_library(QUANTD_TCMALLOC_LIBRARY tcmalloc_minimal REQUIRED)
  # Nothing refers to it by name in a program that only allocates.
  target_link_libraries(quantd_allocator INTERFACE -Wl,--no-as-needed ${QUANTD_TCMALLOC_LIBRARY}
                                                   -Wl,--as-needed)
  target_compile_definitions(quantd_allocator INTERFACE QUANTD_TCMALLOC)
endif()
