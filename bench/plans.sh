#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What plans cost: dispatches, barriers, pipelines and memory of the stored networks, beside what they may be at most; and how
# long another plan takes. Runs no network.
# Usage: bench/plans.sh BUILD [DEVICE [MODEL.onnx...]]
#   BUILD   a build directory with tests (tools/dev test makes build/test)
#   DEVICE  vulkan, or plan:mali and the like, which need no driver (vulkan)
#   MODEL   others to list too, of fixed sizes: mobilenet_v2.onnx, resnet50.onnx
set -euo pipefail
[ $# -ge 1 ] || {
    sed -n 's/^# \{0,1\}//; 3,9p' "$0" >&2
    exit 2
}
build=$1
device=${2:-vulkan}
shift $(($# < 2 ? $# : 2))
source=$(cd "$(dirname "$0")/.." && pwd)
models=${VKI_SHARED:-$source/../shared}/models

# "NODES DISPATCHES BARRIERS PIPELINES ACTIVATIONS BOUND ESTIMATE" from the last lines of a plan.
numbers() { # MODEL OPTION...
    "$build/vkinfer" info "$@" --plan --device "$device" --precision fp32 | awk '
        / submits, / { nodes = $1; dispatches = $7; barriers = $9; pipelines = $11 }
        /^memory: / { for (i = 1; i < NF; i++) { if ($i == "activations") bytes = $(i + 1); if ($i == "bound") bound = $(i + 1) } }
        /estimated/ { for (i = 1; i < NF; i++) if ($i == "estimated") estimate = $(i + 1) }
        END { if (!nodes) exit; sub(/,/, "", bound); print nodes, dispatches, barriers, pipelines, bytes, bound, estimate }'
}

row() { # NAME MOST MODEL OPTION...
    local name=$1 most=$2
    shift 2
    [ "$device" = vulkan ] || most=- # lavapipe's
    echo "$name $most $(numbers "$@")"
}

rows() {
    local name most shapes model
    # shellcheck disable=SC2086 # several words
    [ ! -d "$models" ] || grep -v '^#' "$source/tests/models/ceilings.txt" | while read -r name most shapes; do
        row "$name" "$most" "$models/$name/model.onnx" $shapes
    done
    for model in "$@"; do row "$(basename "$model" .onnx)" - "$model"; done
}

[ -d "$models" ] || echo "the folder of models is absent (set VKI_SHARED to the folder that holds models/)" >&2
rows "$@" | awk '
    BEGIN { printf "%-42s %6s %6s %6s %6s %6s %9s %6s %9s\n", "network", "nodes", "disp.", "most", "barr.", "pipel.", "arena MB",
        "ratio", "est. ms" }
    NF < 9 { printf "%-42s has no plan, see above\n", $1; failed++; next }
    { ratio = $8 > 0 ? $7 / $8 : 1
      printf "%-42s %6d %6d %6s %6d %6d %9.3f %6.3f %9.3f\n", $1, $3, $4, $2, $5, $6, $7 / 1e6, ratio, $9
      n++; sum += ratio; if (ratio > worst) worst = ratio; if ($6 > most) most = $6; if ($2 != "-" && $4 > $2) over++ }
    END { if (n) printf "%d networks: arena over its lower bound %.4f on average, %.4f at most; %d pipelines at most; %d over their dispatches\n",
        n, sum / n, worst, most, over
        exit failed > 0 }'
for name in ceilings replan; do
    [ -x "$build/tests/${name}_test" ] || continue
    echo "${name}_test:"
    (cd "$source" && "$build/tests/${name}_test" 2>&1) | grep -E ' dispatches, | ms a reshape' || true
done
