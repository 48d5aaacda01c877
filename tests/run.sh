#!/bin/sh
# All tests. Every stage runs, also after one that failed; the exit status says whether all passed.
# Usage: run.sh [STAGE]...   stages: lint unit native asan dbus vm
set -eu
cd "$(dirname "$0")/.."

sh tests/setup.sh

# The image takes a minute or two, most of it waiting for the network: the other stages run meanwhile.
image_log=$(mktemp)
sh tests/vm/image/build.sh > /dev/null 2> "$image_log" &
image=$!
trap 'rm -f "$image_log"' EXIT

run_files() { # folder below dist/tests, further options of node
    folder=$1
    shift
    # shellcheck disable=SC2046 # names of test files have no spaces
    node --test "$@" $(find "dist/tests/$folder" -name '*.test.js' | sort)
}

stage_lint() { npm run --silent lint; }
stage_unit() { run_files unit; }
stage_native() { run_files native --test-concurrency=1; }
stage_asan() { sh tests/native/asan.sh; }
stage_dbus() { run_files dbus; }
stage_vm() {
    wait "$image" || {
        cat "$image_log"
        echo "the guest's image could not be built"
        return 1
    }
    node dist/tests/vm/run.js
}

summary=
failed=0
begin=$(date +%s)
[ $# -gt 0 ] || set -- lint unit native asan dbus vm
for stage in "$@"; do
    printf '\n######## %s\n' "$stage"
    started=$(date +%s)
    if "stage_$stage"; then verdict=pass; else verdict=FAIL failed=1; fi
    summary="$summary$(printf '%-5s %-7s %4d s' "$verdict" "$stage" $(($(date +%s) - started)))
"
done
printf '\n%s%s\n' "$summary" "all together $(($(date +%s) - begin)) s"
exit "$failed"
