#!/bin/sh
# Builds the addon with AddressSanitizer and UndefinedBehaviorSanitizer and runs its tests with it.
#   asan.sh [FOLDER]   FOLDER holds the compiled tests, by default "dist"
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
compiled=$(cd "$root" && cd "${1:-dist}" && pwd)
build="$root/build/asan"

cmake -S "$root" -B "$build" -DSTRATIS_SANITIZE=ON -DCMAKE_BUILD_TYPE=Debug \
  -DCMAKE_LIBRARY_OUTPUT_DIRECTORY="$build"
cmake --build "$build" --parallel 2

# The runtime has to come first in a program that was built without it. It needs libstdc++ beside it to find the
# function that throws exceptions.
LD_PRELOAD="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libstdc++.so)"
# Leaks are not looked for: V8 keeps most of its memory until the process ends.
ASAN_OPTIONS="detect_leaks=0:verify_asan_link_order=0:abort_on_error=1:detect_stack_use_after_return=0"
UBSAN_OPTIONS="halt_on_error=1:print_stacktrace=1"
STRATIS_NATIVE_BUILD="$build"

set --
for file in "$compiled"/tests/native/*.test.js; do
  case "$file" in
    # Builds without sanitizers, and would test nothing here.
    */build.test.js) ;;
    *) set -- "$@" "$file" ;;
  esac
done
export ASAN_OPTIONS UBSAN_OPTIONS STRATIS_NATIVE_BUILD LD_PRELOAD
exec node --test --test-concurrency=1 "$@"
