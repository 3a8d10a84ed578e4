#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The acceptance networks against their stored results, or only the small ones (for emulators). Exits with 77 (skipped) where
# the models are absent.
# Usage: models_test.sh VKINFER cpu|vulkan all|small
set -euo pipefail
vkinfer=$1
device=$2
source=$(cd "$(dirname "$0")/.." && pwd)
models=${VKI_SHARED:-$source/../shared}/models
if [ ! -d "$models" ]; then
    echo "models_test: skipped: the folder of models is absent (set VKI_SHARED to the folder that holds models/)"
    exit 77
fi
options=(--device "$device" --precision fp32 --tolerances "$source/tests/models/tolerances.txt")
if [ "$device" = vulkan ]; then
    "$vkinfer" devices | grep -q '^vulkan:0' || {
        echo "models_test: skipped: no Vulkan device"
        exit 77
    }
    options+=(--gpu-only)
fi

# A network that is skipped (an operator is missing, or has no GPU kernel) has failed here.
failed=0
check() { # MODEL DATA
    local out
    echo "${2#"$models"/}:"
    out=$("$vkinfer" verify "$1" --data "$2" "${options[@]}") || true
    echo "$out"
    grep -qE '^[1-9][0-9]* passed, 0 failed, 0 skipped$' <<<"$out" || failed=$((failed + 1))
}

cases=(classification/squeezenet1_fp16 classification/mnist_cntk_op8 detection/nanodet_m_320 detection/ultraface_slim_320
    textdet/ppocrv4_det segmentation/deeplab_v3_257 superres/super_resolution_10 superres/waifu2x_upconv7_art
    audio/oww_embedding audio/dtln_1 audio/silero_v6_16k_static audio/gtcrn_simple textrec/tesseract_eng_crnn
    landmark/yunet_n_320 gan/style_candy_256 gan/tbefn_180x320)
# these have nodes that only the CPU takes
[ "$device" = vulkan ] || cases+=(bytes/magika_v3_3 transformer/bert_tiny_synthetic_op13)
[ "$3" = all ] || cases=(classification/mnist_cntk_op8 detection/ultraface_slim_320 audio/dtln_1 audio/silero_v6_16k_static
    audio/gtcrn_simple textrec/tesseract_eng_crnn landmark/yunet_n_320)
for case in "${cases[@]}"; do check "$models/$case/model.onnx" "$models/$case"; done

# The recognition network is not stored with its results: tools/dev fetches it for the demo.
recognition=$source/.cache/models/ppocrv4/rec.onnx
if [ "$3" = small ]; then
    echo "textrec/ppocrv4_rec: left out"
elif [ -e "$recognition" ] && sha256sum "$recognition" | grep -q '^06b3e6af6c59a1ba'; then
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    ln -s "$recognition" "$work/ppocrv4_rec.onnx" # the name finds its tolerance
    check "$work/ppocrv4_rec.onnx" "$models/textrec/ppocrv4_rec"
else
    echo "textrec/ppocrv4_rec: skipped: run tools/dev demo first, which fetches it"
fi

# These have nodes that only the CPU takes: without --gpu-only, the last option.
[ "$device" = cpu ] || unset 'options[-1]'
for case in int8/mnist_convinteger int8/ultraface_slim_320_qdq_perchannel; do
    check "$models/$case/model.onnx" "$models/$case"
done

[ "$failed" = 0 ] || {
    echo "models_test: $failed networks failed"
    exit 1
}
