#!/usr/bin/env bash
# packages.sh: the distribution packages that building, testing and running need; installs those that are missing.
#
#   scripts/packages.sh run            what the built program needs, where it was built elsewhere
#   scripts/packages.sh build          what building it needs
#   scripts/packages.sh build tests    and what its tests need
#   scripts/packages.sh build tests ci and what `scripts/test.sh --ci` needs besides
#
# Exit status: 0 everything is there, 2 something is missing and cannot be installed from here.
# On systems without apt it says what is missing, by purpose, and leaves the installing to you.
#
# SPDX-License-Identifier: MIT
set -euo pipefail

has_compiler() { command -v cc >/dev/null || command -v gcc >/dev/null || command -v clang >/dev/null; }
has_library() { command -v pkg-config >/dev/null && pkg-config --exists "$1"; }
has_hdf5() { has_library hdf5 || has_library hdf5-serial || command -v h5cc >/dev/null; }
has_shared() { { ldconfig -p || /sbin/ldconfig -p; } 2>/dev/null | grep -E "^\s*$1" >/dev/null; }
has_header() { echo "#include <$1>" | cc -E -x c - >/dev/null 2>&1; }
has_chart_js() { [ -f /usr/share/javascript/chart.js/chart.min.js ]; }
has_venv() { python3 -c 'import ensurepip, venv' 2>/dev/null; }
has_clang_openmp() { compgen -G '/usr/lib/llvm-*/lib/libomp.so' >/dev/null; }
has_clang_sanitizers() { echo 'int main(void) { return 0; }' | clang -fsanitize=address -x c - -o /dev/null 2>/dev/null; }
has_pthread_openblas() { compgen -G '/usr/lib/*/openblas-pthread/libopenblas.so.0' >/dev/null; }

# Prints "apt packages|purpose" for everything of a set that is not there. Several packages with "or": the first that
# the package list knows is taken.
missing() {
    case $1 in
    run)
        # The numbers are those of the library's interface and change with the release of the distribution.
        has_shared 'libopenblas\.so\.0' || echo 'libopenblas0-openmp or libopenblas0|OpenBLAS, best the OpenMP flavour'
        has_shared 'libhdf5_serial\.so|libhdf5\.so' ||
            echo 'libhdf5-103-1 or libhdf5-103-1t64 or libhdf5-103 or libhdf5-310|HDF5, serial'
        has_shared 'libjansson\.so\.4' || echo 'libjansson4|jansson'
        has_shared 'libyaml-0\.so\.2' || echo 'libyaml-0-2|libyaml'
        has_shared 'libprotobuf-c\.so\.1' || echo 'libprotobuf-c1|protobuf-c'
        has_shared 'libzip\.so' || echo 'libzip4 or libzip4t64 or libzip5|libzip'
        has_shared 'libdeflate\.so' || echo 'libdeflate0|libdeflate'
        has_shared 'libseccomp\.so\.2' || echo 'libseccomp2|libseccomp'
        has_shared 'libgomp\.so\.1' || echo 'libgomp1|the OpenMP of gcc'
        ;;
    build)
        has_compiler || echo 'gcc libc6-dev|a C11 compiler (gcc or clang)'
        command -v cmake >/dev/null || echo 'cmake|CMake 3.20 or later'
        command -v make >/dev/null || echo 'make|make, which plain cmake calls'
        command -v pkg-config >/dev/null || echo 'pkg-config|pkg-config'
        has_library openblas || echo 'libopenblas-openmp-dev or libopenblas-dev|OpenBLAS, best the OpenMP flavour'
        has_hdf5 || echo 'libhdf5-dev|HDF5, serial'
        has_library jansson || echo 'libjansson-dev|jansson'
        has_library yaml-0.1 || echo 'libyaml-dev|libyaml'
        has_library libprotobuf-c || echo 'libprotobuf-c-dev|protobuf-c'
        command -v protoc-c >/dev/null || echo 'protobuf-c-compiler|the compiler of protobuf-c'
        has_library libzip || echo 'libzip-dev|libzip, for the files of torch.save'
        has_library libdeflate || has_header libdeflate.h || echo 'libdeflate-dev|libdeflate, for compressed dumps'
        has_library libseccomp || echo 'libseccomp-dev|libseccomp, for --isolate'
        has_chart_js || echo 'libjs-chart.js|Chart.js 3, which the report page draws with (or cmake -DSR_CHART_JS=FILE)'
        ;;
    tests)
        command -v gcc >/dev/null || echo 'gcc libc6-dev|gcc'
        command -v g++ >/dev/null || echo 'g++|g++, which saferoute.h and exported C must compile with too'
        has_library criterion || echo 'libcriterion-dev|Criterion 2.4'
        [ -e /usr/share/i18n/locales/de_DE ] || echo 'locales|locales, to test where numbers have commas'
        has_pthread_openblas || echo 'libopenblas0-pthread|the pthread flavour of OpenBLAS, to test under both'
        ;;
    ci)
        command -v clang >/dev/null || echo 'clang|clang, the second compiler'
        has_clang_openmp || echo 'libomp-dev|the OpenMP of clang'
        has_clang_sanitizers || echo 'libclang-rt-dev|the sanitizers of clang'
        command -v aarch64-linux-gnu-gcc >/dev/null ||
            echo 'gcc-aarch64-linux-gnu libc6-dev-arm64-cross|a cross compiler for ARM64'
        command -v qemu-aarch64 >/dev/null || echo 'qemu-user|qemu-aarch64, to run what it builds'
        command -v clang-tidy >/dev/null || echo 'clang-tidy|clang-tidy, for scripts/analyse.sh'
        command -v cppcheck >/dev/null || echo 'cppcheck|cppcheck, for scripts/analyse.sh'
        command -v valgrind >/dev/null || echo 'valgrind|valgrind, for scripts/analyse.sh'
        command -v gcovr >/dev/null || echo 'gcovr|gcovr, for scripts/coverage.sh'
        has_venv || echo 'python3 python3-venv|Python 3.10 or later with venv, for tests/consumers'
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

# "a b or c or d": the first alternative whose first package the package list knows, else the last.
choose() {
    local names=() one
    mapfile -t names <<<"${1// or /$'\n'}"
    for one in "${names[@]}"; do
        if apt-cache show "${one%% *}" >/dev/null 2>&1; then break; fi
    done
    echo "$one"
}

main() {
    local lines=() packages=() set line
    [ $# -gt 0 ] || set -- build
    for set in "$@"; do
        if [[ ! $set =~ ^(run|build|tests|ci)$ ]]; then
            echo "packages.sh: unknown set '$set': run, build, tests or ci" >&2
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
