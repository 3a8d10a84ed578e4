/* SPDX-License-Identifier: Apache-2.0
 * Command lines by table. A command lists its options as rows; options_parse fills the variables that the
 * rows point to, answers --help, and says what is wrong with a bad line:
 *
 *     opt_engine engine = {0};
 *     const char *output = NULL;
 *     const opt_row rows[] = {
 *         {"--output", 'o', OPT_STRING, &output, "FILE", "where to write the result"},
 *         OPT_ENGINE_ROWS(engine),
 *     };
 *     opt_line line = {.command = "convert", .usage = "IN.onnx -o OUT.vkm", .about = "...",
 *                      .rows = rows, .row_count = VKB_COUNT(rows), .min_args = 1, .max_args = 1};
 *     int code = options_parse(&line, argc, argv);
 *     if (code != OPT_GO_ON) return code;
 *
 * Values follow as `--name VALUE` or `--name=VALUE`; `--` ends the options. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "tool.h"

#define OPT_GO_ON    (-1) /* options_parse: the line is good, go on */
#define OPT_MAX_ARGS 256
#define OPT_MAX_LIST 64

typedef enum opt_kind {
    OPT_FLAG,      /* bool *: set to true */
    OPT_STRING,    /* const char ** */
    OPT_INT,       /* int *: row.min .. row.max */
    OPT_MEBIBYTES, /* uint64_t *: given in MiB, stored in bytes */
    OPT_FLOATS,    /* opt_floats *: numbers separated by commas */
    OPT_LIST,      /* opt_list *: each time the option is given adds one */
    OPT_PAIRS,     /* opt_list *: the same, each must read NAME=VALUE (see opt_pair_split) */
    OPT_SHAPES,    /* opt_shapes *: each NAME=1x3x224x224 adds one */
    OPT_RANGES,    /* opt_shapes *: the same; with an [a..b] among the dimensions it adds a range */
    OPT_TIES,      /* opt_ties *: each OUT=IN adds one */
    OPT_DEVICE,    /* vki_context_options *: auto, cpu, vulkan, vulkan:N */
    OPT_PRECISION, /* vki_precision * */
    OPT_WEIGHTS    /* vki_weights * */
} opt_kind;

typedef struct opt_floats {
    float values[16];
    int count;
} opt_floats;

typedef struct opt_list {
    const char *items[OPT_MAX_LIST];
    int count;
} opt_list;

typedef struct opt_shapes {
    vki_shape items[OPT_MAX_LIST]; /* names point into argv */
    vki_range ranges[OPT_MAX_LIST];
    int count, range_count;
} opt_shapes;

typedef struct opt_ties {
    vki_tie items[OPT_MAX_LIST]; /* names point into argv */
    int count;
} opt_ties;

typedef struct opt_row {
    const char *name; /* with its dashes: "--shape" */
    char letter;      /* short form, or 0 */
    opt_kind kind;
    void *value;
    const char *argument; /* for --help: "NAME=1x3x224x224"; NULL for a flag */
    const char *help;
    int min, max; /* of OPT_INT */
} opt_row;

typedef struct opt_line {
    const char *command; /* "run" */
    const char *usage;   /* what follows "vkinfer run": "MODEL [options]" */
    const char *about;   /* paragraphs for --help */
    const opt_row *rows;
    int row_count;
    int min_args, max_args; /* how many arguments that are no options */
    const char *args[OPT_MAX_ARGS];
    int arg_count;
} opt_line;

/* OPT_GO_ON, or an exit code: TOOL_OK after --help, TOOL_USAGE after printing what is wrong. */
int options_parse(opt_line *line, int argc, char **argv);
/* Prints "vkinfer <command>: <text>" and where help is; returns TOOL_USAGE. For checks that a table cannot
 * make. */
int options_wrong(const opt_line *line, const char *format, ...) VKB_PRINTF(2, 3);
/* Splits NAME=VALUE at its first '='. *name gets up to `size` - 1 bytes. */
const char *opt_pair_split(const char *pair, char *name, size_t size);

const char *opt_precision_name(vki_precision precision); /* as --precision takes it */

/* ---- engine.c: the options that every command with a session has ---- */

typedef struct opt_engine {
    vki_context_options context;
    vki_session_options session;
    opt_shapes shapes;
    opt_ties ties;         /* for commands that have OPT_TIE_ROW */
    opt_list disable_pass; /* --disable-pass, beside --disable-passes and $VKINFER_DISABLE_PASSES */
    const char *cache;     /* --cache, else VKINFER_CACHE, else ~/.cache/vkinfer/pipelines */
    int max_submit_us;
    bool gpu_only, gpu_first, no_cache, verbose;
    char cache_path[4096], disabled[1024];
} opt_engine;

#define OPT_DEVICE_ROWS(engine)                                                                              \
    {"--device",                                                                                             \
     0,                                                                                                      \
     OPT_DEVICE,                                                                                             \
     &(engine).context,                                                                                      \
     "auto|cpu|vulkan|vulkan:N",                                                                             \
     "where to run; vulkan:N is the N-th device of `vkinfer devices` (auto)",                                \
     0,                                                                                                      \
     0},                                                                                                     \
        {"--threads", 0,   OPT_INT, &(engine).session.threads, "N", "CPU threads; 0: one a fast core (0)",   \
         0,           1024},                                                                                 \
        {"--cpu-affinity",                                                                                   \
         0,                                                                                                  \
         OPT_STRING,                                                                                         \
         &(engine).session.cpu_affinity,                                                                     \
         "none|fast|slow|0-3,6",                                                                             \
         "cores that CPU threads, but the first, stay on (none)",                                            \
         0,                                                                                                  \
         0},                                                                                                 \
        {"--cache",  0,                                                                                      \
         OPT_STRING, &(engine).cache,                                                                        \
         "FILE",     "Vulkan pipeline cache ($VKINFER_CACHE, else ~/.cache/vkinfer/pipelines)",              \
         0,          0},                                                                                     \
        {"--no-cache", 0, OPT_FLAG, &(engine).no_cache, NULL, "use no pipeline cache file", 0, 0},           \
        {"--force-staging",                                                                                  \
         0,                                                                                                  \
         OPT_FLAG,                                                                                           \
         &(engine).context.force_staging,                                                                    \
         NULL,                                                                                               \
         "copy through staging buffers even where memory is shared",                                         \
         0,                                                                                                  \
         0},                                                                                                 \
        {"--validation",                                                                                     \
         0,                                                                                                  \
         OPT_FLAG,                                                                                           \
         &(engine).context.validation,                                                                       \
         NULL,                                                                                               \
         "enable the Vulkan validation layer",                                                               \
         0,                                                                                                  \
         0},                                                                                                 \
    {                                                                                                        \
        "--verbose", 'v', OPT_FLAG, &(engine).verbose, NULL, "print the engine's log to stderr", 0, 0        \
    }

#define OPT_TIE_ROW(engine)                                                                                  \
    {                                                                                                        \
        "--tie", 0, OPT_TIES, &(engine).ties, "OUT=IN",                                                      \
            "a state: after each run the output becomes the input, which begins with zeros", 0, 0            \
    }

#define OPT_ENGINE_ROWS(engine)                                                                              \
    OPT_DEVICE_ROWS(engine),                                                                                 \
        {"--precision",                                                                                      \
         0,                                                                                                  \
         OPT_PRECISION,                                                                                      \
         &(engine).session.precision,                                                                        \
         "auto|fp32|fp16store|fp16|bf16|int8",                                                               \
         "data and arithmetic of the network (auto); fp16store on Vulkan devices, fp16 "                     \
         "and bf16 on CPUs that have it",                                                                    \
         0,                                                                                                  \
         0},                                                                                                 \
        {"--weights",                                                                                        \
         0,                                                                                                  \
         OPT_WEIGHTS,                                                                                        \
         &(engine).session.weights,                                                                          \
         "fp32|fp16|int8",                                                                                   \
         "how the CPU keeps weights of layers bound by reading them (fp32)",                                 \
         0,                                                                                                  \
         0},                                                                                                 \
        {"--shape",                                                                                          \
         0,                                                                                                  \
         OPT_RANGES,                                                                                         \
         &(engine).shapes,                                                                                   \
         "NAME=1x3x224x224",                                                                                 \
         "shape of a dynamic input; once for each. 1x3x[32..640]x640: reserve for this range",               \
         0,                                                                                                  \
         0},                                                                                                 \
        {"--gpu-only",                                                                                       \
         0,                                                                                                  \
         OPT_FLAG,                                                                                           \
         &(engine).gpu_only,                                                                                 \
         NULL,                                                                                               \
         "a node that would run on the CPU is an error",                                                     \
         0,                                                                                                  \
         0},                                                                                                 \
        {"--gpu-first",                                                                                      \
         0,                                                                                                  \
         OPT_FLAG,                                                                                           \
         &(engine).gpu_first,                                                                                \
         NULL,                                                                                               \
         "the device takes what it can, whatever is faster",                                                 \
         0,                                                                                                  \
         0},                                                                                                 \
        {"--tune-ms",                                                                                        \
         0,                                                                                                  \
         OPT_INT,                                                                                            \
         &(engine).session.tune_ms,                                                                          \
         "N",                                                                                                \
         "time to measure device and CPU in; -1: estimates decide (0: 200, or none with --device vulkan)",   \
         -1,                                                                                                 \
         600000},                                                                                            \
        {"--memory-limit",                                                                                   \
         0,                                                                                                  \
         OPT_MEBIBYTES,                                                                                      \
         &(engine).session.memory_limit,                                                                     \
         "MIB",                                                                                              \
         "refuse a plan that needs more memory",                                                             \
         0,                                                                                                  \
         0},                                                                                                 \
        {"--packed-weights",                                                                                 \
         0,                                                                                                  \
         OPT_INT,                                                                                            \
         &(engine).session.packed_percent,                                                                   \
         "PERCENT",                                                                                          \
         "what the CPU's weights may take, of the model's; 0: 150 (0)",                                      \
         0,                                                                                                  \
         100000},                                                                                            \
        {"--max-submit-us",                                                                                  \
         0,                                                                                                  \
         OPT_INT,                                                                                            \
         &(engine).max_submit_us,                                                                            \
         "US",                                                                                               \
         "most estimated microseconds of a submit to the GPU; 0: what suits the device (0)",                 \
         0,                                                                                                  \
         1000000000},                                                                                        \
        {"--disable-pass",                                                                                   \
         0,                                                                                                  \
         OPT_LIST,                                                                                           \
         &(engine).disable_pass,                                                                             \
         "NAME",                                                                                             \
         "a graph pass not to run, see info --passes; once for each, or 'all'",                              \
         0,                                                                                                  \
         0},                                                                                                 \
    {                                                                                                        \
        "--disable-passes", 0, OPT_STRING, &(engine).session.disable_passes, "A,B",                          \
            "the same as a list ($VKINFER_DISABLE_PASSES adds to both)", 0, 0                                \
    }

/* Completes the option structs (sizes, log, cache file, placement, shapes) after options_parse. The structs
 * point into *engine, which must not move. */
void opt_engine_finish(opt_engine *engine);
bool opt_is_tied(const opt_engine *engine, const char *input); /* by --tie: a state, not the user's to give */
/* opt_engine_finish, the passes that are switched off, and vki_context_create. */
vki_status opt_engine_context(opt_engine *engine, vki_context **out, vki_error *err);

#endif
