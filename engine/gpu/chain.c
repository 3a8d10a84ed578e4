/* SPDX-License-Identifier: Apache-2.0
 * Element-wise chains: which nodes join, and the dispatch they become. */
#include "gpu/chain.h"

#include <string.h>

#include "gpu/merges.h"
#include "gpu/texels.h"
#include "graph/ops/schema.h"

/* ---- where the shader reads each input ---- */

/* Inputs of shaders/chain_map.comp: 0 and 1 are read in fours where the output is written, 2 and 3 so or by
 * strides, 4 and 5 element by element. */
enum { SLOTS = 6, FIRST_STRIDED = 2, FIRST_NARROW = 4 };
enum { FLAT = 0, GROUPS = 1, SPLAT = 2 }; /* modes of 2 and 3 */
enum { EACH = 0, ONE = 1 };               /* modes of 4 and 5 */

typedef struct place { /* of an input */
    int slot;
    uint32_t mode;
    int64_t stride[CHAIN_DIMS];
} place;

typedef struct layout_plan {
    gpu_layout layout;
    int rank;                 /* of rows */
    int64_t size[CHAIN_DIMS]; /* of rows, innermost first; in slices: positions, slices, samples */
    place at[CHAIN_INPUTS];
    bool used[SLOTS];
} layout_plan;

static bool take_slot(layout_plan *p, int input, int first, int end, uint32_t mode)
{
    for (int s = first; s < end; s++) {
        if (p->used[s]) continue;
        p->used[s] = true;
        p->at[input].slot = s;
        p->at[input].mode = mode;
        return true;
    }
    return false;
}

static const gr_tensor *result_of(const chain *c)
{
    return &c->g->tensors[c->g->nodes[c->nodes[c->n_nodes - 1]].out[0]];
}

static bool is_whole(const chain *c, int input)
{
    return gr_elements(&c->g->tensors[c->inputs[input].tensor]) == gr_elements(result_of(c));
}

/* Dimensions that all inputs walk as one are one. false: more than CHAIN_DIMS are left. */
static bool join_dims(const chain *c, layout_plan *p)
{
    const gr_tensor *y = result_of(c);
    p->rank = 0;
    for (int d = y->rank - 1; d >= 0; d--) {
        if (y->dims[d] == 1) continue;
        int k = p->rank - 1;
        bool joins = k >= 0;
        for (int i = 0; joins && i < c->n_inputs; i++)
            joins = c->inputs[i].stride[d] == p->at[i].stride[k] * p->size[k];
        if (joins) {
            p->size[k] *= y->dims[d];
            continue;
        }
        if (p->rank == CHAIN_DIMS) return false;
        p->size[p->rank] = y->dims[d];
        for (int i = 0; i < c->n_inputs; i++) p->at[i].stride[p->rank] = c->inputs[i].stride[d];
        p->rank++;
    }
    for (int k = p->rank; k < CHAIN_DIMS; k++) p->size[k] = 1;
    return true;
}

/* Puts every input into a slot: those that are wanted in fours by strides first, then the whole ones, then
 * the rest; one of the first that finds no place is read element by element, by `element` strides. */
typedef enum manner { WHOLE, STRIDED, NARROW } manner;

static bool take_slots(const chain *c, layout_plan *p, const manner *how, const uint32_t *mode,
                       const uint32_t *narrow_mode, int64_t (*element)[CHAIN_DIMS])
{
    bool narrow[CHAIN_INPUTS], placed = true;
    for (int i = 0; i < c->n_inputs; i++)
        narrow[i] =
            how[i] == NARROW || (how[i] == STRIDED && !take_slot(p, i, FIRST_STRIDED, FIRST_NARROW, mode[i]));
    for (int i = 0; i < c->n_inputs; i++)
        if (how[i] == WHOLE) placed = placed && take_slot(p, i, 0, FIRST_NARROW, FLAT);
    for (int i = 0; i < c->n_inputs; i++) {
        if (!narrow[i]) continue;
        placed = placed && take_slot(p, i, FIRST_NARROW, SLOTS, narrow_mode[i]);
        memcpy(p->at[i].stride, element[i], sizeof element[i]);
    }
    return placed;
}

static bool plan_rows(const chain *c, layout_plan *p)
{
    manner how[CHAIN_INPUTS];
    uint32_t mode[CHAIN_INPUTS], narrow[CHAIN_INPUTS];
    int64_t element[CHAIN_INPUTS][CHAIN_DIMS];
    *p = (layout_plan){.layout = GPU_ROW};
    if (!join_dims(c, p)) return false;
    bool fours = p->size[0] % 4 == 0;
    for (int i = 0; i < c->n_inputs; i++) {
        int64_t *s = p->at[i].stride;
        bool single = gr_elements(&c->g->tensors[c->inputs[i].tensor]) == 1;
        memcpy(element[i], s, sizeof element[i]);
        how[i] = is_whole(c, i) ? WHOLE : fours && s[0] == 1 ? STRIDED : NARROW;
        mode[i] = GROUPS;
        narrow[i] = single || (fours && s[0] == 0) ? ONE : EACH;
        for (int k = 1; k < CHAIN_DIMS && how[i] == STRIDED; k++) s[k] /= 4;
    }
    return take_slots(c, p, how, mode, narrow, element);
}

/* ---- slices of channels ---- */

/* Strides by position, channel and sample; false if only some of the spatial dimensions repeat. */
static bool channel_strides(const chain *c, int input, int64_t stride[CHAIN_DIMS])
{
    const gr_tensor *y = result_of(c);
    const int64_t *by = c->inputs[input].stride;
    int64_t spatial = 1;
    memset(stride, 0, CHAIN_DIMS * sizeof *stride);
    for (int d = y->rank - 1; d >= 2; d--) {
        if (y->dims[d] == 1) continue;
        if (spatial == 1) stride[0] = by[d];
        if (by[d] != stride[0] * spatial) return false;
        spatial *= y->dims[d];
    }
    stride[1] = by[1];
    stride[2] = by[0];
    return true;
}

/* The same tensor in slices has these strides in groups: it is [N or 1, C or 1, as many positions or 1]. */
static bool reads_in_slices(const chain *c, int input)
{
    const gr_tensor *x = &c->g->tensors[c->inputs[input].tensor], *y = result_of(c);
    if (x->rank < 2 || x->rank != y->rank) return false;
    for (int d = 0; d < 2; d++)
        if (x->dims[d] != 1 && (x->dims[d] != y->dims[d] || c->inputs[input].stride[d] == 0)) return false;
    return true;
}

static void group_strides(const gr_tensor *x, const int64_t element[CHAIN_DIMS], int64_t out[CHAIN_DIMS])
{
    int64_t batch, channels, slices, spatial;
    gpu_c4_dims(x, &batch, &channels, &slices, &spatial);
    out[0] = element[0] ? 1 : 0;
    out[1] = element[1] ? spatial : 0;
    out[2] = element[2] ? slices * spatial : 0;
    out[3] = 0;
}

/* Constants are laid out as the result reads them: dimensions along which they repeat have one element. */
typedef struct table {
    int64_t samples, slices, positions;
} table;

static table table_of(const layout_plan *p, const int64_t element[CHAIN_DIMS])
{
    return (table){element[2] ? p->size[2] : 1, element[1] ? p->size[1] : 1, element[0] ? p->size[0] : 1};
}

/* How input i is read if the result is in slices. `hoping`: what else could have is taken to be in slices
 * too. */
static manner read_slices(const gpu_builder *b, const chain *c, layout_plan *p, int i, bool hoping,
                          const int64_t element[CHAIN_DIMS], uint32_t *mode)
{
    const gr_tensor *x = &c->g->tensors[c->inputs[i].tensor];
    *mode = GROUPS;
    if (x->data) {
        table t = table_of(p, element);
        const int64_t s[CHAIN_DIMS] = {element[0] != 0, element[1] ? t.positions : 0,
                                       element[2] ? t.slices * t.positions : 0, 0};
        memcpy(p->at[i].stride, s, sizeof s);
        return STRIDED;
    }
    if (!reads_in_slices(c, i) || !(hoping || gpu_has_layout(b, c->inputs[i].tensor, GPU_C4))) return NARROW;
    if (is_whole(c, i)) return WHOLE;
    if (x->dims[1] == 1 && result_of(c)->dims[1] > 1) *mode = SPLAT;
    group_strides(x, element, p->at[i].stride);
    return STRIDED;
}

static bool plan_slices(const gpu_builder *b, const chain *c, bool hoping, layout_plan *p)
{
    manner how[CHAIN_INPUTS];
    uint32_t mode[CHAIN_INPUTS], narrow[CHAIN_INPUTS];
    int64_t element[CHAIN_INPUTS][CHAIN_DIMS], channels;
    *p = (layout_plan){.layout = GPU_C4};
    if (result_of(c)->rank < 2) return false;
    gpu_c4_dims(result_of(c), &p->size[2], &channels, &p->size[1], &p->size[0]);
    p->size[3] = 1;
    for (int i = 0; i < c->n_inputs; i++) {
        if (!channel_strides(c, i, element[i])) return false;
        how[i] = read_slices(b, c, p, i, hoping, element[i], &mode[i]);
        narrow[i] = element[i][1] ? EACH : ONE;
    }
    return take_slots(c, p, how, mode, narrow, element);
}

/* Slices where an input of the result's shape is so already and the others can be read along. */
static bool plan_layout(const gpu_builder *b, const chain *c, layout_plan *p)
{
    bool there = false;
    for (int i = 0; i < c->n_inputs; i++)
        there =
            there || (is_whole(c, i) && reads_in_slices(c, i) && !c->g->tensors[c->inputs[i].tensor].data &&
                      gpu_has_layout(b, c->inputs[i].tensor, GPU_C4));
    return (there && plan_slices(b, c, false, p)) || plan_rows(c, p);
}

/* ---- the dispatch ---- */

static void pack_table(void *dst, const gr_tensor *source, const gpu_pack_arg *arg)
{
    const int32_t *v = arg->v; /* samples, slices, positions, channels, then strides of the same */
    int64_t at = 0;
    for (int64_t n = 0; n < v[0]; n++)
        for (int64_t s = 0; s < v[1]; s++)
            for (int64_t p = 0; p < v[2]; p++)
                for (int64_t k = 0; k < 4; k++, at++) {
                    int64_t c = vkb_min(4 * s + k, v[3] - 1); /* lanes beyond the last channel are finite */
                    float x = gpu_const_f32(source, n * v[6] + c * v[5] + p * v[4]);
                    if (arg->half)
                        ((uint16_t *)dst)[at] = vkb_f32_to_f16(x);
                    else
                        ((float *)dst)[at] = x;
                }
}

static gpu_bind bind_table(gpu_builder *b, const chain *c, const layout_plan *p, int input)
{
    int64_t element[CHAIN_DIMS] = {0};
    channel_strides(c, input, element);
    table t = table_of(p, element);
    gr_id id = c->inputs[input].tensor;
    int64_t channels = element[1] ? result_of(c)->dims[1] : 1;
    const int64_t words[] = {t.samples,  t.slices,   t.positions, channels,
                             element[0], element[1], element[2],  c->g->tensors[id].dtype};
    gpu_pack_arg arg = {.half = b->half};
    for (size_t i = 0; i < VKB_COUNT(words); i++) arg.v[i] = (int32_t)words[i]; /* within the tensor's size */
    uint64_t bytes = (uint64_t)(t.samples * t.slices * t.positions) * (b->half ? 8 : 16);
    return gpu_pack(b, id, pack_table, arg, vkb_round_up(bytes, 16));
}

static gpu_bind bind_input(gpu_builder *b, const chain *c, const layout_plan *p, int input)
{
    gr_id id = c->inputs[input].tensor;
    bool constant = c->g->tensors[id].data, narrow = p->at[input].slot >= FIRST_NARROW;
    if (constant && p->layout == GPU_C4 && !narrow) return bind_table(b, c, p, input);
    for (int i = 0; i < c->n_nodes && constant; i++) {
        const gr_node *n = &c->g->nodes[c->nodes[i]];
        for (int k = 0; k < n->n_in; k++)
            if (n->in[k] == id) return gpu_in(b, n, k, GPU_ROW);
    }
    return (gpu_bind){GPU_SPACE_ARENA, 0, gpu_tensor_buf(b, id, narrow ? GPU_ROW : p->layout), 0, 0};
}

static uint32_t source_word(const layout_plan *p, uint8_t from)
{
    bool input = from >= CHAIN_FROM_INPUT && from < CHAIN_FROM_PARAM;
    return input ? CHAIN_FROM_INPUT + (uint32_t)p->at[from - CHAIN_FROM_INPUT].slot : from;
}

static bool has_unused_lanes(const chain *c, const layout_plan *p)
{
    return p->layout == GPU_C4 && result_of(c)->dims[1] % 4 != 0;
}

/* Nothing depends on where in the output an element is. */
static bool is_anywhere(const chain *c, const layout_plan *p)
{
    for (int i = 0; i < c->n_inputs; i++)
        if (p->at[i].slot >= FIRST_NARROW || p->at[i].mode != FLAT) return false;
    return !has_unused_lanes(c, p);
}

/* What the program has of each kind, so that drivers drop the rest before they unroll its loop. */
static uint32_t form_of(const chain *c, const layout_plan *p)
{
    uint32_t form = (uint32_t)c->n_steps;
    if (!is_anywhere(c, p)) form |= p->layout == GPU_C4 ? 1u << 5 : (uint32_t)p->rank << 6;
    for (int i = 0; i < c->n_inputs; i++) {
        int slot = p->at[i].slot;
        if (slot >= FIRST_STRIDED) form |= p->at[i].mode << (9 + 2 * (slot - FIRST_STRIDED));
        form |= 1u << (17 + slot);
    }
    for (int i = 0; i < c->n_steps; i++) {
        const chain_step *s = &c->steps[i];
        if (s->to > 0) form |= 1u << (22 + s->to);
        for (int o = 0; o < 3; o++)
            if (s->from[o] >= CHAIN_FROM_PARAM) form |= 1u << 26;
    }
    return form;
}

static void spec_program(gpu_dispatch *d, const chain *c, const layout_plan *p)
{
    uint32_t words[CHAIN_STEPS] = {0}, ops[2] = {0};
    for (int i = 0; i < c->n_steps; i++) {
        const chain_step *s = &c->steps[i];
        words[i] = s->op | (uint32_t)s->to << 21 | (uint32_t)s->param << 23;
        for (int o = 0; o < 3; o++) words[i] |= source_word(p, s->from[o]) << (6 + 5 * o);
        ops[s->op / 32] |= 1u << s->op % 32;
    }
    for (int i = 0; i < CHAIN_STEPS; i++) gpu_spec(d, words[i]);
    gpu_spec(d, form_of(c, p));
    gpu_spec(d, ops[0]);
    gpu_spec(d, ops[1]);
}

static void push_program(gpu_dispatch *d, const chain *c, const layout_plan *p, int64_t count)
{
    const place *by_slot[SLOTS] = {0};
    for (int i = 0; i < c->n_inputs; i++) by_slot[p->at[i].slot] = &p->at[i];
    for (int s = FIRST_STRIDED; s < SLOTS; s++)
        for (int k = 0; k < CHAIN_DIMS; k++) gpu_push(d, by_slot[s] ? by_slot[s]->stride[k] : 0);
    for (int k = 0; k < CHAIN_DIMS; k++) gpu_push(d, p->size[k]);
    for (int i = 0; i < CHAIN_PARAMS; i++) gpu_push_f32(d, i < c->n_params ? c->params[i] : 0);
    gpu_push(d, count);
    gpu_push(d, has_unused_lanes(c, p) ? result_of(c)->dims[1] : 0);
}

/* The nodes that are merged into this one, and it. */
static void read_plan(const gpu_builder *b, chain *c)
{
    *c = (chain){.g = b->g};
    gr_id first = b->merges && b->merges[b->node].kernel ? b->merges[b->node].first : b->node;
    for (gr_id i = first; i < b->node; i++)
        if (b->merges[i].into == b->node && c->n_nodes + 1 < CHAIN_NODES) c->nodes[c->n_nodes++] = i;
    c->nodes[c->n_nodes++] = b->node;
}

void gpu_chain_emit(gpu_builder *b, const gr_node *n)
{
    chain c;
    layout_plan p;
    read_plan(b, &c);
    if (!chain_compile(&c) || !plan_layout(b, &c, &p)) {
        gpu_fail(b, VKI_E_INTERNAL, "a chain that was planned does not fit");
        return;
    }
    gpu_bind in[SLOTS], any = {0};
    bool flat[SLOTS] = {0};
    for (int i = 0; i < c.n_inputs; i++) {
        in[p.at[i].slot] = any = bind_input(b, &c, &p, i);
        flat[p.at[i].slot] = p.at[i].slot < FIRST_NARROW && p.at[i].mode == FLAT;
    }
    int64_t count =
        p.layout == GPU_C4 ? p.size[0] * p.size[1] * p.size[2] : vkb_ceil_div(gr_elements(result_of(&c)), 4);
    uint64_t bytes = gpu_layout_bytes(result_of(&c), p.layout, b->half); /* no input is larger */
    uint8_t access = gpu_read_access_of(b, bytes);
    gpu_dispatch *d = gpu_dispatch_begin(b, GPU_SHADER_FOR(b, access, chain_map));
    gpu_grid_flat(b, d, count);
    spec_program(d, &c, &p);
    push_program(d, &c, &p, count);
    for (int s = 0; s < SLOTS; s++) {
        uint8_t how = s < FIRST_NARROW ? access : GPU_READ;
        gpu_bind_add(d, p.used[s] ? in[s] : any, (uint8_t)(how | (!p.used[s] || flat[s] ? GPU_SAME : 0)));
    }
    gpu_bind_add(d, gpu_out(b, n, 0, p.layout), GPU_WRITE);
}

static const gpu_kernel kernel = {.name = "chain_map", .emit = gpu_chain_emit};

bool gpu_chain_fits(const gpu_builder *b, const gr_node *n, const char **why)
{
    chain c = {.g = b->g, .nodes = {(gr_id)(n - b->g->nodes)}, .n_nodes = 1};
    layout_plan p;
    *why = "no such function on the GPU, or of other types";
    if (!chain_takes(b->g, n)) return false;
    *why = "too many inputs, or more than four dimensions that are broadcast differently";
    return chain_compile(&c) && plan_rows(&c, &p);
}

/* ---- which nodes join ---- */

static bool fits(const gpu_merger *m, chain *c)
{
    layout_plan p;
    if (!chain_compile(c) || !plan_rows(c, &p)) return false;
    const gr_tensor *y = result_of(c);
    int64_t stride[CHAIN_DIMS];
    bool slices = y->rank >= 2; /* what can be in slices must stay so: conversions cost more than is won */
    for (int i = 0; i < c->n_inputs; i++) slices = slices && channel_strides(c, i, stride);
    return !slices || plan_slices(m->b, c, true, &p);
}

static bool takes(const gpu_merger *m, gr_id node)
{
    const gr_graph *g = m->b->g;
    if (!gpu_merge_is_free(m, node) || !chain_takes(g, &g->nodes[node])) return false;
    const gr_node *n = &g->nodes[node];
    for (int i = 0; i < n->n_in; i++)
        if (n->in[i] != GR_NONE && !gr_is_concrete(&g->tensors[n->in[i]])) return false;
    return gr_is_concrete(&g->tensors[n->out[0]]);
}

static int reads_of(const chain *c, gr_id t)
{
    int count = 0;
    for (int i = 0; i < c->n_nodes; i++) {
        const gr_node *n = &c->g->nodes[c->nodes[i]];
        for (int k = 0; k < n->n_in; k++) count += n->in[k] == t;
    }
    return count;
}

/* The last node before `end` that makes what the chain reads; GR_NONE. */
static gr_id last_maker(const gpu_merger *m, const chain *c, gr_id end)
{
    gr_id best = GR_NONE;
    for (int i = 0; i < c->n_nodes; i++) {
        const gr_node *n = &c->g->nodes[c->nodes[i]];
        for (int k = 0; k < n->n_in; k++) {
            gr_id maker = n->in[k] == GR_NONE ? GR_NONE : m->uses.producer[n->in[k]];
            if (maker != GR_NONE && maker < end && maker > best) best = maker;
        }
    }
    return best;
}

/* Only the chain reads the node's output; and if that is computed again for each element of a larger one, the
 * node is cheap. */
static bool joins(const gpu_merger *m, const chain *c, gr_id node)
{
    enum { FEW = 16384 };
    const gr_graph *g = c->g;
    gr_id t = g->nodes[node].out[0];
    if (!takes(m, node) || m->uses.count[t] != reads_of(c, t) || g->tensors[t].flags & GR_OUTPUT)
        return false;
    int64_t all = gr_elements(result_of(c));
    return gr_elements(&g->tensors[t]) == all || all <= FEW || chain_is_cheap(&g->nodes[node]);
}

static bool has(const chain *c, gr_id node)
{
    for (int i = 0; i < c->n_nodes; i++)
        if (c->nodes[i] == node) return true;
    return false;
}

static void add_node(chain *c, gr_id node)
{
    int at = c->n_nodes++;
    for (; at > 0 && c->nodes[at - 1] > node; at--) c->nodes[at] = c->nodes[at - 1];
    c->nodes[at] = node;
}

/* The chain with the node, and with what makes the truth that it reads: that exists within chains only. */
static void extend(const gpu_merger *m, chain *c, gr_id node)
{
    chain with = *c;
    const gr_graph *g = c->g;
    for (gr_id next = node; next != GR_NONE;) {
        if (with.n_nodes == CHAIN_NODES || !joins(m, &with, next)) return;
        add_node(&with, next);
        gr_id x = g->nodes[next].in[0];
        next = g->tensors[x].dtype == VKI_BOOL ? m->uses.producer[x] : GR_NONE;
    }
    if (fits(m, &with)) *c = with;
}

/* A name in front of the chain does nothing there. */
static int drop_names(chain *c)
{
    int work = 0;
    for (int i = 0; i < c->n_nodes;) {
        const gr_node *n = &c->g->nodes[c->nodes[i]];
        bool fed = false;
        for (int k = 0; k < i; k++) fed = fed || c->g->nodes[c->nodes[k]].out[0] == n->in[0];
        if (chain_is_name(c->g, n) && !fed) {
            memmove(&c->nodes[i], &c->nodes[i + 1], (size_t)(c->n_nodes - i - 1) * sizeof c->nodes[0]);
            c->n_nodes--;
            i = work = 0;
            continue;
        }
        work += !chain_is_name(c->g, n);
        i++;
    }
    return work;
}

void gpu_merge_chain(gpu_merger *m, gr_id node)
{
    const gr_graph *g = m->b->g;
    if (!takes(m, node) || chain_is_name(g, &g->nodes[node]) ||
        !gpu_is_float(g->tensors[g->nodes[node].out[0]].dtype))
        return;
    chain c = {.g = g, .nodes = {node}, .n_nodes = 1};
    for (gr_id next = last_maker(m, &c, node); next != GR_NONE; next = last_maker(m, &c, next))
        if (!has(&c, next)) extend(m, &c, next);
    if (drop_names(&c) < 2 || !fits(m, &c)) return;
    for (int i = 0; i + 1 < c.n_nodes; i++) m->b->merges[c.nodes[i]].into = node;
    m->b->merges[node].kernel = &kernel;
    m->b->merges[node].first = c.nodes[0];
}
