/* SPDX-License-Identifier: Apache-2.0
 * The model as a whole: operator set, metadata, order of the work. */
#include "graph/import/onnx/onnx_internal.h"

#include <stdio.h>
#include <string.h>

enum { META_MAX = 1024, FUNCTIONS_MAX = 4096 };

bool onnx_is_default_domain(const char *domain)
{
    return !domain || !domain[0] || strcmp(domain, "ai.onnx") == 0;
}

int64_t onnx_opset_of(Onnx__OperatorSetIdProto *const *imports, size_t n, int64_t otherwise)
{
    for (size_t i = 0; i < n; i++)
        if (onnx_is_default_domain(imports[i]->domain)) otherwise = imports[i]->version;
    return otherwise;
}

static vki_status read_opset(onnx_ctx *c, const Onnx__ModelProto *m)
{
    c->opset = onnx_opset_of(m->opset_import, m->n_opset_import, 0);
    for (size_t i = 0; i < m->n_functions && c->opset <= 0; i++) /* all operators may stand in functions */
        c->opset = onnx_opset_of(m->functions[i]->opset_import, m->functions[i]->n_opset_import, 0);
    if (c->opset <= 0 && m->n_opset_import > 0)
        return vkb_fail(c->err, VKI_E_UNSUPPORTED,
                        "the model uses the operators of the domain '%.60s' only; those of ONNX can be read",
                        onnx_text(m->opset_import[0]->domain));
    if (c->opset <= 0)
        return vkb_fail(c->err, VKI_E_FORMAT, "the model does not say which ONNX operator set it uses");
    if (c->opset >= ONNX_OPSET_MIN && c->opset <= ONNX_OPSET_MAX) return VKI_OK;
    return vkb_fail(
        c->err, VKI_E_UNSUPPORTED,
        "the model uses ONNX operator set %lld; %d to %d can be read: export it again with one of these",
        (long long)c->opset, ONNX_OPSET_MIN, ONNX_OPSET_MAX);
}

static bool add_text(onnx_ctx *c, const char *key, const char *value)
{
    return !value || !value[0] || gr_add_meta(c->g, key, value);
}

static bool add_number(onnx_ctx *c, const char *key, int64_t value)
{
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)value);
    return gr_add_meta(c->g, key, text);
}

static vki_status read_metadata(onnx_ctx *c, const Onnx__ModelProto *m)
{
    if (m->n_metadata_props > META_MAX)
        return vkb_fail(c->err, VKI_E_FORMAT, "%zu metadata entries; at most %d are possible",
                        m->n_metadata_props, META_MAX);
    bool good = add_text(c, "name", m->graph->name) && add_text(c, "producer", m->producer_name) &&
                add_text(c, "producer_version", m->producer_version) && add_text(c, "domain", m->domain) &&
                add_text(c, "doc", m->doc_string) && add_number(c, "opset", c->opset);
    if (good && m->has_model_version && m->model_version)
        good = add_number(c, "model_version", m->model_version);
    for (size_t i = 0; good && i < m->n_metadata_props; i++) {
        const char *key = onnx_text(m->metadata_props[i]->key);
        if (key[0]) good = gr_add_meta(c->g, key, onnx_text(m->metadata_props[i]->value));
    }
    return good ? VKI_OK : onnx_nomem(c);
}

static vki_status import_model(onnx_ctx *c, const Onnx__ModelProto *m)
{
    c->model = m;
    if (!m->graph) return vkb_fail(c->err, VKI_E_FORMAT, "not an ONNX model: it has no graph");
    if (m->n_functions > FUNCTIONS_MAX)
        return vkb_fail(c->err, VKI_E_FORMAT, "%zu functions; at most %d are possible", m->n_functions,
                        FUNCTIONS_MAX);
    VKB_TRY(read_opset(c, m));
    VKB_TRY(read_metadata(c, m));
    VKB_TRY(onnx_define(c, m));
    VKB_TRY(onnx_nodes(c, m->graph->node, m->graph->n_node));
    VKB_TRY(onnx_define_outputs(c, m->graph));
    VKB_TRY(onnx_issues_report(c));
    VKB_TRY(gr_sort(c->g, c->err));
    return gr_check(c->g, c->err);
}

static vki_status import(onnx_ctx *c, const vki_allocator *a, const void *bytes, size_t n)
{
    vki_status status = VKI_OK;
    c->main = c->g;
    c->issues_end = &c->issues;
    c->bytes = bytes;
    c->n_bytes = n;
    gr_init(c->g, a);
    vkb_arena_init(&c->scratch, a);
    ProtobufCMessage *m = onnx_unpack(&onnx__model_proto__descriptor, bytes, n, &c->scratch, &c->g->arena,
                                      true, &status, c->err);
    if (m) status = import_model(c, (const Onnx__ModelProto *)m);
    vkb_file_unmap(&c->external);
    vkb_arena_free(&c->scratch);
    if (status != VKI_OK) gr_free(c->g);
    return status;
}

vki_status onnx_import(gr_graph *g, const vki_allocator *a, const void *bytes, size_t n,
                       const char *directory, vki_error *err)
{
    return onnx_import_stored(g, a, bytes, n, directory, NULL, err);
}

vki_status onnx_import_stored(gr_graph *g, const vki_allocator *a, const void *bytes, size_t n,
                              const char *directory, vkb_store *store, vki_error *err)
{
    vki_error local;
    onnx_ctx c = {.g = g, .err = err ? err : &local, .directory = directory, .store = store};
    return import(&c, a, bytes, n);
}

vki_status onnx_import_with(gr_graph *g, const vki_allocator *a, const void *bytes, size_t n,
                            const char *directory, const gr_tensor *given, int count, int first,
                            vki_error *err)
{
    vki_error local;
    onnx_ctx c = {.g = g, .err = err ? err : &local, .directory = directory};
    c.given = given;
    c.n_given = count;
    c.first_given = first;
    return import(&c, a, bytes, n);
}
