/* SPDX-License-Identifier: Apache-2.0
 * Every operator x every case of tests/cases/ x every kernel that takes it, against the reference.
 *   ops_test [family[:line]]...      only those */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/cases.h"
#include "common/gpu_run.h"
#include "common/guard.h"
#include "common/tolerance.h"
#include "cpu/micro.h"
#include "cpu/ref.h"

enum { THREADS = 3 };

static vkb_pool *pool;
static char **filters;
static int n_filters;

typedef struct outputs {
    guarded v[CASE_MAX_OUT];
    int64_t dims[CASE_MAX_OUT][GR_MAX_RANK]; /* that came out */
} outputs;

typedef struct check { /* one case being checked */
    const test_case *t;
    case_graph c;
    outputs expected, got, again;
    tolerance allowed[2]; /* in fp32 and in fp16, once they are known: they take a run of the reference */
    bool known[2];
    int failures;
} check;

static bool has_output(const case_graph *c, int i)
{
    return c->g.nodes[0].out[i] != GR_NONE;
}

static outputs make_outputs(const case_graph *c)
{
    outputs o = {0};
    for (int i = 0; i < c->n_out; i++)
        if (has_output(c, i)) o.v[i] = guard_make((size_t)gr_bytes(&c->g.tensors[c->g.nodes[0].out[i]]));
    return o;
}

static void free_outputs(outputs *o)
{
    for (int i = 0; i < CASE_MAX_OUT; i++) guard_free(&o->v[i]);
}

static void fill_outputs(outputs *o, int value)
{
    for (int i = 0; i < CASE_MAX_OUT; i++)
        if (o->v[i].base) guard_fill(&o->v[i], value);
}

static void *const *pointers(outputs *o, void *list[CASE_MAX_OUT])
{
    for (int i = 0; i < CASE_MAX_OUT; i++) list[i] = o->v[i].data;
    return list;
}

VKB_PRINTF(3, 4) static void complain(check *k, const char *what, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    print_error("%s:%d: %s %s (%s): %s: %s\n", k->t->file, k->t->line, op_name(k->t->op), k->t->inputs,
                k->t->attrs, what, text);
    k->failures++;
}

static bool data_shaped(const case_graph *c)
{
    return op_get(c->g.nodes[0].op)->flags & OP_DATA_SHAPED;
}

static void expect_largest(const case_graph *c, outputs *o)
{
    for (int i = 0; i < c->n_out; i++)
        if (has_output(c, i)) memcpy(o->dims[i], c->g.tensors[c->g.nodes[0].out[i]].dims, sizeof o->dims[i]);
}

/* Where less came out than there is room for, the rest means nothing: it is cleared before outputs are
 * compared. */
static void clear_rest(check *k, const char *what, outputs *o)
{
    for (int i = 0; i < k->c.n_out && data_shaped(&k->c); i++) {
        if (!has_output(&k->c, i)) continue;
        const gr_tensor *t = &k->c.g.tensors[k->c.g.nodes[0].out[i]];
        size_t bytes = vki_dtype_size(t->dtype);
        for (int d = 0; d < t->rank; d++) {
            if (o->dims[i][d] < 0 || o->dims[i][d] > t->dims[d])
                complain(k, what, "dimension %d of output %d is %lld, at most %lld is possible", d, i,
                         (long long)o->dims[i][d], (long long)t->dims[d]);
            bytes *= (size_t)vkb_min(vkb_max(o->dims[i][d], 0), t->dims[d]);
        }
        if (bytes < o->v[i].bytes) memset((char *)o->v[i].data + bytes, 0, o->v[i].bytes - bytes);
    }
}

/* Runs that started from different bytes must end in the same: all is written, and nothing else is read. */
static void check_repeat(check *k, const char *what, outputs *a, outputs *b)
{
    for (int i = 0; i < k->c.n_out; i++) {
        if (!has_output(&k->c, i)) continue;
        if (!guard_intact(&a->v[i]) || !guard_intact(&b->v[i]))
            complain(k, what, "wrote outside of output %d", i);
        if (data_shaped(&k->c) && memcmp(a->dims[i], b->dims[i], sizeof a->dims[i]))
            complain(k, what, "two runs differ in the shape of output %d", i);
        if (memcmp(a->v[i].data, b->v[i].data, a->v[i].bytes))
            complain(k, what, "two runs differ in output %d, or not all of it is written", i);
    }
}

static void check_values(check *k, const char *what, bool half)
{
    if (!k->known[half]) k->allowed[half] = tolerance_of(&k->c, half);
    k->known[half] = true;
    const tolerance t = k->allowed[half];
    for (int i = 0; i < k->c.n_out; i++) {
        if (!has_output(&k->c, i)) continue;
        int64_t bad = tolerance_check(&k->c, i, k->expected.v[i].data, k->got.v[i].data, t);
        if (bad < 0) continue;
        vki_dtype dtype = k->c.g.tensors[k->c.g.nodes[0].out[i]].dtype;
        double e = cpu_load(k->expected.v[i].data, dtype, bad), v = cpu_load(k->got.v[i].data, dtype, bad);
        complain(k, what, "output %d, element %lld is %.9g, expected %.9g; off by %.3g, allowed %.3g", i,
                 (long long)bad, v, e, v - e, t.absolute + t.relative * (e < 0 ? -e : e));
    }
}

/* ---- CPU ---- */

static void check_reference(check *k)
{
    vki_error err = {0};
    void *list[CASE_MAX_OUT];
    const void *const *in = (const void *const *)k->c.in;
    const gr_node *n = &k->c.g.nodes[0];
    fill_outputs(&k->expected, 0xff);
    fill_outputs(&k->again, 0x11);
    if (cpu_evaluate_dims(&k->c.g, n, in, pointers(&k->expected, list), k->expected.dims, &err) != VKI_OK ||
        cpu_evaluate_dims(&k->c.g, n, in, pointers(&k->again, list), k->again.dims, &err) != VKI_OK) {
        complain(k, "reference", "%s", err.text);
        return;
    }
    clear_rest(k, "reference", &k->expected);
    clear_rest(k, "reference", &k->again);
    check_repeat(k, "reference", &k->expected, &k->again);
}

/* Prepares the kernel as a session would and runs it once, everything it may not read filled with `garbage`;
 * output 0 lies in the place of input `in_place` (-1: of none). */
static bool run_kernel(check *k, const cpu_kernel *kernel, int threads, int garbage, int in_place,
                       outputs *out)
{
    vki_error err = {0};
    vkb_arena arena;
    void *list[CASE_MAX_OUT];
    const void *in[CASE_MAX_IN];
    vkb_arena_init(&arena, &vkb_libc_allocator);
    const gr_node *n = &k->c.g.nodes[0];
    cpu_prep prep = {.g = &k->c.g, .n = n, .threads = threads, .arena = &arena};
    vki_status status = kernel->prepare ? kernel->prepare(&prep, &err) : VKI_OK;
    if (status != VKI_OK) {
        complain(k, kernel->name, "prepare: %s", err.text);
        vkb_arena_free(&arena);
        return false;
    }
    guarded weights = guard_make((size_t)prep.weight_bytes), scratch = guard_make((size_t)prep.scratch_bytes);
    guard_fill(&weights, garbage);
    guard_fill(&scratch, garbage);
    fill_outputs(out, garbage);
    expect_largest(&k->c, out);
    for (int i = 0; i < k->c.n_in; i++) in[i] = k->c.in[i];
    if (in_place >= 0) in[in_place] = memcpy(out->v[0].data, in[in_place], out->v[0].bytes);
    for (int64_t i = 0; prep.weight_bytes && i < cpu_pack_parts(&prep); i++)
        cpu_pack_part(&prep, weights.data, i);
    cpu_call call = {.g = &k->c.g,
                     .n = n,
                     .in = in,
                     .out = pointers(out, list),
                     .dims = out->dims,
                     .state = prep.state,
                     .weights = prep.weight_bytes ? weights.data : NULL,
                     .scratch = prep.scratch_bytes ? scratch.data : NULL,
                     .pool = threads > 1 ? pool : NULL};
    kernel->run(&call);
    clear_rest(k, kernel->name, out);
    if (!guard_intact(&weights)) complain(k, kernel->name, "wrote outside of its packed weights");
    if (!guard_intact(&scratch)) complain(k, kernel->name, "wrote outside of its scratch");
    guard_free(&weights);
    guard_free(&scratch);
    vkb_arena_free(&arena);
    return true;
}

static int check_kernels(check *k)
{
    int ran = 0;
    const cpu_kernel *kernel = cpu_op_of(k->t->op)->kernels;
    for (; kernel && kernel->name; kernel++) {
        if (!kernel->fits(&k->c.g, &k->c.g.nodes[0])) continue;
        ran++;
        if (!run_kernel(k, kernel, 1, 0xff, -1, &k->got)) continue;
        if (data_shaped(&k->c)) check_repeat(k, kernel->name, &k->expected, &k->got);
        check_values(k, kernel->name, false);
        if (run_kernel(k, kernel, THREADS, 0x11, -1, &k->again))
            check_repeat(k, kernel->name, &k->got, &k->again);
        for (int i = 0; i < k->c.n_in; i++)
            if (cpu_in_place(&k->c.g, &k->c.g.nodes[0], kernel, i) &&
                run_kernel(k, kernel, THREADS, 0x11, i, &k->again))
                check_repeat(k, kernel->name, &k->got, &k->again);
    }
    return ran;
}

#ifdef VKI_SIMDE
void cpu_micro_avx512_simde(cpu_micro *m), cpu_micro_avx512vnni_simde(cpu_micro *m);
#endif

static void wide_gemm(const cpu_tile *t)
{
    cpu_tile_by_panels(t, cpu_micro_c.gemm);
}
static void wide_gemm_i16(const cpu_tile *t)
{
    cpu_tile_by_panels(t, cpu_micro_c.gemm_i16);
}
static void wide_gemm_i8(const cpu_tile *t)
{
    cpu_tile_by_panels(t, cpu_micro_c.gemm_i8);
}

/* All kernels on the C table, as they run where the CPU multiplies bytes: that table can do so too and is
 * said to prefer it. The table is chosen when a plan is made. */
static void check_dot_products(check *k)
{
    static const cpu_dot forms[] = {CPU_DOT_SIGNED, CPU_DOT_MIXED};
    static cpu_micro table;
    for (size_t i = 0; i < VKB_COUNT(forms); i++) {
        table = cpu_micro_c;
        table.dot = forms[i];
        if (i) { /* and tiles as high and wide as those of AVX-512 */
            table.mr = 14;
            table.wide = true;
            table.gemm = wide_gemm;
            table.gemm_i16 = wide_gemm_i16;
            table.gemm_i8 = wide_gemm_i8;
        }
        cpu_micro_force(&table);
        check_kernels(k);
        cpu_micro_force(NULL);
    }
#ifdef VKI_SIMDE /* and on those of AVX-512 in plain C */
    table = cpu_micro_c;
    cpu_micro_avx512_simde(&table);
    cpu_micro_avx512vnni_simde(&table);
    cpu_micro_force(&table);
    check_kernels(k);
    cpu_micro_force(NULL);
#endif
}

/* ---- GPU ---- */

/* What every GPU kernel asks for: nothing empty, something that is no constant. Of the floats float32 stands
 * for all: they are stored alike. */
static bool on_gpu(const case_graph *c)
{
    const gr_node *n = &c->g.nodes[0];
    bool varies = false;
    for (int i = 0; i < n->n_in + n->n_out; i++) {
        gr_id id = i < n->n_in ? n->in[i] : n->out[i - n->n_in];
        if (id == GR_NONE || gr_is_const(&c->g, id)) continue;
        const gr_tensor *t = &c->g.tensors[id];
        if (gr_elements(t) <= 0) return false;
        varies = varies || i < n->n_in;
        if (t->dtype == VKI_F16 || t->dtype == VKI_F64) return false;
    }
    return varies;
}

/* Whether the kernel takes the node; if so, it must be able to write its dispatches. */
static bool gpu_fits(check *k, const gpu_kernel *kernel, const gpu_limits *limits, bool half, bool c4)
{
    vki_error err = {0};
    gpu_builder b;
    gpu_program p;
    const char *why = "";
    const gr_node *n = &k->c.g.nodes[0];
    if (gpu_builder_init(&b, &k->c.g, limits, half, &p, &err) != VKI_OK) return false;
    for (int i = 0; c4 && i < n->n_in; i++)
        if (gpu_run_slices(&k->c.g, n->in[i])) gpu_tensor_buf(&b, n->in[i], GPU_C4);
    bool fits = !b.failed && gpu_takes(&b, n, kernel, &why);
    if (fits && gpu_emit(&b, 0, kernel) != VKI_OK) complain(k, kernel->name, "%s", err.text);
    gpu_builder_free(&b);
    gpu_program_free(&p, k->c.g.allocator);
    return fits;
}

static void run_gpu_kernel(check *k, const gpu_kernel *kernel, bool half, bool c4)
{
    vki_error err = {0};
    char what[96];
    void *list[CASE_MAX_OUT];
    vki_status (*run)(vkr_device *, const gr_graph *, const gpu_kernel *, bool, const void *const *,
                      void *const *, vki_error *) = c4 ? gpu_run_node_c4 : gpu_run_node;
    snprintf(what, sizeof what, "%s %s from %s", kernel->name, half ? "fp16" : "fp32",
             c4 ? "slices" : "rows");
    fill_outputs(&k->got, 0xff);
    if (run(gpu_run_device(), &k->c.g, kernel, half, (const void *const *)k->c.in, pointers(&k->got, list),
            &err) != VKI_OK)
        complain(k, what, "%s", err.text);
    else
        check_values(k, what, half);
}

static int check_gpu(check *k, bool half)
{
    int ran = 0;
    const gpu_op *op = gpu_op_of(k->t->op);
    const gpu_limits *limits = gpu_run_device() ? vkr_device_limits(gpu_run_device()) : NULL;
    if (!op || !on_gpu(&k->c)) return 0;
    for (const gpu_kernel *kernel = op->kernels; kernel && kernel->name; kernel++) {
        for (int c4 = 0; c4 < 2; c4++) {
            gpu_fits(k, kernel, &gpu_limits_minimum, half, c4);
            if (!limits || (half && !limits->half_storage) || !gpu_fits(k, kernel, limits, half, c4))
                continue;
            run_gpu_kernel(k, kernel, half, c4);
            ran++;
        }
    }
    return ran;
}

/* ---- cases ---- */

static bool wanted(const test_case *t)
{
    const char *family = op_family(t->op);
    size_t n = strlen(family);
    for (int i = 0; i < n_filters; i++) {
        if (strncmp(filters[i], family, n)) continue;
        if (!filters[i][n] || (filters[i][n] == ':' && atoi(filters[i] + n + 1) == t->line)) return true;
    }
    return n_filters == 0;
}

static int check_reject(const test_case *t)
{
    case_graph c;
    vki_error err = {0};
    check k = {.t = t};
    vki_status status = case_make(&c, t, 1, false, &err);
    if (status == VKI_OK) case_free(&c);
    if (status != VKI_E_SHAPE && status != VKI_E_ARG && status != VKI_E_UNSUPPORTED)
        complain(&k, "inference", "must refuse it, but: %s %s", vki_status_name(status), err.text);
    return k.failures;
}

/* Every input in a block of exactly its size, so that the address sanitizer sees reads beyond its end. */
static void move_inputs(case_graph *c, void *owned[CASE_MAX_IN])
{
    for (int i = 0; i < c->n_in; i++) {
        if (!c->in[i]) continue;
        size_t bytes = (size_t)gr_bytes(&c->g.tensors[c->g.nodes[0].in[i]]);
        if (posix_memalign(&owned[i], 64, bytes ? bytes : 1)) abort();
        c->in[i] = memcpy(owned[i], c->in[i], bytes);
    }
}

/* With `half` only what stores fp16 is run, on values that fp16 holds. */
static int check_case(const test_case *t, bool half, int *cpu, int *gpu)
{
    vki_error err = {0};
    check k = {.t = t};
    if (case_make(&k.c, t, (uint64_t)t->line, half, &err) != VKI_OK) {
        complain(&k, "inference", "%s", err.text);
        return k.failures;
    }
    void *owned[CASE_MAX_IN] = {NULL};
    move_inputs(&k.c, owned);
    k.expected = make_outputs(&k.c);
    k.got = make_outputs(&k.c);
    k.again = make_outputs(&k.c);
    if (!half || gpu_run_device()) check_reference(&k); /* else there is nothing to compare with it */
    if (!k.failures && !half) *cpu += check_kernels(&k);
    if (!k.failures && !half) check_dot_products(&k);
    if (!k.failures) *gpu += check_gpu(&k, half);
    free_outputs(&k.expected);
    free_outputs(&k.got);
    free_outputs(&k.again);
    for (int i = 0; i < CASE_MAX_IN; i++) free(owned[i]);
    case_free(&k.c);
    return k.failures;
}

static void test_family(void **state)
{
    const char *family = *state;
    int failures = 0, cases = 0, cpu = 0, gpu = 0;
    for (int i = 0; i < test_case_count; i++) {
        const test_case *t = &test_cases[i];
        if (strcmp(op_family(t->op), family) || !wanted(t)) continue;
        failures += t->reject ? check_reject(t) : check_case(t, false, &cpu, &gpu);
        if (!t->reject) failures += check_case(t, true, &cpu, &gpu);
        cases++;
    }
    print_message("%s: %d cases, run by %d CPU and %d GPU kernels\n", family, cases, cpu, gpu);
    assert_int_equal(failures, 0);
    assert_true(cases > 0);
}

/* Case files name their own operators only; otherwise a case would be counted for the wrong family. */
static void test_files(void **state)
{
    (void)state;
    for (int i = 0; i < test_case_count; i++) {
        char name[64];
        snprintf(name, sizeof name, "cases/%s.h", op_family(test_cases[i].op));
        assert_non_null(strstr(test_cases[i].file, name));
    }
}

int main(int argc, char **argv)
{
    struct CMUnitTest tests[OP_COUNT + 1] = {{"case_files", test_files, NULL, NULL, NULL}};
    size_t n = 1;
    filters = argv + 1;
    n_filters = argc - 1;
    for (int op = OP_NONE + 1; op < OP_COUNT; op++) {
        const char *family = op_family((op_kind)op);
        bool chosen = n_filters == 0;
        for (int i = 0; i < n_filters; i++)
            chosen = chosen || !strncmp(filters[i], family, strcspn(filters[i], ":"));
        if (!chosen || (n > 1 && !strcmp(tests[n - 1].name, family))) continue;
        tests[n++] = (struct CMUnitTest){family, test_family, NULL, NULL, (void *)(uintptr_t)family};
    }
    if (vkb_pool_create(&vkb_libc_allocator, THREADS, &pool, NULL) != VKI_OK) return 1;
    if (!gpu_run_device()) print_message("no Vulkan device: GPU kernels are not tested\n");
    int result = _cmocka_run_group_tests("ops", tests, n, NULL, NULL);
    vkb_pool_destroy(&pool);
    return result;
}
