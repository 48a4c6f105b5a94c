# Shared compile settings and the two functions that make the folders' targets.

add_library(vimg_settings INTERFACE)
target_include_directories(vimg_settings INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_definitions(vimg_settings INTERFACE _FILE_OFFSET_BITS=64
                                                   VIMG_VERSION="${PROJECT_VERSION}")
target_compile_options(vimg_settings INTERFACE -Wall -Wextra -Wpedantic -Wconversion -Wshadow
                                               -Werror)
# What GCC 12 says of std::string and std::vector when it optimises is wrong (GCC bugs 105651, 105329, 107852).
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(vimg_settings INTERFACE -Wno-restrict -Wno-stringop-overflow
                                                  -Wno-stringop-overread -Wno-array-bounds)
endif()
if(VIMG_SANITIZE)
  target_compile_options(vimg_settings INTERFACE -fsanitize=${VIMG_SANITIZE}
                                                 -fno-omit-frame-pointer)
  target_link_options(vimg_settings INTERFACE -fsanitize=${VIMG_SANITIZE})
  if(VIMG_FUZZ)
    target_compile_options(vimg_settings INTERFACE -fsanitize=fuzzer-no-link)
  endif()
  if(VIMG_SANITIZE MATCHES "undefined")
    target_compile_options(vimg_settings INTERFACE -fno-sanitize-recover=undefined)
  endif()
endif()

set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()

# vimg_library(FOLDER LINKS...): the static library vimg_FOLDER from every .cpp of FOLDER.
function(vimg_library folder)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${folder}/*.cpp)
  add_library(vimg_${folder} STATIC ${sources})
  target_link_libraries(vimg_${folder} PUBLIC vimg_settings ${ARGN})
endfunction()

# vimg_test(AREA LINKS...): the program AREA_tests from tests/AREA/*_test.cpp, run by ctest.
function(vimg_test area)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/${area}/*.cpp)
  add_executable(${area}_tests ${sources} $<TARGET_OBJECTS:vimg_test_support>)
  target_link_libraries(${area}_tests PRIVATE vimg_settings ${ARGN})
  add_test(NAME ${area} COMMAND ${area}_tests)
endfunction()

# vimg_fuzz(NAME LINKS...): the libFuzzer target NAME_fuzz from fuzz/NAME_fuzz.cpp.
function(vimg_fuzz name)
  add_executable(${name}_fuzz ${CMAKE_SOURCE_DIR}/fuzz/${name}_fuzz.cpp)
  target_link_libraries(${name}_fuzz PRIVATE vimg_settings ${ARGN})
  target_link_options(${name}_fuzz PRIVATE -fsanitize=fuzzer)
endfunction()
