#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# ONNX's own operator tests (Debian's libonnx-testdata). What does not pass must be exactly what onnx_exceptions.txt lists:
# neither more nor less. Mode gpu-only instead counts the models whose tensors are all float32 or float16: at least 95 % of
# them, and no fewer than LEAST, must run with every node on the GPU.
# Usage: onnx_suite_test.sh VKINFER cpu|vulkan
#        onnx_suite_test.sh VKINFER gpu-only LEAST
set -euo pipefail
vkinfer=$1
mode=$2
least=${3:-0}
exceptions=$(cd "$(dirname "$0")" && pwd)/onnx_exceptions.txt
suite=${ONNX_SUITE:-/usr/share/libonnx-testdata/data}
folders=(node simple pytorch-operator pytorch-converted)
if [ ! -d "$suite/node" ]; then
    echo "onnx_suite_test: skipped: the package libonnx-testdata is not installed"
    exit 77
fi
if [ "$mode" != cpu ] && ! "$vkinfer" devices | grep -q '^vulkan:0'; then
    echo "onnx_suite_test: skipped: no Vulkan device"
    exit 77
fi
options=(--constant-inputs --device "$mode")
[ "$mode" != gpu-only ] || options=(--device vulkan --gpu-only)

results=()
passed=0 floats=0 floats_passed=0
for folder in "${folders[@]}"; do
    out=$("$vkinfer" verify --suite "$suite/$folder" "${options[@]}") || true
    echo "$folder: $(tail -1 <<<"$out")"
    mapfile -t lines < <(sed -nE "s#^(PASS|SKIP|FAIL)  ([^ /]+).*#\1 $folder/\2#p" <<<"$out" | sort -u)
    [ ${#lines[@]} -gt 0 ] || { echo "onnx_suite_test: no case was run in $folder"; exit 1; }
    results+=("${lines[@]}")
    read -r of ok < <(sed -nE 's/^of ([0-9]+) models .* ([0-9]+) passed .*/\1 \2/p' <<<"$out")
    floats=$((floats + of)) floats_passed=$((floats_passed + ok))
done
for result in "${results[@]}"; do [[ $result != PASS* ]] || passed=$((passed + 1)); done
echo "$mode: $passed of ${#results[@]} cases passed; of $floats whose tensors are all float $floats_passed"

if [ "$mode" = gpu-only ]; then
    if [ "$floats_passed" -lt "$least" ] || [ $((floats_passed * 100)) -lt $((floats * 95)) ]; then
        echo "onnx_suite_test: at least $least and 95 % must pass"
        exit 1
    fi
    exit 0
fi

# Each line: which back ends, the verdict, a pattern of cases, the reason.
verdicts=() patterns=() used=()
while read -r where verdict pattern reason; do
    case $where in '' | '#'*) continue ;; esac
    [[ $where =~ ^(all|cpu|vulkan)$ && $verdict =~ ^(SKIP|FAIL)$ && -n $reason ]] ||
        { echo "onnx_exceptions.txt: a line is wrong: $where $verdict $pattern $reason"; exit 1; }
    [ "$where" = all ] || [ "$where" = "$mode" ] || continue
    verdicts+=("$verdict") patterns+=("$pattern") used+=(0)
done <"$exceptions"

wrong=0
complain() {
    echo "onnx_suite_test: $*"
    wrong=1
}
for result in "${results[@]}"; do
    verdict=${result%% *} name=${result#* } expected=PASS
    for i in "${!patterns[@]}"; do
        # shellcheck disable=SC2053 # a pattern
        [[ $name == ${patterns[i]} ]] || continue
        [ "$expected" = PASS ] || complain "$name is listed twice"
        expected=${verdicts[i]} used[i]=1
    done
    [ "$verdict" = "$expected" ] || complain "$name: $verdict, but $expected is expected"
done
for i in "${!patterns[@]}"; do
    [ "${used[i]}" = 1 ] || complain "${patterns[i]}: there is no such case"
done
exit $wrong
