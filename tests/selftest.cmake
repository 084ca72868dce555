# selftest.cmake: the tests that need no Criterion: *_selftest.c, one program each. They also run where the program itself is
# not built, and under CMAKE_CROSSCOMPILING_EMULATOR. Each runs as the CPU chooses and once for each instruction set.
# SPDX-License-Identifier: MIT

function(sr_selftest name library)
  add_executable(${name} tests/${name}.c)
  target_link_libraries(${name} PRIVATE sr_flags ${library})
  add_test(NAME ${name} COMMAND ${name})
  foreach(isa ${SR_VEC_ISAS})
    add_test(NAME ${name}_${isa} COMMAND ${name} ${isa})
    set_tests_properties(${name}_${isa} PROPERTIES SKIP_RETURN_CODE 77)
  endforeach()
endfunction()
sr_selftest(vec_selftest sr_base)
sr_selftest(kernels_selftest sr_infer)
sr_selftest(library_selftest saferoute_shared) # what ships, by its public names only

# threads_*.c: many threads at once, watched by ThreadSanitizer where SR_SANITIZE says so (which Criterion does not start
# under). What is found there ends the program with 66.
function(sr_threads name)
  add_executable(${name} ${PROJECT_SOURCE_DIR}/tests/${name}.c)
  target_link_libraries(${name} PRIVATE sr_flags ${ARGN})
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT 600)
endfunction()
sr_threads(threads_router saferoute_shared)
