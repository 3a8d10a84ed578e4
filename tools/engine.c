/* SPDX-License-Identifier: Apache-2.0
 * From the options that commands share to a context. */
#include "options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void log_to_stderr(void *user, vki_log_level level, const char *text)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};
    const opt_engine *engine = user;
    if (level <= VKI_LOG_WARNING || engine->verbose)
        fprintf(stderr, "vkinfer: %s: %s\n", (unsigned)level < VKB_COUNT(names) ? names[level] : "log", text);
}

/* Makes the folders that `path` lies in. A failure shows when the file is written; a cache is not worth an
 * error. */
static void make_folders(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        mkdir(path, 0755);
        *slash = '/';
    }
}

static const char *cache_file(opt_engine *engine)
{
    const char *given = engine->cache ? engine->cache : getenv("VKINFER_CACHE");
    if (given && *given) return given;
    const char *home = getenv("HOME");
    if (!home || home[0] != '/') return NULL;
    int n = snprintf(engine->cache_path, sizeof engine->cache_path, "%s/.cache/vkinfer/pipelines", home);
    if (n < 0 || (size_t)n >= sizeof engine->cache_path) return NULL;
    make_folders(engine->cache_path);
    return engine->cache_path;
}

void opt_engine_finish(opt_engine *engine)
{
    vki_context_options *context = &engine->context;
    context->size = sizeof *context;
    context->log = log_to_stderr;
    context->log_user = engine;
    if (!engine->no_cache && context->backend != VKI_BACKEND_CPU) context->cache_path = cache_file(engine);

    vki_session_options *session = &engine->session;
    session->size = sizeof *session;
    if (engine->gpu_first) session->placement = VKI_PLACE_GPU_FIRST;
    if (engine->gpu_only) session->placement = VKI_PLACE_GPU_ONLY;
    session->max_submit_us = (uint32_t)engine->max_submit_us;
    session->shapes = engine->shapes.items;
    session->shape_count = engine->shapes.count;
    session->ranges = engine->shapes.ranges;
    session->range_count = engine->shapes.range_count;
    session->ties = engine->ties.items;
    session->tie_count = engine->ties.count;
}

bool opt_is_tied(const opt_engine *engine, const char *input)
{
    for (int i = 0; i < engine->ties.count; i++)
        if (!strcmp(engine->ties.items[i].input, input)) return true;
    return false;
}

/* Adds names of passes to the list; false if there is no room left. */
static bool add_disabled(opt_engine *engine, const char *names)
{
    size_t n = strlen(engine->disabled), room = sizeof engine->disabled - n;
    int length = names && *names ? snprintf(engine->disabled + n, room, "%s%s", n ? "," : "", names) : 0;
    return length >= 0 && (size_t)length < room;
}

/* The passes that the command line and the environment switch off, as one list. */
static vki_status finish_disabled(opt_engine *engine, vki_error *err)
{
    engine->disabled[0] = 0;
    bool fits = add_disabled(engine, engine->session.disable_passes) &&
                add_disabled(engine, getenv("VKINFER_DISABLE_PASSES"));
    for (int i = 0; i < engine->disable_pass.count; i++)
        fits = fits && add_disabled(engine, engine->disable_pass.items[i]);
    if (!fits)
        return vkb_fail(err, VKI_E_ARG,
                        "the names of disabled passes are longer than %zu characters; 'all' means every pass",
                        sizeof engine->disabled - 1);
    engine->session.disable_passes = engine->disabled[0] ? engine->disabled : NULL;
    return VKI_OK;
}

vki_status opt_engine_context(opt_engine *engine, vki_context **out, vki_error *err)
{
    opt_engine_finish(engine);
    VKB_TRY(finish_disabled(engine, err));
    return vki_context_create(&engine->context, out, err);
}
