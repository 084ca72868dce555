#!/usr/bin/env bash
# quickstart.sh: from a fresh clone to a trained and measured router with one command.
#
#   scripts/quickstart.sh                                   built-in synthetic dumps, 30 epochs, about a minute
#   scripts/quickstart.sh train.h5 [val.h5 [test.h5]]       your dumps, the whole recipe
#   scripts/quickstart.sh train.h5 val.h5 -- --epochs 30    what is behind -- goes to `saferoute train`
#
# Without val.h5 a fifth of the training rows is held out to choose the best epoch. Installs what the build needs, builds
# into build/release, trains into runs/quickstart or the next free name. Started again with the same dumps and settings
# it goes on with a stopped run and shows a finished one.
#
# SPDX-License-Identifier: MIT
set -euo pipefail

usage() { sed -n '2,10s/^# \{0,1\}//p' "$0"; }

die() {
    printf 'quickstart: %s\n' "$1" >&2
    exit "${2:-2}"
}

say() { printf '\n== %s\n' "$1"; }

# ---- arguments ----

dumps=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do
    case $1 in
    -h | --help) usage && exit 0 ;;
    -*) die "unknown option $1 (what is meant for \`saferoute train\` goes behind --)" ;;
    esac
    [ -f "$1" ] || die "$1: no such file" 66
    dumps+=("$(realpath "$1")")
    shift
done
[ ${#dumps[@]} -le 3 ] || die "at most three dumps: train.h5 val.h5 test.h5"
if [ $# -gt 0 ]; then shift; fi
extra=("$@")

cd "$(dirname "$0")/.."

# ---- build ----

scripts/packages.sh build
say "Building into build/release"
build=build/release
configure=(-S . -B "$build" -DCMAKE_BUILD_TYPE=Release)
if [ ! -f "$build/CMakeCache.txt" ] && command -v ninja >/dev/null; then
    configure+=(-G Ninja)
fi
pkg-config --exists criterion || configure+=(-DSR_TESTS=OFF)
if ! output=$(cmake "${configure[@]}" 2>&1); then
    printf '%s\n' "$output" >&2
    die "cmake failed; its message is above" 70
fi
cmake --build "$build" --target saferoute --parallel "$(nproc)"
saferoute=$build/saferoute
"$saferoute" version

# ---- data ----

short=()
train=${dumps[0]-} val=${dumps[1]-} test=${dumps[2]-}
if [ -z "$train" ]; then
    say "No dumps given: making synthetic ones in runs/quickstart-data"
    mkdir -p runs/quickstart-data
    train=$PWD/runs/quickstart-data/train.h5
    val=$PWD/runs/quickstart-data/val.h5
    test=$PWD/runs/quickstart-data/test.h5
    "$saferoute" data synth --out "$train" --rows 4000 --world 1 --seed 1
    "$saferoute" data synth --out "$val" --rows 1000 --world 1 --seed 2
    "$saferoute" data synth --out "$test" --rows 1000 --world 1 --seed 3
    short=(--epochs 30)
fi
choose=(--val "$val")
[ -n "$val" ] || choose=(--val-fraction 0.2)

# ---- train ----

# The same command line begins a run, goes on with a stopped one and shows a finished one. A folder that holds a run
# of other settings or data is left alone.
mkdir -p runs
run=runs/quickstart
for ((i = 2; ; i++)); do
    say "Training into $run"
    status=0
    "$saferoute" train --train "$train" "${choose[@]}" --out "$run" --resume auto "${short[@]}" "${extra[@]}" || status=$?
    if [ "$status" -ne 2 ] || [ ! -e "$run" ]; then
        break
    fi
    run=runs/quickstart-$i
done
if [ "$status" -eq 75 ]; then
    die "stopped; this script started again goes on, as does: $saferoute train --resume $run" 75
elif [ "$status" -ne 0 ]; then
    die "training failed; the message is above" "$status"
fi

# ---- measure ----

measured=${test:-$val}
if [ -n "$measured" ]; then
    say "Measuring $run/best.safetensors on $measured"
    "$saferoute" eval --model "$run/best.safetensors" --data "$measured" --report "$run/report.html" --run "$run"
fi

say "What was made"
echo "$run/best.safetensors   the router; $run also holds settings, metrics, log and a checkpoint"
[ -z "$measured" ] || echo "$run/report.html        what was measured as a page for a browser, with a threshold to move"
[ ${#dumps[@]} -gt 0 ] || echo "runs/quickstart-data              synthetic dumps: right in shape, but no real guards behind them"
say "What next, in $PWD"
[ ${#dumps[@]} -gt 0 ] || echo "scripts/quickstart.sh train.h5 val.h5 test.h5        the same with your own feature dumps"
echo "$saferoute sweep --model $run/best.safetensors --data CALIBRATION.h5 --rule recall=0.8 --out router.safetensors"
echo "$saferoute eval --model router.safetensors --data TEST.h5"
echo "$saferoute infer --model router.safetensors --data D.h5 --out scores.csv"
echo "$saferoute help train"
