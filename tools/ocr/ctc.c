/* SPDX-License-Identifier: Apache-2.0 */
#include "ocr/ctc.h"

#include <stdlib.h>
#include <string.h>

void ctc_keys_free(ctc_keys *keys)
{
    free(keys->text);
    free(keys->items);
    *keys = (ctc_keys){0};
}

vki_status ctc_keys_parse(ctc_keys *keys, const char *text, size_t bytes, vki_error *err)
{
    *keys = (ctc_keys){0};
    if (bytes == 0 || bytes > (1u << 24))
        return vkb_fail(err, VKI_E_FORMAT, "a key list of %zu bytes: expected one character a line", bytes);
    size_t lines = 1;
    for (size_t i = 0; i < bytes; i++) lines += text[i] == '\n';
    keys->text = malloc(bytes + 1);
    keys->items = malloc(lines * sizeof *keys->items);
    if (!keys->text || !keys->items) {
        ctc_keys_free(keys);
        return vkb_nomem(err, bytes + lines * sizeof *keys->items);
    }
    memcpy(keys->text, text, bytes);
    keys->text[bytes] = 0;
    for (char *line = keys->text, *end = keys->text + bytes; line < end;) {
        char *next = memchr(line, '\n', (size_t)(end - line));
        if (!next) next = end;
        *next = 0;
        if (next > line && next[-1] == '\r') next[-1] = 0;
        keys->items[keys->count++] = line;
        line = next + 1;
    }
    return VKI_OK;
}

vki_status ctc_keys_load(ctc_keys *keys, const char *path, vki_error *err)
{
    *keys = (ctc_keys){0};
    vkb_file file;
    VKB_TRY(vkb_file_map(&file, path, err));
    vki_status status = ctc_keys_parse(keys, (const char *)file.data, file.bytes, err);
    vkb_file_unmap(&file);
    return status;
}

static const char *key_of(const ctc_keys *keys, int64_t label)
{
    return label <= keys->count ? keys->items[label - 1] : " ";
}

vki_status ctc_decode(const float *probabilities, int64_t steps, int64_t classes, const ctc_keys *keys,
                      char **text, float *score, vki_error *err)
{
    *text = NULL;
    *score = 0;
    if (classes != keys->count + 1 && classes != keys->count + 2)
        return vkb_fail(
            err, VKI_E_SHAPE,
            "the network tells %lld classes apart, but the key list has %d lines; it needs %lld: one a class "
            "without the blank and the space. Give the list that belongs to the network",
            (long long)classes, keys->count, (long long)classes - 2);
    size_t length = 0, room = 64, kept = 0;
    char *out = malloc(room);
    if (!out) return vkb_nomem(err, room);
    double sum = 0;
    int64_t last = 0;
    for (int64_t t = 0; t < steps; t++) {
        const float *p = probabilities + t * classes;
        int64_t best = 0;
        for (int64_t k = 1; k < classes; k++)
            if (p[k] > p[best]) best = k;
        bool repeated = best == last;
        last = best;
        if (best == 0 || repeated) continue;
        const char *key = key_of(keys, best);
        size_t bytes = strlen(key);
        if (length + bytes + 1 > room) {
            room = 2 * (length + bytes + 1);
            char *grown = realloc(out, room);
            if (!grown) {
                free(out);
                return vkb_nomem(err, room);
            }
            out = grown;
        }
        memcpy(out + length, key, bytes);
        length += bytes;
        sum += (double)p[best];
        kept++;
    }
    out[length] = 0;
    *text = out;
    *score = kept ? (float)(sum / (double)kept) : 0;
    return VKI_OK;
}
