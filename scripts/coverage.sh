#!/usr/bin/env bash
# coverage.sh: how much of the parsers tests run: lines and branches of each file that reads what others wrote.
#
#   scripts/coverage.sh            builds build/coverage (gcc, gcov), runs the tests of parsers, prints a table
#   scripts/coverage.sh --missing  and every line and branch that was not run
#   scripts/coverage.sh --report [--missing]    the table of what has been run before
#
# Which files those are, and which branches do not count, is said in scripts/coverage_report.py.
# Exit status: 0 enough is covered, 1 a file is below 95 % of lines or 100 % of branches, or a test failed, 2 wrong usage or
# a build that failed, 3 gcovr is missing.
#
# SPDX-License-Identifier: MIT
set -euo pipefail
cd "$(dirname "$0")/.."

run=true missing=()
for option in "$@"; do
    case $option in
    --report) run=false ;;
    --missing) missing=(--missing) ;;
    *) sed -n '2,12s/^# \{0,1\}//p' "$0" && exit 2 ;;
    esac
done
if ! command -v gcovr >/dev/null; then
    echo "coverage.sh: gcovr is missing (Debian: gcovr); scripts/packages.sh build tests ci installs it"
    exit 3
fi

build=build/coverage status=0
if $run; then
    generator=()
    if command -v ninja >/dev/null && [ ! -f "$build/CMakeCache.txt" ]; then generator=(-G Ninja); fi
    cmake -S . -B "$build" "${generator[@]}" -DCMAKE_C_COMPILER=gcc -DCMAKE_BUILD_TYPE=RelWithDebInfo -DSR_TESTS=ON \
        -DSR_TEST_SECONDS=7200 -DCMAKE_C_FLAGS_RELWITHDEBINFO='-O0 -g --coverage -fprofile-update=atomic' \
        -DCMAKE_EXE_LINKER_FLAGS=-Wl,-u,__gcov_dump >/dev/null || exit 2
    # Not those that measure an optimised program: its memory, time, stack and symbols.
    mapfile -t tests < <(find tests ! -name 'test_trust_resident.c' ! -name 'test_trust_pickle_costs.c' \
        ! -name 'test_infer_closed.c' ! -name 'test_infer_package.c' \( -name 'test_base_*.c' -o -name 'test_data_*.c' \
        -o -name 'test_infer_*.c' -o -name 'test_trust_*.c' -o -name 'fuzz_*.c' -o -name 'test_eval_calibrator.c' \
        -o -name 'test_eval_gate.c' -o -name 'test_train_re*.c' -o -name 'test_train_run.c' \) |
        sed 's|.*/||; s|\.c$||' | sort)
    cmake --build "$build" --parallel "$(nproc)" --target "${tests[@]}" || exit 2
    find "$build" -name '*.gcda' -delete
    pattern=$(IFS='|' && echo "^(${tests[*]})\$")
    ctest --test-dir "$build" --output-on-failure -R "$pattern" || status=1
fi
# A process that ends while its threads count leaves counts that do not add up, and gcov prints a negative one.
gcovr -r . "$build" --gcov-ignore-parse-errors --filter '(data|eval|infer|nn/base|train)/' --json "$build/report.json"
scripts/coverage_report.py "$build/report.json" "${missing[@]}" || status=1
exit "$status"
