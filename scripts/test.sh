#!/usr/bin/env bash
# test.sh: every test, and an honest count of them.
#
#   scripts/test.sh          gcc with warnings as errors; all tests under one flavour of OpenBLAS, and those of
#                            nn/ and train/, which call it, under every other one there is; and where a cross
#                            compiler and qemu are installed, the library and its self-tests for ARM64
#   scripts/test.sh --ci     all of these; tests/consumers in a virtual environment that it makes (build/venv); a clang
#                            build with warnings as errors; all tests under the address and undefined-behaviour
#                            sanitizers of gcc, and those of what reads files under clang's; and scripts/analyse.sh:
#                            clang-tidy, cppcheck, gcc -fanalyzer, ThreadSanitizer, valgrind. ARM64 that cannot run is
#                            a failure, and so is a skipped test, but for some reasons (may_skip below)
#   scripts/test.sh --long   as without, but what tries many moments, faults or bits tries more: SECURITY.md says how many
#
# tests/consumers are PyTorch, onnxruntime and the like reading what we write, and the Python wrapper (pytest). Without --ci
# they run if build/venv is there or python3 has pytest.
#
# Tests of real feature dumps look for guard-train.h5 and guard-val.h5 in the folder $SAFEROUTE_DATA, else in
# ../shared/data beside the repository. A skipped test counts as neither passed nor failed and is listed with its reason.
# Exit status: 0 nothing failed, 1 a test or build failed, 2 wrong usage or packages missing.
#
# SPDX-License-Identifier: MIT
set -euo pipefail
cd "$(dirname "$0")/.."

ci=false hang=600
case ${1-} in
'') ;;
--ci) ci=true ;;
--long) export SAFEROUTE_LONG=1 hang=86400 ;;
-h | --help) sed -n '2,19s/^# \{0,1\}//p' "$0" && exit 0 ;;
*) echo "test.sh: unknown option $1 (only --ci, --long)" >&2 && exit 2 ;;
esac

if $ci; then scripts/packages.sh build tests ci; else scripts/packages.sh build tests; fi
if [ -z "${SAFEROUTE_DATA-}" ] && [ -f ../shared/data/guard-train.h5 ]; then
    SAFEROUTE_DATA=$(realpath ../shared/data)
    export SAFEROUTE_DATA
fi

passed=0 failed=0 skipped=() red=() # red: programs, builds and tools, each of which may hold several failures
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT

say() { printf '\n== %s\n' "$1"; }
skip() { skipped+=("$1"); }
fail() { red+=("$1") && failed=$((failed + ${2:-1})); }

# build NAME [CMAKE OPTIONS]: into build/test-NAME. A failed build counts as one failure.
build() {
    local name=$1 dir=build/test-$1 generator=()
    shift
    say "Build: $name"
    if [ ! -f "$dir/CMakeCache.txt" ] && command -v ninja >/dev/null; then generator=(-G Ninja); fi
    if ! cmake -S . -B "$dir" "${generator[@]}" -DSR_TESTS=ON -DSR_WERROR=ON -DSR_TEST_SECONDS=$hang "$@" >"$logs/cmake" 2>&1; then
        cat "$logs/cmake"
    elif cmake --build "$dir" --parallel "$(nproc)"; then
        return 0
    fi
    fail "build: $name"
    return 1
}

# What --ci may lack: what a sanitizer hides, a browser, the real dumps, a CPU of another kind, control groups.
may_skip='sanitizer|Chromium|SAFEROUTE_DATA|this CPU|control group'

# Adds the programs' own counts. A program that died without one (a crash, a time limit) counts as one failure.
count() {
    local name=$1 log=$2 line numbers='Passing: ([0-9]+) \| Failing: ([0-9]+) \| Crashing: ([0-9]+)'
    while read -r line; do
        if [[ $line =~ $numbers ]]; then
            passed=$((passed + BASH_REMATCH[1]))
            failed=$((failed + BASH_REMATCH[2] + BASH_REMATCH[3])) # their program is in red
        fi
    done < <(grep -a 'Synthesis: Tested:' "$log" || true)
    while read -r line; do
        skip "$name: $line"
        if $ci && [[ ! $line =~ $may_skip ]]; then fail "$name: skipped: $line"; fi
    done < <(sed -n 's/.*\[SKIP\] //p' "$log")
}

# tests NAME BUILD [CTEST OPTIONS]: runs and counts.
tests() {
    local name=$1 dir=build/test-$2 before=$failed status=0 program
    shift 2
    say "Tests: $name"
    rm -f "$dir/Testing/Temporary/LastTestsFailed.log"
    ctest --test-dir "$dir" --output-on-failure --parallel "$(nproc)" "$@" || status=$?
    cp "$dir/Testing/Temporary/LastTest.log" "$logs/$name"
    count "$name" "$logs/$name"
    if [ "$status" -eq 0 ]; then return 0; fi
    while IFS=: read -r _ program; do
        fail "$name: $program" 0
    done < <(sort -u "$dir/Testing/Temporary/LastTestsFailed.log" 2>/dev/null || echo ":ctest ended with status $status")
    if [ "$failed" -eq "$before" ]; then failed=$((failed + 1)); fi
}

# pytest's last line: "3 failed, 20 passed, 1 skipped, 1 error in 12.34s". Prints the number before the word, or 0.
summary() {
    local numbers
    numbers=$(tail -n 1 "$1")
    if [[ $numbers =~ ([0-9]+)\ $2 ]]; then echo "${BASH_REMATCH[1]}"; else echo 0; fi
}

# One line for each skipped test; pytest has "SKIPPED [3] file:line: reason" for three that share place and reason.
unfold_skips() {
    local times reason
    sed -n 's/^SKIPPED \[\([0-9]*\)\] /\1 /p' "$1" | while read -r times reason; do
        while [ "$times" -gt 0 ]; do
            echo "$reason"
            times=$((times - 1))
        done
    done
}

# consumers PYTHON: tests/consumers on the gcc build, counted. A pytest that died without a summary is one failure.
consumers() {
    local log=$logs/consumers before=$failed status=0 line parallel=()
    say "Tests: consumers"
    if "$1" -c 'import xdist' 2>/dev/null; then parallel=(--numprocesses "$(nproc)" --dist loadfile); fi
    SAFEROUTE_PROGRAM=$PWD/build/test-gcc/saferoute SAFEROUTE_LIBRARY=$PWD/build/test-gcc/libsaferoute.so \
        "$1" -m pytest -q -rsfE --color=no -p no:cacheprovider "${parallel[@]}" tests/consumers 2>&1 | tee "$log" || status=$?
    passed=$((passed + $(summary "$log" passed)))
    while read -r line; do
        fail "consumers: $line"
    done < <(sed -nE 's/^(FAILED|ERROR) (.*)/\2/p' "$log")
    while read -r line; do
        skip "consumers: $line"
        if $ci; then fail "consumers: skipped: $line"; fi
    done < <(unfold_skips "$log")
    if [ "$status" -ne 0 ] && [ "$failed" -eq "$before" ]; then fail "consumers: pytest ended with status $status"; fi
}

# scripts/arm64.sh, counted. Where it cannot run, that is a failure with --ci and a skip without.
arm64() {
    local log=$logs/arm64 before=$failed status=0 cpu
    say "Build and tests: ARM64"
    rm -f build/test-arm64/*.log
    scripts/arm64.sh 2>&1 | tee "$log" || status=$?
    for cpu in max cortex-a53; do
        if [ -f "build/test-arm64/$cpu.log" ]; then count "arm64 $cpu" "build/test-arm64/$cpu.log"; fi
    done
    if [ "$status" -eq 2 ] && ! $ci; then
        skip "arm64: $(sed -n 's/^arm64.sh: //p' "$log")"
    elif [ "$status" -ne 0 ]; then
        fail "arm64 (status $status)" $((failed == before))
    fi
}

# scripts/analyse.sh, each of its parts counted as one test. A tool that is missing is a failure.
analyse() {
    local part
    for part in "$@"; do
        say "Analysis: $part"
        if scripts/analyse.sh "$part"; then passed=$((passed + 1)); else fail "analysis: $part"; fi
    done
}

# The environment of tests/consumers, made anew only when what it holds has changed.
make_venv() {
    local wanted=tests/consumers/requirements.txt
    if cmp -s "$wanted" build/venv/requirements.txt; then return 0; fi
    say "Virtual environment: build/venv"
    python3 -m venv --clear build/venv && build/venv/bin/pip install --quiet -r "$wanted" && cp "$wanted" build/venv/
}

# The flavours share a name, and the system's preference decides which one a program gets: so say it for each.
flavours=(/usr/lib/*/openblas-openmp /usr/lib/*/openblas-pthread)
if build gcc -DCMAKE_C_COMPILER=gcc -DCMAKE_BUILD_TYPE=Release; then
    first=true
    for dir in "${flavours[@]}"; do
        flavour=${dir##*/}
        if [ ! -e "$dir/libopenblas.so.0" ]; then
            skip "$flavour: not installed, so nothing was tested under it"
        elif $first; then
            LD_LIBRARY_PATH=$dir tests "$flavour" gcc
            first=false
        else
            LD_LIBRARY_PATH=$dir tests "$flavour" gcc -R '^(test_nn|test_train|double_)'
        fi
    done
    if $first; then tests default gcc; fi
    if $ci && ! make_venv; then
        fail "consumers: build/venv could not be made"
    elif [ -f build/venv/requirements.txt ]; then
        consumers build/venv/bin/python
    elif python3 -c 'import pytest' 2>/dev/null; then
        consumers python3
    else
        skip "consumers: neither build/venv nor a python3 with pytest is there"
    fi
fi

arm64

if $ci; then
    build clang -DCMAKE_C_COMPILER=clang -DCMAKE_BUILD_TYPE=Release || true
    export ASAN_OPTIONS=abort_on_error=1:detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1
    if build asan -DCMAKE_C_COMPILER=gcc -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_C_FLAGS_RELWITHDEBINFO='-O1 -g' \
        -DSR_SANITIZE=address,undefined; then
        tests asan asan
    fi
    # clang's sanitizers see other things than gcc's; on what reads files of strangers, where it matters.
    of_strangers='test_base_|test_data_(dump|forms|pickle|pt|tensors|scores)|test_infer_(closed|import|open|router)'
    of_strangers+='|test_trust_(hostile|json_reader|pickle_costs|zip_reads|isolate$)|fuzz_'
    if build asan-clang -DCMAKE_C_COMPILER=clang -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_C_FLAGS_RELWITHDEBINFO='-O1 -g' \
        -DSR_SANITIZE=address,undefined; then
        tests asan-clang asan-clang -R "^($of_strangers|threads_|.*_selftest\$)"
    fi
    analyse tidy cppcheck analyzer tsan valgrind
fi

say "Result"
if [ ${#skipped[@]} -eq 0 ]; then
    echo "Skipped: nothing"
else
    echo "Skipped:"
    printf '  %s\n' "${skipped[@]}"
fi
if [ ${#red[@]} -gt 0 ]; then
    echo "Failed:"
    printf '  %s\n' "${red[@]}"
fi
echo "$passed passed, $failed failed, ${#skipped[@]} skipped"
[ "$failed" -eq 0 ]
