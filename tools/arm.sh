# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Part of tools/dev: the library and its CPU kernels built for 64-bit ARM and tested under qemu, as three cores that differ in
# what they can: a table that picks a kernel the core has no instructions for ends in SIGILL.

arm_packages=(gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user)
arm_libraries=(libcmocka0 libcmocka-dev libprotobuf-c1 libprotobuf-c-dev libcjson1 libcjson-dev libstb0 libstb-dev
    libxxhash-dev)
arm_cores=(cortex-a53 cortex-a76 max) # neither dotprod nor fp16; both; everything qemu knows
arm_tables=(neon neon-dotprod neon-i8mm) # of kernels that these must choose
arm_models=(small 'small|half' small)     # of networks: half is fp16 arithmetic
arm_root=.cache/arm64/root

# The libraries for ARM lie in a folder of their own, from an apt with its own lists: the system learns of no second
# architecture.
get_arm_libraries() {
    local state=.cache/arm64/apt package
    [ ! -e "$arm_root/complete" ] || return 0
    say "Getting libraries for ARM"
    rm -rf "$state" "$arm_root"
    mkdir -p "$state/lists/partial" "$state/archives/partial" "$arm_root"
    : >"$state/status"
    local apt=(apt-get -qq -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o "Dir::State=$PWD/$state"
        -o "Dir::State::status=$PWD/$state/status" -o "Dir::Cache=$PWD/$state" -o APT::Sandbox::User=)
    "${apt[@]}" update >"$state/log" 2>&1 || true # some of the machine's sources may have nothing for ARM
    (cd "$state" && "${apt[@]}" download "${arm_libraries[@]}") >>"$state/log" 2>&1 || return 1
    for package in "$state"/*.deb; do dpkg-deb --extract "$package" "$arm_root"; done
    rm -rf "$state"
    touch "$arm_root/complete"
}

build_arm() {
    local targets=(cpu_kernels_test cpu_fast_test half_test ops_test threads_test vkinfer_tool)
    build build/arm -DCMAKE_TOOLCHAIN_FILE="$PWD/cmake/aarch64-linux-gnu.cmake" -DVKI_TARGET_ROOT="$PWD/$arm_root" \
        -DCMAKE_BUILD_TYPE=Release -DVKI_VULKAN=OFF -DVKI_WERROR=ON
}

arm_tests() {
    install_packages "${arm_packages[@]}"
    get_arm_libraries || {
        echo "The tests for ARM are skipped: this system's package sources have no libraries for arm64."
        return 0
    }
    build_arm
    export QEMU_LD_PREFIX=/usr/aarch64-linux-gnu
    export QEMU_SET_ENV="LD_LIBRARY_PATH=$PWD/$arm_root/usr/lib/aarch64-linux-gnu"
    local i
    for i in "${!arm_cores[@]}"; do
        QEMU_CPU=${arm_cores[i]} VKI_TEST_TABLE=${arm_tables[i]} ctest_stage "arm-${arm_cores[i]}" build/arm --parallel 2 \
            --tests-regex "^(cpu_kernels|cpu_fast|half|ops|threads)_test\$|^models_(${arm_models[i]})\$"
    done
    unset QEMU_LD_PREFIX QEMU_SET_ENV
}
