#!/usr/bin/env bash
# analyse.sh: what tools find in the sources, and in running programs.
#
#   scripts/analyse.sh [WHAT...]
#       tidy       clang-tidy, with the checks of .clang-tidy
#       cppcheck   cppcheck
#       analyzer   gcc -fanalyzer
#       tsan       ThreadSanitizer on tests/threads_*.c (build/tsan)
#       valgrind   memcheck on the self-tests, and train, eval and export on a small dump
#       all        all of them, which is also what nothing means
#
# The first three read the sources of the program and of the library, and those tests that need no Criterion, whose
# macros cppcheck cannot read and clang-tidy finds much in. A finding that is no fault is annotated where it is, with the
# reason: NOLINT (clang-tidy), cppcheck-suppress, #pragma GCC diagnostic.
#
# Exit status: 0 nothing found, 1 a finding or a build that failed, 2 wrong usage, 3 a tool is missing, which is said; the
# others have run.
#
# SPDX-License-Identifier: MIT
set -uo pipefail
cd "$(dirname "$0")/.."

all=(tidy cppcheck analyzer tsan valgrind)
jobs=$(nproc)
generator=()
if command -v ninja >/dev/null; then generator=(-G Ninja); fi
found=0 missing=0 work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The commands that compile build/analyse, one line of JSON each, and the files that are looked at. The only target
# built is the one that makes a header.
configure() {
    if [ -f "$work/files" ]; then return 0; fi
    if ! { cmake -S . -B build/analyse "${generator[@]}" -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_COMPILER=gcc \
        -DCMAKE_C_COMPILER_LAUNCHER= -DSR_TESTS=ON && cmake --build build/analyse --parallel "$jobs" --target sr_onnx_proto; } \
        >"$work/cmake" 2>&1; then
        cat "$work/cmake"
        return 1
    fi
    sed -n 's/^ *"command": "\(.*\)",\{0,1\}$/\1/p' build/analyse/compile_commands.json | sed 's/\\\(.\)/\1/g' >"$work/commands"
    sed -n 's/.* -c \(.*\)$/\1/p' "$work/commands" | grep "^$PWD/" | grep -v "^$PWD/build/" |
        grep -Ev "^$PWD/tests/(test|double)_" | sort -u >"$work/files"
    [ -s "$work/files" ]
}

# has TOOL PACKAGE
has() {
    if command -v "$1" >/dev/null; then return 0; fi
    echo "analyse.sh: $1 is missing (Debian: $2); scripts/packages.sh build tests ci installs it"
    missing=1
    return 1
}

# verdict NAME LOG STATUS: fails where something was found, and where the tool did not come to its end: an empty log alone says
# nothing.
verdict() {
    if [ -s "$2" ]; then cat "$2"; fi
    if [ "$3" -ne 0 ]; then
        echo "FAILED: $1: ended with status $3 before all was looked at"
        found=1
    elif [ -s "$2" ]; then
        echo "FAILED: $1"
        found=1
    else
        echo "$1: nothing found"
    fi
}

# each LOG COMMAND: runs it by sh for every line of standard input, which is its $1; what it prints goes to the log. It ends with
# 0 or 1 where it has looked at the file, whatever it found. The status is 0 if it has for every line.
each() {
    local log=$1 lines
    cat >"$work/lines"
    : >"$work/looked"
    lines=$(wc -l <"$work/lines")
    WORK=$work xargs -P "$jobs" -d '\n' -n 1 sh -c "($2); if [ \$? -le 1 ]; then echo >>\"\$WORK/looked\"; fi" sh \
        <"$work/lines" >"$log" || return 2
    [ "$lines" -gt 0 ] && [ "$(wc -l <"$work/looked")" -eq "$lines" ] || return 2
}

tidy() {
    local status=0
    has clang-tidy clang-tidy || return 0
    # One file a call, and of what it says of its own progress nothing.
    each "$work/tidy" 'clang-tidy -p build/analyse --quiet "$1" 2>/dev/null' <"$work/files" || status=$?
    verdict "clang-tidy, $(wc -l <"$work/files") files" "$work/tidy" "$status"
}

check_cpp() {
    local status=0
    has cppcheck cppcheck || return 0
    # shellcheck disable=SC2046 # no name of the tree has a space
    cppcheck --std=c11 -j "$jobs" --quiet --inline-suppr --enable=warning,portability,performance -I . -DSR_ANALYSE \
        -DSR_VERSION='""' -DSR_VEC_ISA=base -D__x86_64__ \
        --suppress=internalAstError:infer/kernels_float.c --template='{file}:{line}: {message} [{id}]' \
        $(sed "s|^$PWD/||" "$work/files" | grep -v '^tests/') >"$work/cppcheck" 2>&1 || status=$?
    verdict cppcheck "$work/cppcheck" "$status"
}

analyzer() {
    local status=0
    has gcc gcc || return 0
    grep -Fwf "$work/files" "$work/commands" | sed 's|-o [^ ]*\.o |-o /dev/null |; s|$| -O1 -fanalyzer -DSR_ANALYSE|' | sort -u |
        each "$work/analyzer" 'cd build/analyse && eval "$1" 2>&1' || status=$?
    verdict "gcc -fanalyzer" "$work/analyzer" "$status"
}

tsan() {
    local targets=(threads_router threads_loader) target status=0
    if ! { cmake -S . -B build/tsan "${generator[@]}" -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_C_FLAGS_RELWITHDEBINFO='-O1 -g' \
        -DSR_SANITIZE=thread -DSR_OPENMP=OFF -DSR_TESTS=ON -DSR_WERROR=ON &&
        cmake --build build/tsan --parallel "$jobs" --target "${targets[@]}"; } >"$work/tsan" 2>&1; then
        tail -n 40 "$work/tsan"
        status=1
    else
        for target in build/tsan/threads_router build/tsan/tests/threads_loader; do
            "$target" || status=1
        done
    fi
    if [ "$status" -ne 0 ]; then
        echo "FAILED: ThreadSanitizer"
        found=1
    else
        echo "ThreadSanitizer: nothing found"
    fi
}

# memcheck COMMAND...: what it finds to be wrong or certainly lost fails; what libgomp and HDF5 keep to the end does not.
memcheck() {
    if ! valgrind --quiet --error-exitcode=99 --leak-check=full --show-leak-kinds=definite,indirect \
        --errors-for-leak-kinds=definite,indirect "$@" >"$work/memcheck" 2>&1; then
        cat "$work/memcheck"
        echo "FAILED: valgrind $*"
        found=1
    fi
}

valgrind_() {
    local build=$PWD/build/valgrind saferoute=$PWD/build/valgrind/saferoute test
    # Not the programs of threads: valgrind lets one thread run at a time, and who turns until another has done something may
    # turn for ever. ThreadSanitizer has them.
    local tests=(vec_selftest kernels_selftest library_selftest)
    has valgrind valgrind || return 0
    if ! { cmake -S . -B "$build" "${generator[@]}" -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_C_FLAGS_RELWITHDEBINFO='-O1 -g' \
        -DSR_TESTS=ON && cmake --build "$build" --parallel "$jobs" --target saferoute "${tests[@]}"; } \
        >"$work/build" 2>&1; then
        tail -n 40 "$work/build"
        echo "FAILED: build of build/valgrind"
        found=1
        return 0
    fi
    for test in "${tests[@]}"; do
        memcheck "$build/$test"
    done
    (
        cd "$work" || exit 1
        "$saferoute" data synth --out a.h5 --rows 400 --width 32 --seed 1 >/dev/null
    )
    memcheck "$saferoute" train --train "$work/a.h5" --val-fraction .2 --out "$work/run" --epochs 2 --hidden 16,8
    memcheck "$saferoute" data repack "$work/a.h5" --out "$work/b.h5" --gzip 1
    memcheck "$saferoute" sweep --model "$work/run/best.safetensors" --data "$work/b.h5" --rule f1 --out "$work/w.safetensors"
    memcheck "$saferoute" eval --model "$work/w.safetensors" --data "$work/b.h5"
    memcheck "$saferoute" infer --model "$work/w.safetensors" --data "$work/b.h5" --out "$work/scores.csv"
    for test in pt onnx safetensors; do
        memcheck "$saferoute" export --model "$work/w.safetensors" --to "$test" --out "$work/out.$test"
    done
    memcheck "$saferoute" import "$work/out.pt" --out "$work/back.safetensors"
    if [ "$found" -eq 0 ]; then echo "valgrind: nothing found"; fi
}

if [ $# -eq 0 ] || [ "$*" = all ]; then set -- "${all[@]}"; fi
for what in "$@"; do
    case $what in
    tidy | cppcheck | analyzer | tsan | valgrind) ;;
    -h | --help) sed -n '2,21s/^# \{0,1\}//p' "$0" && exit 0 ;;
    *) echo "analyse.sh: $what is none of: ${all[*]} all" >&2 && exit 2 ;;
    esac
done
for what in "$@"; do
    case $what in
    tsan) tsan ;;
    valgrind) valgrind_ ;;
    *) if configure; then
        case $what in
        tidy) tidy ;;
        cppcheck) check_cpp ;;
        analyzer) analyzer ;;
        esac
    else
        echo "FAILED: build/analyse cannot be configured"
        found=1
    fi ;;
    esac
done
if [ "$found" -ne 0 ]; then exit 1; fi
if [ "$missing" -ne 0 ]; then exit 3; fi
