# SPDX-License-Identifier: Apache-2.0
# Cross build for 64-bit ARM Linux with Debian's compiler; its programs run under qemu (`tools/dev arm`). Libraries for the
# target are looked for below VKI_TARGET_ROOT.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES VKI_TARGET_ROOT)
set(CMAKE_FIND_ROOT_PATH ${VKI_TARGET_ROOT})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER) # glslang, protoc-c: the host's
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE BOTH) # headers that are the same everywhere may be the host's
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64)
