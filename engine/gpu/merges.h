/* SPDX-License-Identifier: Apache-2.0
 * What the files of merged kernels are written with. */
#ifndef GPU_MERGES_H
#define GPU_MERGES_H

#include "gpu/gpu.h"

typedef struct gpu_merger {
    gpu_builder *b;
    gr_uses uses;
    gpu_kernel_of kernel_of;
    const void *user;
} gpu_merger;

/* The node is on the device and not merged yet. */
bool gpu_merge_is_free(const gpu_merger *m, gr_id node);
/* The node that makes t, if it is of the kind, on the device and not merged yet; else GR_NONE. */
gr_id gpu_merge_maker(const gpu_merger *m, gr_id t, op_kind op);
/* The one node that reads t, if t is no output, and the node is of the kind, on the device and not merged
 * yet. */
gr_id gpu_merge_reader(const gpu_merger *m, gr_id t, op_kind op);

/* Try to make the node the last of a group. */
void gpu_merge_separable(gpu_merger *m, gr_id node); /* separable.c */
void gpu_merge_shuffle(gpu_merger *m, gr_id node);   /* shuffle.c */
void gpu_merge_squeeze(gpu_merger *m, gr_id node);   /* squeeze.c */
void gpu_merge_gate(gpu_merger *m, gr_id node);      /* conv2d.c */
void gpu_merge_chain(gpu_merger *m, gr_id node);     /* chain.c; from the last node to the first */

#endif
