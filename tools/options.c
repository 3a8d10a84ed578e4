/* SPDX-License-Identifier: Apache-2.0 */
#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int options_wrong(const opt_line *line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "vkinfer %s: ", line->command);
    vfprintf(stderr, format, args);
    fprintf(stderr, "\nTry: vkinfer %s --help\n", line->command);
    va_end(args);
    return TOOL_USAGE;
}

static void print_help(const opt_line *line)
{
    printf("usage: vkinfer %s %s\n\n%s\n", line->command, line->usage, line->about);
    if (line->row_count) puts("options:");
    for (int i = 0; i < line->row_count; i++) {
        const opt_row *row = &line->rows[i];
        char head[128];
        snprintf(head, sizeof head, "%c%c%s %s%s%s", row->letter ? '-' : ' ', row->letter ? row->letter : ' ',
                 row->letter ? "," : " ", row->name, row->argument ? " " : "",
                 row->argument ? row->argument : "");
        if (strlen(head) <= 34)
            printf("  %-34s  %s\n", head, row->help);
        else
            printf("  %s\n  %-34s  %s\n", head, "", row->help);
    }
    puts("  -h, --help                          print this text\n\n"
         "exit codes: 0 done, 1 failed, 2 wrong command line");
}

const char *opt_pair_split(const char *pair, char *name, size_t size)
{
    const char *equals = strchr(pair, '=');
    if (!equals) equals = pair + strlen(pair);
    size_t n = (size_t)(equals - pair);
    if (n >= size) n = size - 1;
    memcpy(name, pair, n);
    name[n] = 0;
    return *equals ? equals + 1 : equals;
}

/* ---- one function a kind: false if `text` is not a value of it; *allowed says what is ---- */

static bool parse_int(const opt_row *row, const char *text, char *allowed, size_t size)
{
    snprintf(allowed, size, "a whole number from %d to %d", row->min, row->max);
    char *end;
    errno = 0;
    long v = strtol(text, &end, 10);
    if (end == text || *end || errno || v < row->min || v > row->max) return false;
    *(int *)row->value = (int)v;
    return true;
}

static bool parse_mebibytes(const opt_row *row, const char *text, char *allowed, size_t size)
{
    snprintf(allowed, size, "a number of MiB, such as 64 or 0.5");
    char *end;
    double v = strtod(text, &end);
    if (end == text || *end || !(v > 0 && v < 1e9)) return false;
    *(uint64_t *)row->value = (uint64_t)(v * 1048576);
    return true;
}

static bool parse_floats(const opt_row *row, const char *text, char *allowed, size_t size)
{
    opt_floats *list = row->value;
    snprintf(allowed, size, "up to %d numbers separated by commas", (int)VKB_COUNT(list->values));
    list->count = 0;
    for (;;) {
        char *end;
        float v = strtof(text, &end);
        if (end == text || (*end && *end != ',') || !(v > -1e30f && v < 1e30f)) return false;
        if (list->count == (int)VKB_COUNT(list->values)) return false;
        list->values[list->count++] = v;
        if (!*end) return true;
        text = end + 1;
    }
}

static bool parse_item(const opt_row *row, const char *text, char *allowed, size_t size)
{
    opt_list *list = row->value;
    bool pair = row->kind == OPT_PAIRS;
    snprintf(allowed, size, "%s, at most %d of them", row->argument, OPT_MAX_LIST);
    const char *equals = strchr(text, '=');
    if (list->count == OPT_MAX_LIST || !*text) return false;
    if (pair && (!equals || equals == text || !equals[1])) return false;
    list->items[list->count++] = text;
    return true;
}

/* 224, or [32..640]; *end is where it ends. */
static bool parse_dim(const char *p, char **end, int64_t *min, int64_t *max)
{
    const bool range = *p == '[';
    if (!isdigit((unsigned char)p[range])) return false;
    errno = 0;
    *min = *max = strtoll(p + range, end, 10);
    if (range) {
        if (strncmp(*end, "..", 2) != 0 || !isdigit((unsigned char)(*end)[2])) return false;
        *max = strtoll(*end + 2, end, 10);
        if (*(*end)++ != ']') return false;
    }
    return !errno && *min > 0 && *min <= *max;
}

static bool parse_shape(const opt_row *row, char *text, char *allowed, size_t size)
{
    opt_shapes *list = row->value;
    bool ranges = row->kind == OPT_RANGES, range = false;
    snprintf(allowed, size, "%s: an input's name and 1 to %d dimensions above 0%s", row->argument,
             VKI_MAX_RANK, ranges ? "; [32..640] for all from 32 to 640" : "");
    char *equals = strrchr(text, '='); /* the last: an input's name may hold one */
    if (!equals || equals == text || list->count == OPT_MAX_LIST || list->range_count == OPT_MAX_LIST)
        return false;
    vki_range r = {.input = text, .rank = 0};
    for (char *p = equals + 1;; p++) {
        if (r.rank == VKI_MAX_RANK || (*p == '[' && !ranges)) return false;
        range = range || *p == '[';
        if (!parse_dim(p, &p, &r.min[r.rank], &r.max[r.rank])) return false;
        r.rank++;
        if (!*p) break;
        if (*p != 'x' && *p != ',') return false;
    }
    *equals = 0; /* ends the name, which stays in argv */
    if (range) {
        list->ranges[list->range_count++] = r;
    } else {
        vki_shape *shape = &list->items[list->count++];
        *shape = (vki_shape){.input = r.input, .rank = r.rank};
        memcpy(shape->dims, r.min, sizeof shape->dims);
    }
    return true;
}

static bool parse_tie(const opt_row *row, char *text, char *allowed, size_t size)
{
    opt_ties *list = row->value;
    snprintf(allowed, size, "OUT=IN: an output's and an input's name, at most %d of them", OPT_MAX_LIST);
    char *equals = strchr(text, '=');
    if (!equals || equals == text || !equals[1] || list->count == OPT_MAX_LIST) return false;
    *equals = 0; /* ends the output's name, which stays in argv */
    list->items[list->count++] = (vki_tie){.output = text, .input = equals + 1};
    return true;
}

static bool parse_device(const opt_row *row, const char *text, char *allowed, size_t size)
{
    vki_context_options *o = row->value;
    snprintf(
        allowed, size,
        "auto, cpu, vulkan or vulkan:N, where N counts from 0 as in `vkinfer devices`, or plan or plan:KIND "
        "(minimum, adreno, mali, nvidia) for info");
    o->device_index = 0;
    if (!strcmp(text, "auto")) {
        o->backend = VKI_BACKEND_AUTO;
    } else if (!strcmp(text, "cpu")) {
        o->backend = VKI_BACKEND_CPU;
    } else if (!strcmp(text, "plan") || !strncmp(text, "plan:", 5)) {
        o->backend = VKI_BACKEND_PLAN;
        o->plan_device = text[4] ? text + 5 : NULL;
    } else if (!strncmp(text, "vulkan", 6)) {
        o->backend = VKI_BACKEND_VULKAN;
        if (!text[6]) return true;
        opt_row index = {.value = &o->device_index, .max = 255};
        char unused[64];
        return text[6] == ':' && parse_int(&index, text + 7, unused, sizeof unused);
    } else {
        return false;
    }
    return true;
}

static const struct {
    const char *name;
    vki_precision value;
} precisions[] = {
    {"auto", VKI_PRECISION_AUTO}, {"fp32", VKI_PRECISION_FP32}, {"fp16store", VKI_PRECISION_FP16_STORE},
    {"fp16", VKI_PRECISION_FP16}, {"int8", VKI_PRECISION_INT8}, {"bf16", VKI_PRECISION_BF16}};

const char *opt_precision_name(vki_precision precision)
{
    for (size_t i = 0; i < VKB_COUNT(precisions); i++)
        if (precisions[i].value == precision) return precisions[i].name;
    return "unknown";
}

static bool parse_precision(const opt_row *row, const char *text, char *allowed, size_t size)
{
    snprintf(allowed, size, "auto, fp32, fp16store, fp16, bf16 or int8");
    for (size_t i = 0; i < VKB_COUNT(precisions); i++) {
        if (strcmp(text, precisions[i].name) != 0) continue;
        *(vki_precision *)row->value = precisions[i].value;
        return true;
    }
    return false;
}

static bool parse_weights(const opt_row *row, const char *text, char *allowed, size_t size)
{
    static const char *const names[] = {
        [VKI_WEIGHTS_FP32] = "fp32", [VKI_WEIGHTS_FP16] = "fp16", [VKI_WEIGHTS_INT8] = "int8"};
    snprintf(allowed, size, "fp32, fp16 or int8");
    for (size_t i = 0; i < VKB_COUNT(names); i++) {
        if (strcmp(text, names[i]) != 0) continue;
        *(vki_weights *)row->value = (vki_weights)i;
        return true;
    }
    return false;
}

static bool parse_value(const opt_row *row, char *text, char *allowed, size_t size)
{
    switch (row->kind) {
    case OPT_STRING:
        snprintf(allowed, size, "a text that is not empty");
        *(const char **)row->value = text;
        return *text != 0;
    case OPT_INT:
        return parse_int(row, text, allowed, size);
    case OPT_MEBIBYTES:
        return parse_mebibytes(row, text, allowed, size);
    case OPT_FLOATS:
        return parse_floats(row, text, allowed, size);
    case OPT_LIST:
    case OPT_PAIRS:
        return parse_item(row, text, allowed, size);
    case OPT_SHAPES:
    case OPT_RANGES:
        return parse_shape(row, text, allowed, size);
    case OPT_TIES:
        return parse_tie(row, text, allowed, size);
    case OPT_DEVICE:
        return parse_device(row, text, allowed, size);
    case OPT_PRECISION:
        return parse_precision(row, text, allowed, size);
    case OPT_WEIGHTS:
        return parse_weights(row, text, allowed, size);
    case OPT_FLAG:
        break;
    }
    return false;
}

/* The row that `word` names ("--name", "--name=VALUE", "-o", "-oVALUE"); *value is its value inside the word
 * or NULL.
 */
static const opt_row *find_row(const opt_line *line, char *word, char **value)
{
    size_t name = strcspn(word, "=");
    for (int i = 0; i < line->row_count; i++) {
        const opt_row *row = &line->rows[i];
        if (word[1] != '-' && row->letter && row->letter == word[1]) {
            *value = word[2] ? word + 2 : NULL;
            return row;
        }
        if (strlen(row->name) == name && !strncmp(row->name, word, name)) {
            *value = word[name] ? word + name + 1 : NULL;
            return row;
        }
    }
    return NULL;
}

/* Takes argv[*i], an option, and its value. */
static int take_option(const opt_line *line, int argc, char **argv, int *i)
{
    char *value = NULL;
    const opt_row *row = find_row(line, argv[*i], &value);
    if (!row) return options_wrong(line, "there is no option '%s'", argv[*i]);
    if (row->kind == OPT_FLAG) {
        if (value) return options_wrong(line, "%s takes no value, but got '%s'", row->name, value);
        *(bool *)row->value = true;
        return OPT_GO_ON;
    }
    if (!value) {
        if (*i + 1 >= argc) return options_wrong(line, "%s needs a value: %s", row->name, row->argument);
        value = argv[++*i];
    }
    char allowed[256] = "";
    if (!parse_value(row, value, allowed, sizeof allowed))
        return options_wrong(line, "%s: '%s' is not %s", row->name, value, allowed);
    return OPT_GO_ON;
}

int options_parse(opt_line *line, int argc, char **argv)
{
    bool options = true;
    for (int i = 1; i < argc; i++) {
        char *word = argv[i];
        if (options && (!strcmp(word, "--help") || !strcmp(word, "-h"))) {
            print_help(line);
            return TOOL_OK;
        }
        if (options && !strcmp(word, "--")) {
            options = false;
        } else if (options && word[0] == '-' && word[1]) {
            int code = take_option(line, argc, argv, &i);
            if (code != OPT_GO_ON) return code;
        } else {
            if (line->arg_count >= line->max_args || line->arg_count >= OPT_MAX_ARGS)
                return options_wrong(line, "one argument too many: '%s'", word);
            line->args[line->arg_count++] = word;
        }
    }
    if (line->arg_count < line->min_args)
        return options_wrong(line, "something is missing; usage: vkinfer %s %s", line->command, line->usage);
    return OPT_GO_ON;
}
