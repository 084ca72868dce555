#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Fuzz the parsers: build the targets of tests/fuzz with clang's libFuzzer and run each for a while.
#
#   scripts/fuzz.sh [TARGET...] [--seconds N] [--jobs N] [--merge]
#
# TARGET: the NAME of tests/fuzz/fuzz_NAME.c; none: all. --seconds: of each target, in processor time: other work beside it
# only makes it longer (3600; 0: only --merge). --jobs: targets at a time (1). --merge: put into tests/fuzz/corpus/NAME what
# reaches code that the files there do not, the smallest first.
#
# Inputs of the run: build/fuzz/found/NAME, used again by the next one. What broke a target: build/fuzz/broken/NAME;
# build/fuzz/tests/fuzz/fuzz_NAME FILE runs it again, and a copy in tests/fuzz/corpus/NAME makes it a test. A crash whose
# innermost frames are in libhdf5 is counted apart: that library is not ours (see --isolate). Prints a table, a line as a
# target ends, and exits with 1 where something of ours broke.
set -euo pipefail
cd "$(dirname "$0")/.."

refuse() {
  echo "fuzz.sh: $1 (--help says more)" >&2
  exit 2
}

seconds=3600 jobs=1 merge=no targets=()
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help) sed -n '3,/^set -/s/^# \?//p' "$0"; exit 0 ;;
    --seconds | --jobs)
      [[ ${2:-} =~ ^[0-9]+$ ]] || refuse "$1 needs a number"
      [ "$1" = --seconds ] && seconds=$2 || jobs=$2
      shift ;;
    --merge) merge=yes ;;
    -*) refuse "unknown option $1" ;;
    *)
      [ -f "tests/fuzz/fuzz_${1#fuzz_}.c" ] || refuse "there is no tests/fuzz/fuzz_${1#fuzz_}.c"
      targets+=("${1#fuzz_}") ;;
  esac
  shift
done
build=build/fuzz found=build/fuzz/found broken=build/fuzz/broken
[ ${#targets[@]} -gt 0 ] || targets=($(ls tests/fuzz/fuzz_*.c | sed 's|.*/fuzz_||; s|\.c$||'))

cmake --preset fuzz -G Ninja ${FUZZ_CC:+-DCMAKE_C_COMPILER="$FUZZ_CC"} > /dev/null
ninja -C $build "${targets[@]/#/fuzz_}" > $build/build.log || { tail -40 $build/build.log; exit 1; }

export ASAN_OPTIONS=detect_leaks=1:quarantine_size_mb=16:allocator_may_return_null=1:handle_abort=1
export UBSAN_OPTIONS=print_stacktrace=1
if [ -d /dev/shm ]; then
  TMPDIR=$(mktemp -d /dev/shm/sr_fuzz.XXXXXX)
else
  TMPDIR=$(mktemp -d)
fi
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT

# The dictionary of a target: its own, or that of the format it reads.
dictionary() {
  case $1 in
    pt) name=zip ;;
    weights) name=safetensors ;;
    table) name=json ;;
    run) name=yaml ;;
    *) name=$1 ;;
  esac
  [ -f tests/fuzz/$name.dict ] && echo "-dict=tests/fuzz/$name.dict" || true
}

# The first frame of a crash's stack that is neither a sanitizer's nor the C library's.
innermost() {
  grep -E '^ *#[0-9]+ 0x' "$1" |
    grep -vE 'sanitizer|fuzzer|__interceptor|__asan|__ubsan|libc\.so|abort|raise| in ((m|c|re)alloc|free|str\w+|_*mem\w+) |sysdeps/' | head -1
}

# One target until its time is over, going on behind whatever it finds.
run() {
  local name=$1 log=$build/$1.log used=0 executions=0 ours=0 hdf5=0
  mkdir -p $found/$name $broken/$name
  : > "$log"
  while [ $used -lt $seconds ] && [ $ours -lt 100 ]; do
    if ! $build/tests/fuzz/fuzz_$name $found/$name tests/fuzz/corpus/$name $(ls -d tests/hostile 2> /dev/null) \
      $(dictionary $name) -max_total_time=$((seconds - used)) -max_len=16384 -timeout=30 -rss_limit_mb=1536 -malloc_limit_mb=1024 -print_final_stats=1 \
      -artifact_prefix=$broken/$name/ > $build/$name.part 2>&1; then
      if innermost $build/$name.part | grep -q libhdf5; then hdf5=$((hdf5 + 1)); else ours=$((ours + 1)); fi
      cp $build/$name.part "$broken/$name/$((ours + hdf5)).txt"
      # What broke it now and is one of found/ would break every start to come.
      sed -n "s|.*Test unit written to .*-|$found/$name/|p" $build/$name.part | xargs -r rm -f
    fi
    cat $build/$name.part >> "$log"
    executions=$((executions + $(sed -n 's/^stat::number_of_executed_units: *//p' $build/$name.part | tail -1 | grep . || echo 0)))
    times > $build/$name.times
    used=$(awk -F'[ms ]+' 'NR == 2 { printf "%d", $1 * 60 + $2 + $3 * 60 + $4 }' $build/$name.times)
  done
  report $name $used $executions $ours $hdf5
}

row='%-12s %8s %12s %8s %7s %9s %7s %7s %7s\n'

# A line of the table, as soon as a target's time is over.
report() {
  local name=$1 last
  last=$(grep -aE 'cov: [0-9]+ ft: ' $build/$name.log | tail -1 || true)
  field() { sed -nE "s|.* $1: ([0-9]+).*|\1|p" <<< "$last"; }
  printf "$row" $name $2 $3 $(($3 / ($2 > 0 ? $2 : 1))) "$(field cov)" "$(field ft)" "$(field corp)" $4 $5
  [ "$4" -eq 0 ] || echo "  $broken/$name; again by: $build/tests/fuzz/fuzz_$name FILE"
  echo $4 > $build/$name.ours
}

merge() {
  local name=$1
  mkdir -p $found/$name
  $build/tests/fuzz/fuzz_$name -merge=1 -use_counters=0 -max_len=2048 tests/fuzz/corpus/$name $found/$name \
    > $build/$name.merge 2>&1 || tail -3 $build/$name.merge
}

[ "$seconds" -eq 0 ] || printf "$row" target seconds executions exec/s edges features corpus crashes libhdf5
for name in "${targets[@]}"; do
  [ "$seconds" -gt 0 ] || break
  while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do wait -n || true; done
  run $name &
done
wait

status=0
for name in "${targets[@]}"; do
  [ "$seconds" -eq 0 ] || [ "$(cat $build/$name.ours)" -eq 0 ] || status=1
  [ $merge = no ] || merge $name
done
exit $status
