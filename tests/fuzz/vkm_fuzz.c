/* SPDX-License-Identifier: Apache-2.0
 * libFuzzer target: .vkm files. Their checksums are made right first, since a fuzzer cannot guess them and
 * what is tested are the checks behind them. What the reader lets through goes on to shapes and passes. */
#include <string.h>

#include "cpu/cpu.h"
#include "graph/format/vkm.h"
#include "graph/format/vkm_layout.h"
#include "graph/passes/pass.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t load(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static void store(uint8_t *p, uint64_t v)
{
    memcpy(p, &v, sizeof v);
}

static void forge(uint8_t *file, uint64_t size)
{
    if (size < VKM_HEAD_END) return;
    for (uint64_t s = 0; s < VKM_SECTIONS; s++) {
        uint8_t *row = file + VKM_HEADER_BYTES + s * VKM_ROW_BYTES;
        uint64_t at = load(row + 8), bytes = load(row + 16);
        if (at <= size && bytes <= size - at) store(row + 24, vkb_hash(file + at, (size_t)bytes, s));
    }
    store(file + 16, size);
    store(file + VKM_CHECKSUM_AT, vkm_head_checksum(file));
}

/* Folding runs kernels; larger ones than this would only cost the fuzzer time. */
static bool small(const gr_graph *g, const gr_node *n)
{
    op_cost cost;
    op_cost_of(g, n, &cost);
    return cost.macs < 1 << 20 && cost.bytes < 1 << 22;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const gr_evaluator evaluator = {cpu_evaluate, small, cpu_evaluate_dims};
    gr_graph g;
    vki_error err;
    uint8_t *file = vkb_alloc(&vkb_libc_allocator, size);
    if (!file) return 0;
    if (size) memcpy(file, data, size);
    forge(file, size);
    if (vkm_read(&g, &vkb_libc_allocator, file, size, &err) == VKI_OK) {
        if (gr_check(&g, &err) != VKI_OK) __builtin_trap();
        if (gr_infer(&g, &err) == VKI_OK &&
            gr_optimize(&g, &(gr_pass_options){.evaluator = &evaluator}, &err) == VKI_OK &&
            gr_check(&g, &err) != VKI_OK)
            __builtin_trap(); /* a pass broke the graph */
    }
    gr_free(&g);
    vkb_free(&vkb_libc_allocator, file);
    return 0;
}
