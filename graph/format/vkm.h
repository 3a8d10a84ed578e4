/* SPDX-License-Identifier: Apache-2.0
 * The .vkm file. All of it is untrusted when read: every count, offset and size is checked before use. */
#ifndef GRAPH_FORMAT_VKM_H
#define GRAPH_FORMAT_VKM_H

#include "graph/graph.h"

bool vkm_is(const void *bytes, size_t n); /* by magic number */
/* The graph's constants point into `bytes` (64-byte aligned), which must outlive it. fp16 weights of an fp32
 * tensor are widened into the arena. VKI_E_FORMAT names the section. On failure g is empty. */
vki_status vkm_read(gr_graph *g, const vki_allocator *a, const void *bytes, size_t n, vki_error *err);
typedef struct vkm_write_options {
    bool half_weights; /* store fp32 constants of 256 elements or more as fp16, where they fit its range */
} vkm_write_options;
vki_status vkm_write(const gr_graph *g, const char *path, const vkm_write_options *options, vki_error *err);

#endif
