/* SPDX-License-Identifier: Apache-2.0
 * What every Vulkan 1.1 device can do (Vulkan 1.1 specification, "Required Limits"). */
#include "gpu/gpu.h"

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
