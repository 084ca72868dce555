#!/usr/bin/env bash
# packages.sh: the distribution packages that building and testing need; installs those that are missing.
#
#   scripts/packages.sh build          what the program needs
#   scripts/packages.sh build tests    and what its tests need
#   scripts/packages.sh build tests ci and what `scripts/test.sh --ci` needs besides
#
# Exit status: 0 everything is there, 2 something is missing and cannot be installed from here.
# On systems without apt it says what is missing, by purpose, and leaves the installing to you.
#
# SPDX-License-Identifier: MIT
set -euo pipefail

has_compiler() { command -v cc >/dev/null || command -v gcc >/dev/null || command -v clang >/dev/null; }
has_hdf5() { pkg-config --exists hdf5 || pkg-config --exists hdf5-serial || command -v h5cc >/dev/null; }
has_library() { command -v pkg-config >/dev/null && pkg-config --exists "$1"; }
has_clang_openmp() { compgen -G '/usr/lib/llvm-*/lib/libomp.so' >/dev/null; }
has_pthread_openblas() { compgen -G '/usr/lib/*/openblas-pthread/libopenblas.so.0' >/dev/null; }

# Prints "apt packages|purpose" for everything of a set that is not there. Several packages with "or": the first that
# the package list knows is taken.
missing() {
    case $1 in
    build)
        has_compiler || echo 'gcc libc6-dev|a C11 compiler (gcc or clang)'
        command -v cmake >/dev/null || echo 'cmake|CMake 3.20 or later'
        command -v ninja >/dev/null || command -v make >/dev/null || echo 'ninja-build|ninja or make'
        command -v pkg-config >/dev/null || echo 'pkg-config|pkg-config'
        has_library openblas || echo 'libopenblas-openmp-dev or libopenblas-dev|OpenBLAS, best the OpenMP flavour'
        has_hdf5 || echo 'libhdf5-dev|HDF5, serial'
        has_library jansson || echo 'libjansson-dev|jansson'
        has_library yaml-0.1 || echo 'libyaml-dev|libyaml'
        ;;
    tests)
        command -v gcc >/dev/null || echo 'gcc libc6-dev|gcc'
        has_library criterion || echo 'libcriterion-dev|Criterion 2.4'
        has_pthread_openblas || echo 'libopenblas0-pthread|the pthread flavour of OpenBLAS, to test under both'
        ;;
    ci)
        command -v clang >/dev/null || echo 'clang|clang, the second compiler'
        has_clang_openmp || echo 'libomp-dev|the OpenMP of clang'
        ;;
    esac
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        echo "packages.sh: not root and no sudo; run as root: $*" >&2
        return 2
    fi
}

# "a b or c": a b if the package list knows the first of them, else c.
choose() {
    local first=${1%% or *} second=${1#* or }
    if [ "$first" = "$second" ] || apt-cache show "${first%% *}" >/dev/null 2>&1; then
        echo "$first"
    else
        echo "$second"
    fi
}

main() {
    local lines=() packages=() set line
    [ $# -gt 0 ] || set -- build
    for set in "$@"; do
        if [[ ! $set =~ ^(build|tests|ci)$ ]]; then
            echo "packages.sh: unknown set '$set': build, tests or ci" >&2
            return 2
        fi
        mapfile -t -O "${#lines[@]}" lines < <(missing "$set")
    done
    if [ ${#lines[@]} -eq 0 ]; then
        return 0
    fi
    if ! command -v apt-get >/dev/null; then
        echo "These are missing; please install them with your system's package manager:" >&2
        printf '  %s\n' "${lines[@]#*|}" >&2
        return 2
    fi
    echo "Installing what is missing:"
    printf '  %s\n' "${lines[@]#*|}"
    as_root apt-get update -qq || echo "packages.sh: the package list could not be updated; trying with the old one" >&2
    for line in "${lines[@]}"; do
        read -r -a line <<<"$(choose "${line%%|*}")"
        packages+=("${line[@]}")
    done
    if ! as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}"; then
        echo "packages.sh: installing failed: ${packages[*]}" >&2
        return 2
    fi
}

main "$@"
