# arm64.cmake: CMake toolchain file that builds for ARM64 Linux with Debian's cross compiler; what is built runs
# under qemu's user emulation, so ctest works. scripts/arm64.sh, which uses it, puts jansson for ARM64 into
# build/arm64-root; SR_ARM64_ROOT names another such folder.
# SPDX-License-Identifier: MIT
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64 -L /usr/aarch64-linux-gnu)

if(NOT DEFINED SR_ARM64_ROOT)
  set(SR_ARM64_ROOT ${CMAKE_CURRENT_LIST_DIR}/../build/arm64-root)
endif()
get_filename_component(SR_ARM64_ROOT ${SR_ARM64_ROOT} ABSOLUTE)
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES SR_ARM64_ROOT)
set(CMAKE_FIND_ROOT_PATH ${SR_ARM64_ROOT} /usr/aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${SR_ARM64_ROOT})
set(ENV{PKG_CONFIG_LIBDIR} ${SR_ARM64_ROOT}/usr/lib/aarch64-linux-gnu/pkgconfig)
