/* SPDX-License-Identifier: Apache-2.0
 * Device limits as data: for tests of kernels, and for plans that are made without a device. */
#include "gpu/gpu.h"

#include <string.h>

/* What every Vulkan 1.1 device can do (Vulkan 1.1 specification, "Required Limits"). */
const gpu_limits gpu_limits_minimum = {
    .max_range = 1u << 27,
    .offset_align = 256,
    .max_invocations = 128,
    .max_group_size = {128, 128, 64},
    .max_groups = {65535, 65535, 65535},
    .max_shared = 16384,
    .max_texels = 65536,
    .subgroup = 0,
    .vendor = 0,
    .half_storage = false,
};

/* What drivers of phones and boards from about 2020 on report alike (Adreno 6xx to 8xx, Mali Valhall and
 * later, Jetson); what differs within a family is taken at its lowest. */
static const struct {
    const char *kind;
    gpu_limits limits;
} kinds[] = {
    {"adreno",
     {.max_range = 1u << 27,
      .offset_align = 64,
      .max_invocations = 1024,
      .max_group_size = {1024, 1024, 64},
      .max_groups = {65535, 65535, 65535},
      .max_shared = 32768,
      .max_texels = 65536,
      .subgroup = 64,
      .vendor = 0x5143,
      .half_storage = true}},
    {"mali",
     {.max_range = 1u << 27,
      .offset_align = 64,
      .max_invocations = 512,
      .max_group_size = {512, 512, 512},
      .max_groups = {65535, 65535, 65535},
      .max_shared = 32768,
      .max_texels = 65536,
      .subgroup = 16,
      .vendor = 0x13b5,
      .half_storage = true}},
    {"nvidia",
     {.max_range = 0xffffffffu,
      .offset_align = 64,
      .max_invocations = 1024,
      .max_group_size = {1024, 1024, 64},
      .max_groups = {2147483647u, 65535, 65535},
      .max_shared = 49152,
      .max_texels = 1u << 27,
      .subgroup = 32,
      .vendor = 0x10de,
      .half_storage = true}},
};

const gpu_limits *gpu_limits_of(const char *kind)
{
    if (!strcmp(kind, "minimum")) return &gpu_limits_minimum;
    for (size_t i = 0; i < VKB_COUNT(kinds); i++)
        if (!strcmp(kind, kinds[i].kind)) return &kinds[i].limits;
    return NULL;
}
