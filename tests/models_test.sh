#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The acceptance networks against their stored results. Exits with 77 (skipped) where the models are absent.
# Usage: models_test.sh VKINFER cpu|vulkan [FOLDER OF MODELS]
set -euo pipefail
vkinfer=$1
device=$2
source=$(cd "$(dirname "$0")/.." && pwd)
models=${3:-${VKI_SHARED:-$source/../shared}/models}
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

cases=(classification/squeezenet1_fp16 classification/mnist_cntk_op8 detection/nanodet_m_320 detection/ultraface_slim_320
    textdet/ppocrv4_det segmentation/deeplab_v3_257 superres/super_resolution_10 superres/waifu2x_upconv7_art
    audio/oww_embedding audio/dtln_1 audio/silero_v6_16k_static textrec/tesseract_eng_crnn landmark/yunet_n_320
    gan/style_candy_256)
failed=0
for case in "${cases[@]}"; do
    echo "$case:"
    "$vkinfer" verify "$models/$case/model.onnx" --data "$models/$case" "${options[@]}" || failed=$((failed + 1))
done

# The recognition network is not stored with its results: tools/dev fetches it for the demo.
recognition=$source/.cache/models/ppocrv4/rec.onnx
if [ -e "$recognition" ] && sha256sum "$recognition" | grep -q '^06b3e6af6c59a1ba'; then
    echo "textrec/ppocrv4_rec:"
    ln -sfn "$recognition" "${TMPDIR:-/tmp}/ppocrv4_rec-$$.onnx"
    trap 'rm -f "${TMPDIR:-/tmp}/ppocrv4_rec-$$.onnx"' EXIT
    "$vkinfer" verify "${TMPDIR:-/tmp}/ppocrv4_rec-$$.onnx" --data "$models/textrec/ppocrv4_rec" "${options[@]}" ||
        failed=$((failed + 1))
else
    echo "models_test: ppocrv4_rec skipped: run tools/dev demo first, which fetches it"
fi
[ "$failed" = 0 ] || {
    echo "models_test: $failed networks failed"
    exit 1
}
