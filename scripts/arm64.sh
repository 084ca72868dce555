#!/usr/bin/env bash
# arm64.sh: libsaferoute for ARM64, built by a cross compiler, and its self-tests run under qemu's user emulation.
#
#   scripts/arm64.sh         build/test-arm64/libsaferoute.so and libsaferoute.a, and the self-tests on two CPUs
#   scripts/arm64.sh --root  only what the build links to: jansson for ARM64, in build/arm64-root
#
# One emulated CPU has the int8 dot product of ARMv8.2 (qemu's `max`), one has not (Cortex-A53, ARMv8.0). The self-tests hold
# every kernel to the bits that x86 gives. jansson comes from the distribution's ARM64 packages; apt reads their list into a
# folder of its own under build/, so that the system's own list and architectures stay what they are.
#
# Exit status: 0 all passed, 1 a build or test failed, 2 compiler, emulator or jansson are not to be had here.
#
# SPDX-License-Identifier: MIT
set -euo pipefail
cd "$(dirname "$0")/.."

root=build/arm64-root
dir=build/test-arm64

lacks() {
    echo "arm64.sh: $1" >&2
    exit 2
}

# The two packages of jansson, unpacked and not installed. apt checks their signatures as it always does.
make_root() {
    if [ -f "$root/usr/lib/aarch64-linux-gnu/pkgconfig/jansson.pc" ]; then return 0; fi
    command -v apt-get >/dev/null || lacks "no apt-get; unpack jansson for ARM64 (headers, library, .pc) into $root"
    local apt=$PWD/build/arm64-apt options package
    rm -rf "$root" "$root.new" "$apt"
    mkdir -p "$apt/state/lists/partial" "$apt/cache/archives/partial" "$apt/packages"
    : >"$apt/status"
    options=(-qq -o APT::Architecture=arm64 -o APT::Architectures::=arm64 -o Acquire::Languages=none
        -o "Dir::State=$apt/state" -o "Dir::State::status=$apt/status" -o "Dir::Cache=$apt/cache"
        -o "APT::Sandbox::User=$(id -un)")
    apt-get "${options[@]}" update || lacks "the list of ARM64 packages could not be read"
    (cd "$apt/packages" && apt-get "${options[@]}" download libjansson4 libjansson-dev) ||
        lacks "jansson for ARM64 could not be downloaded"
    for package in "$apt"/packages/*.deb; do dpkg-deb -x "$package" "$root.new"; done
    mv "$root.new" "$root"
    rm -rf "$apt"
}

# on CPU [CTEST OPTIONS]: the self-tests as on that CPU; what they print goes to build/test-arm64/CPU.log.
status=0
on() {
    local cpu=$1
    shift
    printf '\nCPU %s\n' "$cpu"
    QEMU_CPU=$cpu ctest --test-dir "$dir" --output-on-failure "$@" || status=1
    cp "$dir/Testing/Temporary/LastTest.log" "$dir/$cpu.log"
    if grep -F '[SKIP]' "$dir/$cpu.log"; then
        echo "FAILED: a self-test that this CPU must run was skipped"
        status=1
    fi
}

case ${1-} in
'' | --root) ;;
-h | --help) sed -n '2,14s/^# \{0,1\}//p' "$0" && exit 0 ;;
*) echo "arm64.sh: unknown option $1 (only --root)" >&2 && exit 2 ;;
esac
command -v aarch64-linux-gnu-gcc >/dev/null || lacks "no aarch64-linux-gnu-gcc (Debian: gcc-aarch64-linux-gnu)"
command -v qemu-aarch64 >/dev/null || lacks "no qemu-aarch64 (Debian: qemu-user)"
make_root
if [ "${1-}" = --root ]; then exit 0; fi

generator=()
if [ ! -f "$dir/CMakeCache.txt" ] && command -v ninja >/dev/null; then generator=(-G Ninja); fi
cmake -S . -B "$dir" "${generator[@]}" -DCMAKE_TOOLCHAIN_FILE="$PWD/scripts/arm64.cmake" -DSR_PROGRAM=OFF -DSR_TESTS=ON \
    -DSR_WERROR=ON -DCMAKE_BUILD_TYPE=Release >/dev/null
cmake --build "$dir" --parallel "$(nproc)"
on max
on cortex-a53 --exclude-regex dotprod
exit "$status"
