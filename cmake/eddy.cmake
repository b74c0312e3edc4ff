# What every target of Eddy has in common: warnings as errors, include paths from the root, sanitizers by option.

set(EDDY_SANITIZE "" CACHE STRING "Sanitizers, as -fsanitize takes them (address,undefined or thread); empty for none")

add_library(eddy_options INTERFACE)
target_include_directories(eddy_options INTERFACE ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR})
target_compile_options(eddy_options INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror
  $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)  # g++ 12 reports std::variant falsely
if(EDDY_SANITIZE)
  target_compile_options(eddy_options INTERFACE -fsanitize=${EDDY_SANITIZE} -fno-omit-frame-pointer)
  target_link_options(eddy_options INTERFACE -fsanitize=${EDDY_SANITIZE})
endif()

# eddy_library(NAME SOURCES a.cc ... LINKS x y): a folder's library.
function(eddy_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINKS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC eddy_options ${ARG_LINKS})
endfunction()

# eddy_program(NAME SOURCES ... LINKS ...): an executable in bin/.
function(eddy_program name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINKS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE eddy_options ${ARG_LINKS})
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
