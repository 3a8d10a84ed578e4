#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs the build tree BUILD into a temporary folder and uses it as a stranger would: headers alone as C and C++, the
# example through pkg-config and through the CMake package (shared and static); checks symbols, dependencies and size.
# Usage: install_test.sh BUILD MODEL
set -euo pipefail
build=$(cd "$1" && pwd)
model=$(realpath "$2")
source=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cmake --install "$build" --prefix "$work/usr" >/dev/null
libdir=$(dirname "$(find "$work/usr" -name libvkinfer.so)")
fail() {
    echo "install_test: $*"
    exit 1
}

for header in "$work"/usr/include/vkinfer/*.h; do
    echo "#include \"$header\"" >"$work/alone.c"
    cc -std=c11 -Wall -Wextra -Wpedantic -Werror -I"$work/usr/include" -fsyntax-only "$work/alone.c"
    c++ -std=c++11 -Wall -Wextra -Werror -I"$work/usr/include" -fsyntax-only -x c++ "$work/alone.c"
done

foreign=$(nm -D --defined-only "$libdir/libvkinfer.so" | awk '{print $3}' | grep -vE '^vki_' || true)
[ -z "$foreign" ] || fail "the shared library exports more than the API: $foreign"
needed=$(readelf -d "$libdir/libvkinfer.so" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | grep -vE '^(libc|libm|libdl|libpthread|ld-linux.*)\.so' || true)
[ -z "$needed" ] || fail "the shared library needs more than libc and libm: $needed"
strip -o "$work/stripped.so" "$libdir/libvkinfer.so"
bytes=$(stat -c %s "$work/stripped.so")
echo "install_test: stripped shared library: $bytes bytes"
[ "$bytes" -le 1500000 ] || fail "the stripped shared library has $bytes bytes; 1500000 are allowed"

export PKG_CONFIG_PATH="$libdir/pkgconfig" LD_LIBRARY_PATH="$libdir"
# shellcheck disable=SC2046
cc -std=c11 -Wall -Wextra -Werror "$source/docs/example.c" -o "$work/example" $(pkg-config --cflags --libs vkinfer)
"$work/example" "$model"

cat >"$work/CMakeLists.txt" <<EOF
cmake_minimum_required(VERSION 3.22)
project(stranger C)
find_package(vkinfer REQUIRED)
add_executable(dynamic $source/docs/example.c)
target_link_libraries(dynamic PRIVATE vkinfer::vkinfer)
add_executable(static $source/docs/example.c)
target_link_libraries(static PRIVATE vkinfer::vkinfer_static)
EOF
cmake -S "$work" -B "$work/b" -DCMAKE_PREFIX_PATH="$work/usr" >/dev/null
cmake --build "$work/b" >/dev/null
[ "$("$work/b/dynamic" "$model")" = "$("$work/b/static" "$model")" ] || fail "shared and static library disagree"
echo "install_test: passed"
