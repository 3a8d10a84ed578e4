/* SPDX-License-Identifier: Apache-2.0
 * The .vkm format: round trips, and files that were cut, flipped or forged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/counting.h"
#include "common/net.h"
#include "common/small_models.h"
#include "graph/format/vkm.h"
#include "graph/format/vkm_layout.h"

/* ---- files in memory ---- */

typedef struct image {
    uint8_t
        *data; /* 64-byte aligned, of exactly `size` bytes, so that a sanitizer sees what is read beyond */
    size_t size;
} image;

static image copy_image(const void *data, size_t size)
{
    image copy = {vkb_alloc(&vkb_libc_allocator, size), size};
    assert_non_null(copy.data);
    if (size) memcpy(copy.data, data, size);
    return copy;
}

static void free_image(image *file)
{
    vkb_free(&vkb_libc_allocator, file->data);
    file->data = NULL;
}

static image written(const gr_graph *g, const vkm_write_options *options)
{
    char path[] = "/tmp/vkm_test-XXXXXX";
    vki_error err;
    vkb_file file;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    if (vkm_write(g, path, options, &err) != VKI_OK) fail_msg("vkm_write: %s", err.text);
    assert_int_equal(vkb_file_map(&file, path, NULL), VKI_OK);
    image copy = copy_image(file.data, file.bytes);
    vkb_file_unmap(&file);
    unlink(path);
    return copy;
}

static vki_status read_image(gr_graph *g, const image *file, vki_error *err)
{
    return vkm_read(g, &vkb_libc_allocator, file->data, file->size, err);
}

static uint64_t get(const uint8_t *p, int bytes)
{
    uint64_t v = 0;
    for (int i = 0; i < bytes; i++) v |= (uint64_t)p[i] << 8 * i;
    return v;
}

static void put(uint8_t *p, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++) p[i] = (uint8_t)(v >> 8 * i);
}

static uint8_t *row_of(const image *file, vkm_section s)
{
    return file->data + VKM_HEADER_BYTES + (int)s * VKM_ROW_BYTES;
}

static uint8_t *section_of(const image *file, vkm_section s, uint64_t *bytes)
{
    *bytes = get(row_of(file, s) + 16, 8);
    return file->data + get(row_of(file, s) + 8, 8);
}

/* Makes all checksums right again, so that what is tested are the checks behind them. */
static void forge(image *file)
{
    if (file->size < VKM_HEAD_END) return;
    for (int s = 0; s < VKM_SECTIONS; s++) {
        uint8_t *row = row_of(file, (vkm_section)s);
        uint64_t at = get(row + 8, 8), bytes = get(row + 16, 8);
        if (at <= file->size && bytes <= file->size - at)
            put(row + 24, vkb_hash(file->data + at, (size_t)bytes, (uint64_t)s), 8);
    }
    put(file->data + 16, file->size, 8);
    put(file->data + VKM_CHECKSUM_AT, vkm_head_checksum(file->data), 8);
}

/* ---- graphs ---- */

static uint32_t random_u32(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*seed >> 33);
}

static double within(const op_attr *a, uint64_t *seed)
{
    double low = a->low < -1e6 ? -1e6 : a->low, high = a->high > 1e6 ? 1e6 : a->high;
    return low + (double)(random_u32(seed) % 1000) / 1000 * (high - low);
}

static int64_t any_name(const op_attr *a, uint64_t *seed)
{
    int names = 1;
    for (const char *p = a->names; *p; p++) names += *p == ',';
    return random_u32(seed) % (uint32_t)names;
}

static void random_attrs(const op_info *info, void *attrs, uint64_t *seed)
{
    for (int i = 0; i < info->n_attrs; i++) {
        const op_attr *a = &info->attrs[i];
        void *field = (char *)attrs + a->offset;
        switch (a->type) {
        case OP_ATTR_INT:
            *(int64_t *)field = (int64_t)within(a, seed);
            break;
        case OP_ATTR_FLOAT:
            *(float *)field = (float)within(a, seed);
            break;
        case OP_ATTR_INTS: {
            op_ints *list = field;
            list->count = (int32_t)(random_u32(seed) % (OP_INTS_MAX + 1));
            for (int k = 0; k < list->count; k++) list->v[k] = (int64_t)within(a, seed);
            break;
        }
        case OP_ATTR_ENUM:
            *(int64_t *)field = any_name(a, seed);
            break;
        case OP_ATTR_FLOATS: {
            op_floats *list = field;
            list->count = (int32_t)(random_u32(seed) % (OP_INTS_MAX + 1));
            for (int k = 0; k < list->count; k++) list->v[k] = (float)within(a, seed);
            break;
        }
        case OP_ATTR_ENUMS: {
            op_ints *list = field;
            list->count = (int32_t)(random_u32(seed) % (OP_INTS_MAX + 1));
            for (int k = 0; k < list->count; k++) list->v[k] = any_name(a, seed);
            break;
        }
        }
    }
}

/* A node of every operator, with random attributes; shapes need not fit, since files are not inferred. */
static void every_operator(gr_graph *g)
{
    uint64_t seed = 1;
    net_init(g);
    gr_id x = net_input(g, "x", DIMS(gr_symbol(g, "N"), 3, gr_symbol(g, "H"), GR_UNKNOWN));
    for (int op = OP_NONE + 1; op < OP_COUNT; op++) {
        const op_info *info = op_get((op_kind)op);
        gr_id in[16], out[8];
        if (info->flags & OP_BODIES) continue; /* bodies_round_trip */
        int n_in = info->max_in < 8 ? info->max_in : 8;
        for (int i = 0; i < n_in; i++) in[i] = i < info->min_in || i % 2 ? x : GR_NONE;
        for (int i = 0; i < info->min_out; i++) out[i] = gr_add_tensor(g, NULL, VKI_DT_NONE, -1, NULL);
        bool residual = info->flags & OP_CAN_RESIDUAL;
        if (residual) in[n_in++] = x;
        gr_node *n = gr_add_node(g, (op_kind)op, info->name, n_in, in, info->min_out, out);
        assert_non_null(n);
        if (info->n_attrs) random_attrs(info, n->attrs, &seed);
        if (info->flags & OP_CAN_ACT)
            n->epilogue = (gr_epilogue){(gr_act)(1 + op % (GR_ACT_COUNT - 1)), GR_RESIDUAL_NONE, 0.25f, 7};
        if (residual) n->epilogue.residual = op % 2 ? GR_RESIDUAL_BEFORE : GR_RESIDUAL_AFTER;
        if (op % 3 == 0) n->fused = "one, two";
        if (op % 5 == 0) net_output(g, out[0]);
    }
    assert_true(gr_add_meta(g, "license", "MIT") && gr_add_meta(g, "empty", ""));
}

static void small_graph(gr_graph *g)
{
    net_init(g);
    gr_id x = net_input(g, "image", DIMS(1, 2, gr_symbol(g, "H"), 5));
    gr_id w = net_random(g, DIMS(3, 2, 2, 2));
    gr_id y = net_node(g, OP_Conv, IN(x, w, GR_NONE));
    net_last(g)->epilogue.act = GR_ACT_RELU;
    gr_id shape = net_node(g, OP_Shape, IN(y));
    gr_id part = net_node(g, OP_Gather, IN(shape, net_ints(g, 1, (const int64_t[]){0})));
    gr_id target = net_node(g, OP_Concat, IN(part, net_ints(g, 1, (const int64_t[]){-1})));
    ((op_axis_attrs *)net_last(g)->attrs)->axis = 0;
    y = net_node(g, OP_Reshape, IN(y, target));
    y = net_node(g, OP_Mul, IN(y, net_scalar(g, 0.5f)));
    net_output(g, net_node(g, OP_Softmax, IN(y)));
    assert_true(gr_add_meta(g, "license", "MIT"));
}

static void assert_same_graph(const gr_graph *a, const gr_graph *b)
{
    assert_int_equal(a->n_tensors, b->n_tensors);
    assert_int_equal(a->n_nodes, b->n_nodes);
    for (int i = 0; i < a->n_tensors; i++) {
        const gr_tensor *s = &a->tensors[i], *t = &b->tensors[i];
        assert_string_equal(s->name, t->name);
        assert_true(s->dtype == t->dtype && s->rank == t->rank && s->flags == t->flags);
        if (s->rank > 0) assert_memory_equal(s->dims, t->dims, (size_t)s->rank * sizeof *s->dims);
        assert_int_equal(s->data != NULL, t->data != NULL);
        if (s->data && gr_bytes(s)) assert_memory_equal(s->data, t->data, (size_t)gr_bytes(s));
    }
    for (int i = 0; i < a->n_nodes; i++) {
        const gr_node *m = &a->nodes[i], *n = &b->nodes[i];
        assert_true(m->op == n->op && m->n_in == n->n_in && m->n_out == n->n_out);
        assert_string_equal(m->name, n->name);
        assert_string_equal(m->fused, n->fused);
        assert_memory_equal(&m->epilogue, &n->epilogue, sizeof m->epilogue);
        if (m->n_in) assert_memory_equal(m->in, n->in, (size_t)m->n_in * sizeof *m->in);
        assert_memory_equal(m->out, n->out, (size_t)m->n_out * sizeof *m->out);
        if (m->attrs) assert_memory_equal(m->attrs, n->attrs, op_get(m->op)->attrs_size);
    }
    assert_true(a->n_inputs == b->n_inputs && a->n_outputs == b->n_outputs && a->n_symbols == b->n_symbols);
    for (int i = 0; i < a->n_inputs; i++) assert_int_equal(a->inputs[i], b->inputs[i]);
    for (int i = 0; i < a->n_outputs; i++) assert_int_equal(a->outputs[i], b->outputs[i]);
    for (int i = 0; i < a->n_symbols; i++) assert_string_equal(a->symbols[i], b->symbols[i]);
    assert_int_equal(a->n_bodies, b->n_bodies);
    for (int i = 0; i < a->n_bodies; i++) assert_same_graph(a->bodies[i].graph, b->bodies[i].graph);
    assert_int_equal(a->n_meta, b->n_meta);
    for (int i = 0; i < a->n_meta; i++) assert_string_equal(gr_get_meta(b, a->meta[i].key), a->meta[i].value);
}

/* ---- round trips ---- */

static void round_trip(const gr_graph *g)
{
    gr_graph back;
    vki_error err;
    image file = written(g, NULL);
    assert_true(vkm_is(file.data, file.size));
    if (read_image(&back, &file, &err) != VKI_OK) fail_msg("vkm_read: %s", err.text);
    assert_same_graph(g, &back);
    image again = written(&back, NULL);
    assert_int_equal(file.size, again.size);
    assert_memory_equal(file.data, again.data, file.size);
    gr_free(&back);
    free_image(&again);
    free_image(&file);
}

static void operators_round_trip(void **state)
{
    (void)state;
    gr_graph g;
    every_operator(&g);
    round_trip(&g);
    gr_free(&g);
    small_graph(&g);
    round_trip(&g);
    gr_free(&g);
    net_init(&g); /* nothing at all */
    round_trip(&g);
    gr_free(&g);
}

static void bodies_round_trip(void **state)
{
    (void)state;
    gr_graph g, back;
    vki_error err;
    small_loop(&g);
    round_trip(&g);
    image file = written(&g, NULL);
    assert_int_equal(read_image(&back, &file, &err), VKI_OK);
    gr_id w = gr_find_tensor(back.bodies[0].graph, "weights");
    bool shared = false;
    for (int i = 0; i < back.n_tensors; i++)
        shared |= back.tensors[i].data == back.bodies[0].graph->tensors[w].data;
    assert_true(shared);
    gr_free(&back);
    free_image(&file);
    gr_free(&g);
}

static void constants_round_trip(void **state)
{
    static const vki_dtype dtypes[] = {VKI_F32, VKI_U8,  VKI_I8,  VKI_U16, VKI_I16, VKI_I32,
                                       VKI_I64, VKI_F16, VKI_F64, VKI_U32, VKI_U64, VKI_BOOL};
    (void)state;
    gr_graph g;
    uint64_t data[40];
    net_init(&g);
    for (size_t i = 0; i < VKB_COUNT(data); i++) data[i] = 0x0101000100010100u << i % 2;
    for (size_t i = 0; i < VKB_COUNT(dtypes); i++) {
        int64_t n = (int64_t)(3 * i);
        if (dtypes[i] == VKI_BOOL) memset(data, 1, sizeof data);
        gr_id t = gr_add_const(&g, NULL, dtypes[i], 1, &n, data, true);
        assert_true(t != GR_NONE);
        net_output(&g, t);
    }
    round_trip(&g);
    gr_free(&g);
}

static void weights_are_used_in_place(void **state)
{
    (void)state;
    gr_graph g, back;
    small_graph(&g);
    image file = written(&g, NULL);
    assert_int_equal(read_image(&back, &file, NULL), VKI_OK);
    int constants = 0;
    for (int i = 0; i < back.n_tensors; i++) {
        const uint8_t *data = back.tensors[i].data;
        if (!data) continue;
        constants++;
        assert_true(data >= file.data && data < file.data + file.size && (uintptr_t)data % 64 == 0);
        for (int k = 0; k < i; k++)
            assert_true(!back.tensors[k].data || back.tensors[k].const_key != back.tensors[i].const_key);
    }
    assert_int_equal(constants, 4);
    gr_free(&back);
    gr_free(&g);
    free_image(&file);
}

static void half_weights(void **state)
{
    (void)state;
    gr_graph g, back;
    net_init(&g);
    gr_id large = net_random(&g, DIMS(16, 16)), small = net_random(&g, DIMS(255)),
          wide = net_random(&g, DIMS(300));
    ((float *)(uintptr_t)g.tensors[wide].data)[7] = 1e6f; /* beyond fp16 */
    net_output(&g, large);
    net_output(&g, small);
    net_output(&g, wide);
    const vkm_write_options half = {.half_weights = true};
    image file = written(&g, &half), full = written(&g, NULL);
    assert_int_equal(full.size - file.size, 512);
    assert_int_equal(read_image(&back, &file, NULL), VKI_OK);
    const float *a = g.tensors[large].data, *b = back.tensors[large].data;
    bool differs = false;
    for (int i = 0; i < 256; i++) {
        assert_true(b[i] == vkb_f16_to_f32(vkb_f32_to_f16(a[i])));
        differs = differs || a[i] != b[i];
    }
    assert_true(differs && (uintptr_t)b % 64 == 0);
    assert_memory_equal(back.tensors[small].data, g.tensors[small].data, 255 * sizeof(float));
    assert_memory_equal(back.tensors[wide].data, g.tensors[wide].data, 300 * sizeof(float));
    gr_free(&back);
    gr_free(&g);
    free_image(&full);
    free_image(&file);
}

/* ---- damage ---- */

static void cut_files(void **state)
{
    (void)state;
    gr_graph g;
    vki_error err;
    small_graph(&g);
    image file = written(&g, NULL);
    gr_free(&g);
    for (size_t n = 0; n < file.size; n++)
        for (int forged = 0; forged < 2; forged++) {
            image cut = copy_image(file.data, n);
            if (forged) forge(&cut);
            assert_int_equal(read_image(&g, &cut, &err), VKI_E_FORMAT);
            assert_true(g.n_tensors == 0 && g.n_nodes == 0 && !g.tensors);
            assert_string_not_equal(err.text, "");
            free_image(&cut);
        }
    print_message("%zu bytes, cut at each\n", file.size);
    free_image(&file);
}

static void flipped_bits(void **state)
{
    (void)state;
    gr_graph g, other;
    vki_error err;
    int harmless = 0;
    small_graph(&g);
    image file = written(&g, NULL);
    for (size_t bit = 0; bit < file.size * 8; bit++) {
        file.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        vki_status status = read_image(&other, &file, &err);
        if (status == VKI_OK) { /* in the padding */
            assert_same_graph(&g, &other);
            gr_free(&other);
            harmless++;
        } else {
            assert_true(status == VKI_E_FORMAT || status == VKI_E_UNSUPPORTED);
        }
        file.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    print_message("%zu bits flipped, %d of them in the padding\n", file.size * 8, harmless);
    assert_true(harmless < (int)file.size * 8 / 4);
    gr_free(&g);
    free_image(&file);
}

/* What a reader has let through must hold for all that comes after it. */
static void use(gr_graph *g)
{
    vki_error err;
    assert_int_equal(gr_check(g, &err), VKI_OK);
    if (gr_infer(g, &err) != VKI_OK) return;
    if (gr_optimize(g, &(gr_pass_options){.evaluator = &net_evaluator}, &err) != VKI_OK) return;
    if (gr_check(g, &err) != VKI_OK) fail_msg("the passes made an invalid graph: %s", err.text);
}

static void mutate(image *file, uint64_t *seed)
{
    static const uint64_t odd[] = {0,          1,          2,          0x7f,
                                   0xff,       0x7fffffff, 0x80000000, 0xffffffff,
                                   0xfffffffe, UINT64_MAX, INT64_MAX,  (uint64_t)1 << 40};
    for (uint32_t n = 1 + random_u32(seed) % 3; n > 0; n--) {
        size_t at = random_u32(seed) % file->size;
        vkm_section s = (vkm_section)(random_u32(seed) % VKM_SECTIONS);
        uint64_t bytes, start = get(row_of(file, s) + 8, 8), size = get(row_of(file, s) + 16, 8);
        if (random_u32(seed) % 8 && start < file->size && size && size <= file->size - start)
            at = (size_t)(section_of(file, s, &bytes) - file->data) + random_u32(seed) % (uint32_t)size;
        uint32_t kind = random_u32(seed) % 4;
        if (kind == 0) file->data[at] = (uint8_t)random_u32(seed);
        if (kind == 1) file->data[at] ^= (uint8_t)(1u << random_u32(seed) % 8);
        int width = random_u32(seed) % 2 ? 4 : 8;
        at = at / 4 * 4;
        if (at + 8 > file->size) continue;
        if (kind == 2) put(file->data + at, odd[random_u32(seed) % VKB_COUNT(odd)], width);
        if (kind == 3) put(file->data + at, get(file->data + at, 4) + (random_u32(seed) % 5) - 2, 4);
    }
}

static void forged_files(void **state)
{
    enum { CASES = 20000 };
    (void)state;
    gr_graph graphs[3], g;
    vki_error err;
    image files[3];
    uint64_t seed = 42;
    int accepted = 0;
    small_graph(&graphs[0]);
    every_operator(&graphs[1]);
    small_loop(&graphs[2]);
    for (int i = 0; i < 3; i++) files[i] = written(&graphs[i], NULL);
    for (int i = 0; i < CASES; i++) {
        const image *source = &files[i % 8 == 0 ? 1 : i % 2 ? 2 : 0];
        image file = copy_image(source->data, source->size);
        mutate(&file, &seed);
        forge(&file);
        vki_status status = read_image(&g, &file, &err);
        if (status == VKI_OK) {
            accepted++;
            use(&g);
            gr_free(&g);
        } else {
            assert_true(status == VKI_E_FORMAT || status == VKI_E_UNSUPPORTED);
            assert_int_equal(err.code, status);
        }
        free_image(&file);
    }
    print_message("%d forged files, %d accepted\n", CASES, accepted);
    assert_true(accepted > CASES / 100 &&
                accepted < CASES); /* the cases are neither all wrong nor all right */
    for (int i = 0; i < 3; i++) {
        free_image(&files[i]);
        gr_free(&graphs[i]);
    }
}

static void refused_at_once(void **state)
{
    (void)state;
    gr_graph g;
    vki_error err;
    small_graph(&g);
    image file = written(&g, NULL);
    gr_free(&g);
    image shifted = copy_image(file.data, file.size + 0);
    assert_int_equal(vkm_read(&g, &vkb_libc_allocator, shifted.data + 4, shifted.size - 4, &err), VKI_E_ARG);
    put(shifted.data + 8, VKM_VERSION + 1, 4);
    assert_int_equal(read_image(&g, &shifted, &err), VKI_E_UNSUPPORTED);
    assert_non_null(strstr(err.text, "version 2"));
    shifted.data[0] = 'x';
    assert_false(vkm_is(shifted.data, shifted.size));
    assert_false(vkm_is(file.data, 7));
    assert_int_equal(read_image(&g, &shifted, NULL), VKI_E_FORMAT);
    uint64_t bytes; /* the text names the section */
    section_of(&file, VKM_TENSORS, &bytes)[9] ^= 1;
    assert_int_equal(read_image(&g, &file, &err), VKI_E_FORMAT);
    assert_non_null(strstr(err.text, "section tensors"));
    free_image(&shifted);
    free_image(&file);
}

static void invalid_graphs_are_not_written(void **state)
{
    (void)state;
    gr_graph g;
    vki_error err;
    small_graph(&g);
    g.nodes[0].in[0] = g.outputs[0];
    assert_int_equal(vkm_write(&g, "/tmp/vkm_test-never", NULL, &err), VKI_E_FORMAT);
    assert_int_equal(access("/tmp/vkm_test-never", F_OK), -1);
    gr_free(&g);
    small_graph(&g);
    assert_int_equal(vkm_write(&g, "/nowhere/at/all.vkm", NULL, &err), VKI_E_IO);
    gr_free(&g);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    gr_graph g, back;
    small_loop(&g);
    image file = written(&g, NULL);
    for (int at = 1;; at++) {
        counting c = {.fail_at = at};
        vki_allocator a = counting_allocator(&c);
        vki_status status = vkm_read(&back, &a, file.data, file.size, NULL);
        if (status == VKI_OK) gr_free(&back);
        assert_int_equal(c.live, 0);
        if (c.calls < at) break;
        assert_int_equal(status, VKI_E_NOMEM);
        assert_true(at < 1000);
    }
    char path[] = "/tmp/vkm_test-XXXXXX";
    close(mkstemp(path));
    const vki_allocator *usual = g.allocator;
    for (int at = 1;; at++) {
        counting c = {.fail_at = at};
        vki_allocator a = counting_allocator(&c);
        g.allocator = &a;
        vki_status status = vkm_write(&g, path, NULL, NULL);
        g.allocator = usual;
        assert_int_equal(c.live, 0);
        if (c.calls < at) break;
        assert_int_equal(status, VKI_E_NOMEM);
        assert_true(at < 1000);
    }
    unlink(path);
    gr_free(&g);
    free_image(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operators_round_trip),
        cmocka_unit_test(bodies_round_trip),
        cmocka_unit_test(constants_round_trip),
        cmocka_unit_test(weights_are_used_in_place),
        cmocka_unit_test(half_weights),
        cmocka_unit_test(cut_files),
        cmocka_unit_test(flipped_bits),
        cmocka_unit_test(forged_files),
        cmocka_unit_test(refused_at_once),
        cmocka_unit_test(invalid_graphs_are_not_written),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
