#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# ONNX's own operator tests (Debian's libonnx-testdata). Cases of operators that this version does not have are skipped by
# verify; the failures must be exactly those of onnx_exceptions.txt, and no fewer cases may pass than did.
# Usage: onnx_suite_test.sh VKINFER cpu|vulkan LEAST_PASSED
set -euo pipefail
vkinfer=$1
device=$2
least=$3
source=$(cd "$(dirname "$0")" && pwd)
suite=/usr/share/libonnx-testdata/data/node
if [ ! -d "$suite" ]; then
    echo "onnx_suite_test: skipped: the package libonnx-testdata is not installed"
    exit 77
fi
if [ "$device" = vulkan ] && ! "$vkinfer" devices | grep -q '^vulkan:0'; then
    echo "onnx_suite_test: skipped: no Vulkan device"
    exit 77
fi
out=$("$vkinfer" verify --suite "$suite" --constant-inputs --device "$device") || true
tail -1 <<<"$out"
expected=$(grep -v '^#' "$source/onnx_exceptions.txt" | cut -d' ' -f1 | sort)
failed=$(sed -n 's/^FAIL  *\([^ ]*\).*/\1/p' <<<"$out" | cut -d/ -f1 | sort -u)
if [ "$failed" != "$expected" ]; then
    echo "onnx_suite_test: the failures differ from onnx_exceptions.txt (< expected, > failed now):"
    diff <(echo "$expected") <(echo "$failed") || true
    grep '^FAIL' <<<"$out"
    exit 1
fi
passed=$(tail -1 <<<"$out" | cut -d' ' -f1)
if [ "$passed" -lt "$least" ]; then
    echo "onnx_suite_test: $passed cases passed, $least did before"
    exit 1
fi
