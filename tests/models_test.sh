#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The acceptance networks against their stored results. Exits with 77 (skipped) where the models are absent.
# Usage: models_test.sh VKINFER cpu|vulkan all|small|half|passes
set -euo pipefail
vkinfer=$1
device=$2
what=$3
source=$(cd "$(dirname "$0")/.." && pwd)
models=${VKI_SHARED:-$source/../shared}/models
if [ ! -d "$models" ]; then
    echo "models_test: skipped: the folder of models is absent (set VKI_SHARED to the folder that holds models/)"
    exit 77
fi
gpu_only=()
options=(--device "$device" --precision fp32 --tolerances "$source/tests/models/tolerances.txt")
if [ "$device" = vulkan ]; then
    "$vkinfer" devices | grep -q '^vulkan:0' || {
        echo "models_test: skipped: no Vulkan device"
        exit 77
    }
    gpu_only=(--gpu-only)
fi

# A network that is skipped (an operator is missing, or has no GPU kernel) has failed here.
failed=0
check() { # MODEL DATA
    local out
    echo "${2#"$models"/}:"
    out=$("$vkinfer" verify "$1" --data "$2" "${gpu_only[@]}" "${options[@]}") || true
    echo "$out"
    grep -qE '^[1-9][0-9]* passed, 0 failed, 0 skipped$' <<<"$out" || failed=$((failed + 1))
}

check_stored() { # CASE...
    local case
    for case in "$@"; do check "$models/$case/model.onnx" "$models/$case"; done
}

# Dispatches a run, pipelines, and activations against their lower bound, where tiles are those of the table's row for
# lavapipe.
ceiling() { # MODEL DISPATCHES OPTION...
    local model=$1 most=$2 plan
    shift 2
    plan=$("$vkinfer" info "$models/$model/model.onnx" --plan --device "$device" --precision fp32 "$@" |
        sed -nE 's/^.* ([0-9]+) dispatches, .* ([0-9]+) pipelines.*/\1 \2/p' | tail -1)
    read -r dispatches pipelines <<<"$plan"
    echo "$model: $dispatches dispatches (at most $most), $pipelines pipelines (at most 40)"
    [ "$dispatches" -le "$most" ] && [ "$pipelines" -le 40 ] || failed=$((failed + 1))
}

check_ceilings() {
    local model most shapes
    [ "$device" = vulkan ] && "$vkinfer" devices | grep '^vulkan:0' | grep -q llvmpipe || return 0
    while read -r model most shapes; do
        # shellcheck disable=SC2086 # several words
        ceiling "$model" "$most" $shapes
    done < <(grep -v '^#' "$source/tests/models/ceilings.txt")
}

# The recognition network is not stored with its results: tools/dev fetches it for the demo.
check_recognition() {
    local recognition=$source/.cache/models/ppocrv4/rec.onnx work
    if [ ! -e "$recognition" ] || ! sha256sum "$recognition" | grep -q '^06b3e6af6c59a1ba'; then
        echo "textrec/ppocrv4_rec: skipped: run tools/dev demo first, which fetches it"
        return
    fi
    work=$(mktemp -d)
    ln -s "$recognition" "$work/ppocrv4_rec.onnx" # the name finds its tolerance
    check "$work/ppocrv4_rec.onnx" "$models/textrec/ppocrv4_rec"
    rm -rf "$work"
}

all_stored=(classification/{squeezenet1_fp16,mnist_cntk_op8} detection/{nanodet_m_320,ultraface_slim_320}
    textdet/ppocrv4_det segmentation/deeplab_v3_257 superres/{super_resolution_10,waifu2x_upconv7_art}
    audio/{oww_embedding,dtln_1,silero_v6_16k_static,silero_v6_if,gtcrn_simple} textrec/tesseract_eng_crnn
    landmark/yunet_n_320 gan/{style_candy_256,tbefn_180x320} bytes/magika_v3_3
    transformer/bert_tiny_synthetic_op13 int8/{mnist_convinteger,ultraface_slim_320_qdq_perchannel})

check_all() {
    check_stored "${all_stored[@]}"
    # the same network, widened to fp32 before it ran
    check "$models/classification/squeezenet1_fp16/model.onnx" "$models/classification/squeezenet1_fp32"
    check_recognition
    check_ceilings
}

# On an emulator all would take too long. Among these are depthwise and Winograd convolutions, recurrent layers, weights in fp16,
# and products of bytes.
check_small() {
    check_stored classification/{mnist_cntk_op8,squeezenet1_fp16} detection/ultraface_slim_320 \
        audio/{dtln_1,silero_v6_16k_static,gtcrn_simple} textrec/tesseract_eng_crnn landmark/yunet_n_320 \
        transformer/bert_tiny_synthetic_op13 int8/{mnist_convinteger,ultraface_slim_320_qdq_perchannel}
}

# In fp16 arithmetic, on a CPU that has it: within 2e-2, what `verify` takes for it.
check_half() {
    options=(--device "$device" --precision fp16)
    check_stored detection/ultraface_slim_320 textrec/tesseract_eng_crnn transformer/bert_tiny_synthetic_op13 audio/oww_embedding
}

# Without each of the graph passes, and without any: a pass makes networks faster, never right. Where a plan is the same without
# the pass, it is not run once more.
check_passes() {
    gpu_only=() # what constant folding leaves is the CPU's
    options+=(--each-pass)
    check_stored "${all_stored[@]}"
}

"check_$what"
[ "$failed" = 0 ] || {
    echo "models_test: $failed networks failed"
    exit 1
}
