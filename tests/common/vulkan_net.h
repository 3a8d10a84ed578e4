/* SPDX-License-Identifier: Apache-2.0
 * A small network for tests of the Vulkan runtime, made of layout conversions so that it needs no operator:
 * x -> slices -> rows (y) in one segment, a constant's slices -> rows (z) in another. */
#ifndef TESTS_VULKAN_NET_H
#define TESTS_VULKAN_NET_H

#include "vulkan/vkr.h"

/* Reads slices and writes rows, so that the builder converts its input first. */
extern const gpu_kernel net_row_from_c4;

enum { NET_COUNT = 2 * 6 * 35 };

typedef struct net {
    gr_graph g;
    gpu_builder b;
    gpu_program p;
    vkr_transfer up, down[2];
    vkr_segment segments[2];
    vkr_plan_desc desc;
    float weights[NET_COUNT];
} net;

vki_status net_make(net *t, const gpu_limits *limits, const vki_allocator *a, bool profile);
void net_free(net *t);
/* Writes x, runs both segments and compares. VKI_E_INTERNAL: a wrong result. */
vki_status net_run(const net *t, vkr_plan *plan, float start, vki_error *err);
/* count values that fp16 holds exactly */
void net_fill(float *v, int64_t count, float start);

#endif
