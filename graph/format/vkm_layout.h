/* SPDX-License-Identifier: Apache-2.0
 * The layout of a .vkm file. All numbers are little-endian; strings are referred to by their index.
 *
 *   header    64 bytes: magic[8], u32 version, u32 sections, u64 file bytes, u64 checksum of header and table
 *             (its own place taken as zero), zeros
 *   table     a row of 32 bytes a section: u32 kind, u32 0, u64 offset, u64 bytes, u64 checksum
 *   sections  in the order of vkm_section, each at a multiple of 64:
 *   strings   u32 count, u32 length[count], then the characters, each string followed by a zero
 *   bodies    u32 count of the graphs that nodes run, then for each the u32 number of the graph it belongs
 * to: 0 is the network, 1 the first body; a graph's bodies are numbered in this order symbols, tensors,
 * nodes, graph: what follows for the network, then for each body symbols   u32 count, u32 string[count]:
 * names of symbolic dimensions tensors   u32 count, u32 0, then records of VKM_TENSOR_BYTES: u32 name, u32
 * dtype, i32 rank, u32 storage, i64 dims[8] (-1: unknown, -2 - i: symbol i, unused: 0), u64 offset and u64
 * bytes of the data in the section of weights nodes     u32 count, then for each: u32 operator, u32 name, u32
 * fused, u32 activation (strings), u32 residual, f32 alpha, f32 beta, u32 n_in, u32 n_out, u32 n_attrs, i32
 * in[], i32 out[] (-1: absent), then for each attribute u32 name, u32 type and: INT i64; FLOAT f32; INTS u32
 * count, i64 values[]; ENUM u32 string; FLOATS u32 count, f32 values[]; ENUMS u32 count, u32 strings[] graph
 * u32 n_inputs, i32 tensor[], u32 n_outputs, i32 tensor[] meta      u32 count, then u32 key, u32 value
 * (strings) weights   the constants, each at a multiple of 64; bodies share those of the graphs around them
 *
 * Operators, attributes and activations go by name, so that a file outlives their numbering. The checksum of
 * a section is vkb_hash(bytes, kind). */
#ifndef GRAPH_FORMAT_VKM_LAYOUT_H
#define GRAPH_FORMAT_VKM_LAYOUT_H

#include "graph/graph.h"

#define VKM_MAGIC "\x89VKM\r\n\x1a\n"
enum {
    VKM_VERSION = 2,
    VKM_MAGIC_BYTES = 8,
    VKM_HEADER_BYTES = 64,
    VKM_CHECKSUM_AT = 24,
    VKM_ROW_BYTES = 32,
    VKM_TENSOR_BYTES = 96,
    VKM_ALIGN = 64,
    VKM_MAX_LIST = 4096, /* symbols, metadata: they are looked up one by one */
    VKM_MAX_BODIES = 4096
};

typedef enum vkm_section {
    VKM_STRINGS = 0,
    VKM_BODIES,
    VKM_SYMBOLS,
    VKM_TENSORS,
    VKM_NODES,
    VKM_GRAPH,
    VKM_META,
    VKM_WEIGHTS,
    VKM_SECTIONS
} vkm_section;

typedef enum vkm_storage { VKM_NO_DATA = 0, VKM_RAW, VKM_HALF, VKM_STORAGES } vkm_storage;

enum { VKM_HEAD_END = VKM_HEADER_BYTES + VKM_SECTIONS * VKM_ROW_BYTES };

extern const char *const vkm_section_names[VKM_SECTIONS];
extern const char *const vkm_act_names[GR_ACT_COUNT];
/* Of the header and the section table, with the checksum's own place taken as zero. */
uint64_t vkm_head_checksum(const uint8_t *file);

#endif
