/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/format/vkm_layout.h"

#include <string.h>

#include "graph/format/vkm.h"

const char *const vkm_section_names[VKM_SECTIONS] = {"strings", "bodies", "symbols", "tensors",
                                                     "nodes",   "graph",  "meta",    "weights"};

const char *const vkm_act_names[GR_ACT_COUNT] = {
    [GR_ACT_NONE] = "none",
    [GR_ACT_RELU] = "relu",
    [GR_ACT_LEAKY] = "leaky_relu",
    [GR_ACT_CLIP] = "clip",
    [GR_ACT_SIGMOID] = "sigmoid",
    [GR_ACT_TANH] = "tanh",
    [GR_ACT_HARDSIGMOID] = "hard_sigmoid",
    [GR_ACT_HARDSWISH] = "hard_swish",
    [GR_ACT_SILU] = "silu",
    [GR_ACT_HARDSWISH_AFFINE] = "hard_swish_affine",
    [GR_ACT_FAKE_QUANTIZE] = "fake_quantize",
};

uint64_t vkm_head_checksum(const uint8_t *file)
{
    uint8_t head[VKM_HEAD_END];
    memcpy(head, file, sizeof head);
    memset(head + VKM_CHECKSUM_AT, 0, 8);
    return vkb_hash(head, sizeof head, VKM_VERSION);
}

bool vkm_is(const void *bytes, size_t n)
{
    return n >= VKM_MAGIC_BYTES && !memcmp(bytes, VKM_MAGIC, VKM_MAGIC_BYTES);
}
