/* SPDX-License-Identifier: Apache-2.0
 * docs/operators.md is generated: this program compares it with what the registries say, and prints the new
 * text when called with --print (tools/dev docs writes it). */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/cpu.h"
#include "gpu/gpu.h"

typedef struct text {
    char *data;
    size_t used, size;
} text;

static void put(text *t, const char *format, ...) VKB_PRINTF(2, 3);

static void put(text *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(t->data + t->used, t->size - t->used, format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= t->size - t->used) {
        fprintf(stderr, "operators.md is larger than expected\n");
        exit(2);
    }
    t->used += (size_t)n;
}

static void put_attributes(text *t, const op_info *info)
{
    for (int i = 0; i < info->n_attrs; i++) {
        const op_attr *a = &info->attrs[i];
        put(t, "%s%s", i ? ", " : "", a->name);
        if (a->type == OP_ATTR_INT || a->type == OP_ATTR_FLOAT) put(t, " = %g", a->def);
        if (a->type == OP_ATTR_ENUM) {
            const char *name = a->names;
            for (int skip = (int)a->def; skip > 0 && name; skip--)
                name = strchr(name, ',') ? strchr(name, ',') + 1 : NULL;
            put(t, " = %.*s", name ? (int)strcspn(name, ",") : 0, name ? name : "");
        }
    }
}

/* A bar would end the cell. */
static void put_cell(text *t, const char *s)
{
    for (; *s; s++) put(t, *s == '|' ? "\\%c" : "%c", *s);
}

static void put_row(text *t, op_kind op)
{
    const op_info *info = op_get(op);
    put(t, "| %s | ", info->name);
    put_cell(t, info->doc);
    put(t, " | ");
    put_attributes(t, info);
    put(t, " | ");
    for (const cpu_kernel *k = cpu_op_of(op)->kernels; k && k->name; k++) put(t, "%s, ", k->name);
    put(t, "reference | ");
    const gpu_kernel *k = gpu_op_of(op) ? gpu_op_of(op)->kernels : NULL;
    for (bool first = true; k && k->name; k++, first = false) put(t, "%s%s", first ? "" : ", ", k->name);
    put(t, " | %s%s |\n", info->flags & OP_CAN_ACT ? "activation" : "",
        info->flags & OP_CAN_RESIDUAL ? ", residual" : "");
}

static void generate(text *t)
{
    put(t, "%s",
        "# Operators\n\nGenerated from graph/ops/ops.def by `tools/dev docs`; do not edit. Semantics are "
        "those of ONNX's\n"
        "newest opset; the importer lifts older forms, and writes rarer operators as several of these. "
        "Kernels are listed by\n"
        "family: a kernel may refuse a node's types or form (zero-size tensors run on the CPU, for "
        "example). Such a node runs\n"
        "on the CPU and the report says why; with GPU_ONLY it is an error.\n\n"
        "| operator | meaning | attributes | CPU kernels, best first | GPU kernels, best first | epilogue |\n"
        "|---|---|---|---|---|---|\n");
    for (int op = OP_NONE + 1; op < OP_COUNT; op++) put_row(t, (op_kind)op);
}

int main(int argc, char **argv)
{
    static char buffer[256 * 1024], committed[256 * 1024];
    text t = {buffer, 0, sizeof buffer};
    generate(&t);
    if (argc > 1 && !strcmp(argv[1], "--print")) {
        fputs(buffer, stdout);
        return 0;
    }
    FILE *f = fopen("docs/operators.md", "r");
    size_t n = f ? fread(committed, 1, sizeof committed - 1, f) : 0;
    if (f) fclose(f);
    if (n == t.used && !memcmp(buffer, committed, n)) return 0;
    fprintf(stderr, "docs/operators.md is out of date: run tools/dev docs\n");
    return 1;
}
