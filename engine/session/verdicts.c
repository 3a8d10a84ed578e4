/* SPDX-License-Identifier: Apache-2.0
 * Verdicts and their file. Whoever writes the file reads it first, so that processes add to each other's; of
 * two that write at once the later one wins, and the other measures again. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "session/choice.h"

enum { MOST = 1024 }; /* verdicts in a file; the oldest go first */

typedef struct file_header {
    char magic[8];
    uint32_t library, count;
    uint64_t checksum; /* of the verdicts that follow, seeded by that of the header up to here */
} file_header;

struct ses_verdicts {
    const vki_context *context;
    pthread_mutex_t lock; /* of all that follows */
    char *path;           /* NULL: no file */
    bool read;            /* the file was, once */
    ses_verdict *items;   /* oldest first */
    int count, capacity;
};

vki_status ses_verdicts_create(const vki_context *c, const char *path, ses_verdicts **out, vki_error *err)
{
    static const char ending[] = ".placement";
    const vki_allocator *a = &c->allocator;
    ses_verdicts *v = *out = vkb_calloc(a, 1, sizeof *v);
    size_t bytes = path ? strlen(path) + sizeof ending : 0;
    if (v) v->path = bytes ? vkb_alloc(a, bytes) : NULL;
    if (!v || (bytes && !v->path)) {
        vkb_free(a, v);
        *out = NULL;
        return vkb_nomem(err, sizeof *v + bytes);
    }
    if (bytes) snprintf(v->path, bytes, "%s%s", path, ending);
    v->context = c;
    pthread_mutex_init(&v->lock, NULL);
    return VKI_OK;
}

void ses_verdicts_destroy(ses_verdicts **verdicts)
{
    ses_verdicts *v = *verdicts;
    *verdicts = NULL;
    if (!v) return;
    const vki_allocator *a = &v->context->allocator;
    pthread_mutex_destroy(&v->lock);
    vkb_free(a, v->path);
    vkb_free(a, v->items);
    vkb_free(a, v);
}

static void say(const ses_verdicts *v, vki_log_level level, const char *what, const char *why)
{
    char text[1024];
    snprintf(text, sizeof text, "placement verdicts %s%s: %s", v->path, what, why);
    if (v->context->log) v->context->log(v->context->log_user, level, text);
}

/* ---- the list ---- */

static ses_verdict *find(const ses_verdicts *v, uint64_t key)
{
    for (int i = 0; i < v->count; i++)
        if (v->items[i].key == key) return &v->items[i];
    return NULL;
}

static void append(ses_verdicts *v, const ses_verdict *verdict)
{
    if (v->count == MOST) memmove(v->items, v->items + 1, (size_t)--v->count * sizeof *v->items);
    if (VKB_GROW(&v->context->allocator, v->items, v->capacity, v->count + 1))
        v->items[v->count++] = *verdict;
}

/* ---- the file ---- */

static file_header header_for(const ses_verdict *items, uint32_t count)
{
    file_header h = {.magic = {'V', 'K', 'I', 'P', 'L', '1', '\r', '\n'}};
    h.library = VKI_API_VERSION;
    h.count = count;
    h.checksum = vkb_hash(items, count * sizeof *items, vkb_hash(&h, offsetof(file_header, checksum), 0));
    return h;
}

static bool is_whole(const vkb_file *file)
{
    file_header found, expected;
    if (file->bytes < sizeof found) return false;
    memcpy(&found, file->data, sizeof found);
    if (found.count > MOST || file->bytes - sizeof found != found.count * sizeof(ses_verdict)) return false;
    expected = header_for((const ses_verdict *)(const void *)(file->data + sizeof found), found.count);
    return !memcmp(&found, &expected, sizeof found);
}

/* Takes what is not known yet. */
static void read_file(ses_verdicts *v)
{
    vkb_file file;
    vki_error why;
    if (!v->path) return;
    v->read = true;
    if (vkb_file_map(&file, v->path, &why) != VKI_OK) {
        say(v, VKI_LOG_INFO, "", why.text);
        return;
    }
    if (!is_whole(&file))
        say(v, VKI_LOG_WARNING, " are ignored", "the file is damaged, or of another version of the library");
    for (size_t at = sizeof(file_header); is_whole(&file) && at < file.bytes; at += sizeof(ses_verdict)) {
        ses_verdict verdict;
        memcpy(&verdict, file.data + at, sizeof verdict);
        if (!find(v, verdict.key)) append(v, &verdict);
    }
    vkb_file_unmap(&file);
}

static void write_file(const ses_verdicts *v)
{
    vki_error why;
    file_header header = header_for(v->items, (uint32_t)v->count);
    const vkb_span parts[] = {{&header, sizeof header}, {v->items, (size_t)v->count * sizeof *v->items}};
    if (v->path && vkb_file_write(v->path, parts, VKB_COUNT(parts), &why) != VKI_OK)
        say(v, VKI_LOG_WARNING, "", why.text);
}

/* ---- */

bool ses_verdicts_find(ses_verdicts *v, uint64_t key, ses_verdict *out)
{
    pthread_mutex_lock(&v->lock);
    if (!v->read) read_file(v);
    const ses_verdict *found = find(v, key);
    if (found) *out = *found;
    pthread_mutex_unlock(&v->lock);
    return found != NULL;
}

void ses_verdicts_add(ses_verdicts *v, const ses_verdict *verdict)
{
    pthread_mutex_lock(&v->lock);
    read_file(v); /* it may have grown */
    ses_verdict *known = find(v, verdict->key);
    if (known)
        *known = *verdict;
    else
        append(v, verdict);
    write_file(v);
    pthread_mutex_unlock(&v->lock);
}
