#!/bin/sh
# All tests. Every stage runs, also after one that failed; the exit status says whether all passed.
# Usage: run.sh [STAGE]...   stages: lint unit native asan dbus vm compat; and long, vmlong, clientdbus, certify, blivet, upstream, dfuzzer, only when they are named
set -eu
cd "$(dirname "$0")/.."

sh tests/setup.sh

run_files() { # folder below dist/tests, further options of node
    folder=$1
    shift
    # shellcheck disable=SC2046 # names of test files have no spaces
    node --test "$@" $(find "dist/tests/$folder" -name '*.test.js' | sort)
}

stage_lint() { npm run --silent lint; }
stage_unit() { run_files unit; }
# The other native tests run with the sanitizers, once.
stage_native() { node --test dist/tests/native/build.test.js; }
stage_asan() { sh tests/native/asan.sh; }
stage_dbus() { run_files dbus; }
# With the software of others. Status 77 says that it can't be had here; that does not fail, and the summary says so.
run_compat() { # program below dist/tests/compat, what it runs
    outcome=0
    node "dist/tests/compat/$1.js" || outcome=$?
    [ "$outcome" = 77 ] || return "$outcome"
    remarks="${remarks}NOT RUN: $2; the reason is above
"
}
stage_compat() {
    status=0
    run_files compat || status=1
    run_compat suite "the integration tests of stratis-cli" || status=1
    run_compat differential "the command lines through stratis-cli itself" || status=1
    return $status
}
stage_long() {
    status=0
    run_files long --test-concurrency=1 || status=1
    STRATIS_HOSTILE_RUNS=400000 node --test dist/tests/unit/engine/real/hostile-record.test.js || status=1
    return $status
}
stage_vm() { sh tests/vm/image/build.sh > /dev/null && nice -n 5 node dist/tests/vm/run.js; }
# Cases of many minutes each, and those that interrupt operations at every step.
stage_vmlong() {
    STRATIS_CRASH_POINTS=${STRATIS_CRASH_POINTS:-all} STRATIS_VM_CASE_SECONDS=${STRATIS_VM_CASE_SECONDS:-14400} \
        node dist/tests/vm/run.js --long || return 1
    STRATIS_GOLDEN=all node dist/tests/vm/run.js dist/tests/vm/host-cases/golden.test.js
}
stage_clientdbus() { run_compat client-dbus "stratisd's own tests"; }
stage_certify() { run_compat certify "the certification of an installed Stratis"; }
stage_blivet() { run_compat blivet "blivet's tests of Stratis"; }
stage_upstream() { run_compat upstream "the cases beside stratisd 3.9.2"; }
stage_dfuzzer() { run_compat dfuzzer "dfuzzer"; }

summary=
remarks=
failed=0
begin=$(date +%s)
[ $# -gt 0 ] || set -- lint unit native asan dbus vm compat
note() { # verdict stage started
    summary="$summary$(printf '%-5s %-7s %4d s' "$1" "$2" $(($(date +%s) - $3)))
"
}

# The guests run beside the other stages, which come first when both want a core, because their tests mind delays;
# their report comes last.
vm=
vm_log=$(mktemp)
trap 'rm -f "$vm_log"; [ -z "$vm" ] || kill "$vm" 2> /dev/null || :' EXIT
case " $* " in
    *" vm "*)
        vm_started=$(date +%s)
        (stage_vm) > "$vm_log" 2>&1 &
        vm=$!
        ;;
esac
run_stage() { # stage
    printf '\n######## %s\n' "$1"
    started=$(date +%s)
    if "stage_$1"; then verdict=pass; else verdict=FAIL failed=1; fi
    note "$verdict" "$1" "$started"
}
for stage in "$@"; do
    case $stage in vm | compat) ;; *) run_stage "$stage" ;; esac
done
if [ -n "$vm" ]; then
    printf '\n######## vm\n'
    if wait "$vm"; then verdict=pass; else verdict=FAIL failed=1; fi
    vm=
    cat "$vm_log"
    note "$verdict" vm "$vm_started"
fi
# Last and alone: stratis-cli's tests give the daemon one second to start.
case " $* " in *" compat "*) run_stage compat ;; esac
printf '\n%s%s%s\n' "$summary" "$remarks" "all together $(($(date +%s) - begin)) s"
exit "$failed"
