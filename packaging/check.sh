#!/bin/bash
# check.sh [PRESET]: builds everything and runs all tests, with one command on a fresh checkout.
#
# Installs the Debian packages that are missing (as root or with sudo; it says which). PRESET is one of
# CMakePresets.json: release (the default), dev, asan, tsan. Ends with the summary of ctest and its exit code.
set -euo pipefail
cd -- "$(dirname -- "$0")/.."
. packaging/steps.bash

preset=${1:-release}
jobs=$(jobs_for_this_machine)

step "Packages to build, test and run the examples"
packaging/install-packages.sh build runtime test example

step "Building everything in build/$preset, $jobs at a time"
cmake --preset "$preset" -DBATON_BUILD_TESTS=ON >/dev/null
cmake --build --preset "$preset" -j "$jobs"

case $preset in
  asan | tsan)
    export ASAN_OPTIONS=${ASAN_OPTIONS:-strict_string_checks=1:detect_stack_use_after_return=1}
    export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
    ;;
esac

step_end
printf '%s\n' "${step_times[@]}"
step "Tests ($preset)"
exec ctest --preset "$preset" -j "$jobs" --no-tests=error
