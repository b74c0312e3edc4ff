# What every target of Eddy has in common: warnings as errors, include paths from the root, hardening, sanitizers by
# option; and the four functions by which a folder declares what it builds.

set(EDDY_SANITIZE "" CACHE STRING "Sanitizers, as -fsanitize takes them (address,undefined or thread); empty for none")
option(EDDY_JEMALLOC "Link the daemon with jemalloc (never under a sanitizer, which has an allocator of its own)" ON)

add_library(eddy_options INTERFACE)
target_include_directories(eddy_options INTERFACE ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR})
target_compile_options(eddy_options INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror
  -Wno-missing-field-initializers  # a designated initializer names what differs from the default
  # g++ 12 reports std::variant and the concatenation of strings falsely
  $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized -Wno-restrict>
  # libstdc++ 12 deprecates what its own stable_sort calls
  $<$<CXX_COMPILER_ID:Clang>:-Wno-deprecated-declarations>)
# An index out of range or an empty optional ends the process instead of reading what is not ours; the price is a
# compare and a branch.
target_compile_definitions(eddy_options INTERFACE _GLIBCXX_ASSERTIONS)

if(EDDY_SANITIZE)
  # Without recovery, so that a finding fails the test also where it happens in a process that the test started.
  target_compile_options(eddy_options INTERFACE
    -fsanitize=${EDDY_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(eddy_options INTERFACE -fsanitize=${EDDY_SANITIZE})
else()
  target_compile_options(eddy_options INTERFACE -fstack-protector-strong)
  target_link_options(eddy_options INTERFACE -Wl,-z,relro,-z,now)
endif()

# eddy_library(NAME SOURCES a.cc ... LINKS x y): a folder's library. A header compiles alone: one with a .cc of its
# own is the first include there (the lint tests check that), and the others get a source file here that includes
# nothing else.
function(eddy_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINKS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC eddy_options ${ARG_LINKS})

  cmake_path(GET CMAKE_CURRENT_SOURCE_DIR FILENAME folder)
  if(NOT name STREQUAL "eddy_${folder}")
    return()
  endif()
  file(GLOB headers CONFIGURE_DEPENDS RELATIVE ${CMAKE_CURRENT_SOURCE_DIR} *.h)
  set(header_sources)
  foreach(header ${headers})
    string(REGEX REPLACE "\\.h$" ".cc" source ${header})
    if(NOT EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${source})
      set(alone ${CMAKE_CURRENT_BINARY_DIR}/header_alone/${source})
      file(CONFIGURE OUTPUT ${alone} CONTENT "#include \"${folder}/${header}\"\n")
      list(APPEND header_sources ${alone})
    endif()
  endforeach()
  if(header_sources)
    add_library(${name}_headers OBJECT ${header_sources})
    target_link_libraries(${name}_headers PRIVATE ${name})
  endif()
endfunction()

# eddy_program(NAME SOURCES ... LINKS ...): an executable in bin/.
function(eddy_program name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINKS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE eddy_options ${ARG_LINKS})
endfunction()

# eddy_allocator(PROGRAM): gives a long-running program jemalloc, unless switched off.
function(eddy_allocator program)
  if(EDDY_JEMALLOC AND NOT EDDY_SANITIZE)
    find_package(PkgConfig REQUIRED)
    pkg_check_modules(JEMALLOC REQUIRED IMPORTED_TARGET jemalloc)
    target_link_libraries(${program} PRIVATE PkgConfig::JEMALLOC)
  endif()
endfunction()

# eddy_test(NAME SOURCES ... LINKS ... [TIMEOUT seconds]): one gtest binary, one ctest entry.
# rapidcheck properties may be used in any of them.
function(eddy_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;LINKS" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE eddy_options ${ARG_LINKS} rapidcheck rapidcheck_gtest
                        GTest::gmock GTest::gtest_main)
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT ${ARG_TIMEOUT})
endfunction()

# eddy_python_test(NAME SCRIPT file.py [ARGS ...] [TIMEOUT seconds]): a test in Python 3 (standard library, python3-redis).
# It finds the programs that were built in EDDY_BIN and the tree in EDDY_ROOT. The interpreter is Debian's, since another
# one in the PATH does not see Debian's python3-redis.
function(eddy_python_test name)
  cmake_parse_arguments(ARG "" "SCRIPT;TIMEOUT" "ARGS" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
  endif()
  add_test(NAME ${name} COMMAND /usr/bin/python3 ${CMAKE_CURRENT_SOURCE_DIR}/${ARG_SCRIPT} ${ARG_ARGS})
  set_tests_properties(${name} PROPERTIES TIMEOUT ${ARG_TIMEOUT}
    ENVIRONMENT "EDDY_BIN=${CMAKE_RUNTIME_OUTPUT_DIRECTORY};EDDY_ROOT=${CMAKE_SOURCE_DIR};PYTHONDONTWRITEBYTECODE=1")
endfunction()
