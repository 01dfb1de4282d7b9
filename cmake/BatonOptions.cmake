# Compiler settings that every target shares.
set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "" FORCE)
endif()

# Asserts stay on in every build: a broken invariant must stop the daemon before it is committed.
foreach(config IN ITEMS RELEASE RELWITHDEBINFO MINSIZEREL)
  string(REPLACE "-DNDEBUG" "" CMAKE_CXX_FLAGS_${config} "${CMAKE_CXX_FLAGS_${config}}")
endforeach()

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CCACHE_PROGRAM}")
endif()

add_library(baton_options INTERFACE)
target_compile_options(baton_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wimplicit-fallthrough
  -Wcast-align -Wunused -Wno-missing-field-initializers -Werror)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # False positives of GCC 12's flow analysis inside the standard library and fmt.
  target_compile_options(baton_options INTERFACE
    -Wno-restrict -Wno-maybe-uninitialized -Wno-stringop-overflow -Wno-array-bounds -Wno-stringop-overread -Wno-dangling-pointer)
else()
  # GCC says what is deprecated and what shadows; clang finds both inside the standard library and at `[done = std::move(done)]`.
  target_compile_options(baton_options INTERFACE -Wno-deprecated-declarations -Wno-shadow)
endif()
# Boost 1.74's awaitable.hpp lacks an include; coroutines are not used here at all.
target_compile_definitions(baton_options INTERFACE BOOST_ASIO_DISABLE_CO_AWAIT BOOST_ASIO_NO_DEPRECATED)

# Deliberate defects that the simulator turns on (baton/base/mutation.hpp).
if(BATON_BUILD_TESTS)
  target_compile_definitions(baton_options INTERFACE BATON_MUTATIONS)
endif()

if(BATON_SANITIZE)
  target_compile_options(baton_options INTERFACE -fsanitize=${BATON_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(baton_options INTERFACE -fsanitize=${BATON_SANITIZE})
endif()

# Counts the edges that an input reaches. The library's own asserts cost little and find what no sanitizer sees.
if(BATON_FUZZ)
  # What is left out AddressSanitizer finds too, and it takes a quarter of the build's time.
  target_compile_options(baton_options INTERFACE -fsanitize=fuzzer-no-link -fno-sanitize=null,alignment,object-size)
  target_compile_definitions(baton_options INTERFACE _GLIBCXX_ASSERTIONS)
endif()
