/* SPDX-License-Identifier: Apache-2.0 */
#include "testdata.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#ifdef VKI_HAVE_ONNX
#include "graph/import/onnx/onnx_import.h"
#endif

enum { ITEMS_MAX = 1024, PATH_BYTES = 4096 };

bool testdata_exists(const char *folder, const char *file, char *path, size_t size)
{
    int n = snprintf(path, size, "%s/%s", folder, file);
    return n > 0 && (size_t)n < size && access(path, R_OK) == 0;
}

/* ---- one tensor ---- */

static vki_status load_pb(testdata *d, const char *path, testdata_item *item, vki_error *err)
{
#ifdef VKI_HAVE_ONNX
    vkb_file file;
    VKB_TRY(vkb_file_map(&file, path, err));
    gr_graph g;
    gr_id id;
    gr_init(&g, &vkb_libc_allocator);
    vki_error why;
    vki_status status = onnx_read_tensor(&g, file.data, file.bytes, &id, &why);
    if (status == VKI_OK) {
        const gr_tensor *t = &g.tensors[id];
        npy_array *a = &item->array;
        a->dtype = t->dtype;
        a->rank = t->rank;
        memcpy(a->dims, t->dims, sizeof a->dims);
        a->bytes = (size_t)gr_bytes(t);
        a->data = vkb_alloc(&vkb_libc_allocator, a->bytes);
        item->name = vkb_arena_strdup(&d->arena, t->name[0] == '#' ? "" : t->name); /* #n: made up */
        if (!a->data || !item->name)
            status = vkb_nomem(err, a->bytes);
        else if (a->bytes)
            memcpy(a->data, t->data, a->bytes);
    } else {
        vkb_fail(err, status, "%s: %s", path, why.text);
    }
    gr_free(&g);
    vkb_file_unmap(&file);
    return status;
#else
    (void)d;
    (void)item;
    return vkb_fail(err, VKI_E_UNSUPPORTED, "%s: this build has no ONNX importer to read it", path);
#endif
}

/* A new item at the end of a list. */
static testdata_item *append(testdata_item **items, int *count, int *capacity)
{
    if (*count >= ITEMS_MAX || !VKB_GROW(&vkb_libc_allocator, *items, *capacity, *count + 1)) return NULL;
    testdata_item *item = &(*items)[(*count)++];
    *item = (testdata_item){.name = ""};
    return item;
}

static testdata_item *append_to(testdata *d, bool input)
{
    return input ? append(&d->inputs, &d->n_inputs, &d->cap_inputs)
                 : append(&d->outputs, &d->n_outputs, &d->cap_outputs);
}

/* ---- a folder ---- */

static vki_status load_json_list(testdata *d, const char *folder, const cJSON *list, bool input,
                                 vki_error *err)
{
    const cJSON *entry;
    cJSON_ArrayForEach(entry, list)
    {
        const cJSON *file = cJSON_GetObjectItemCaseSensitive(entry, "file");
        char path[PATH_BYTES];
        if (!cJSON_IsString(file) || strchr(file->valuestring, '/') || !entry->string)
            return vkb_fail(err, VKI_E_FORMAT, "%s/io.json: an entry has no \"file\"", folder);
        if (!testdata_exists(folder, file->valuestring, path, sizeof path))
            return vkb_fail(err, VKI_E_IO, "%s/io.json names %s, which is not there", folder,
                            file->valuestring);
        testdata_item *item = append_to(d, input);
        if (!item) return vkb_nomem(err, sizeof *item);
        item->name = vkb_arena_strdup(&d->arena, entry->string);
        if (!item->name) return vkb_nomem(err, 1);
        VKB_TRY(npy_load(&item->array, path, err));
    }
    return VKI_OK;
}

static vki_status load_json(testdata *d, const char *folder, const char *path, vki_error *err)
{
    vkb_file file;
    VKB_TRY(vkb_file_map(&file, path, err));
    cJSON *root = cJSON_ParseWithLength((const char *)file.data, file.bytes);
    vki_status status = root ? VKI_OK : vkb_fail(err, VKI_E_FORMAT, "%s is not valid JSON", path);
    if (root) status = load_json_list(d, folder, cJSON_GetObjectItemCaseSensitive(root, "inputs"), true, err);
    if (status == VKI_OK)
        status = load_json_list(d, folder, cJSON_GetObjectItemCaseSensitive(root, "outputs"), false, err);
    cJSON_Delete(root);
    vkb_file_unmap(&file);
    return status;
}

/* input_0, input_1, ... as .pb or .npy, until one is missing. */
static vki_status load_numbered(testdata *d, const char *folder, bool input, vki_error *err)
{
    for (int i = 0; i < ITEMS_MAX; i++) {
        char file[64], path[PATH_BYTES];
        snprintf(file, sizeof file, "%s_%d.pb", input ? "input" : "output", i);
        bool pb = testdata_exists(folder, file, path, sizeof path);
        snprintf(file, sizeof file, "%s_%d.npy", input ? "input" : "output", i);
        if (!pb && !testdata_exists(folder, file, path, sizeof path)) return VKI_OK;
        testdata_item *item = append_to(d, input);
        if (!item) return vkb_nomem(err, sizeof *item);
        VKB_TRY(pb ? load_pb(d, path, item, err) : npy_load(&item->array, path, err));
    }
    return VKI_OK;
}

vki_status testdata_load(testdata *d, const char *folder, vki_error *err)
{
    char path[PATH_BYTES];
    *d = (testdata){.inputs = NULL};
    vkb_arena_init(&d->arena, &vkb_libc_allocator);
    vki_status status;
    if (testdata_exists(folder, "io.json", path, sizeof path)) {
        status = load_json(d, folder, path, err);
    } else {
        status = load_numbered(d, folder, true, err);
        if (status == VKI_OK) status = load_numbered(d, folder, false, err);
    }
    if (status == VKI_OK && d->n_outputs == 0)
        status = vkb_fail(err, VKI_E_IO, "%s has neither io.json nor output_0.pb nor output_0.npy", folder);
    if (status != VKI_OK) testdata_free(d);
    return status;
}

static void free_items(testdata_item *items, int count)
{
    for (int i = 0; i < count; i++) npy_free(&items[i].array);
    vkb_free(&vkb_libc_allocator, items);
}

void testdata_free(testdata *d)
{
    free_items(d->inputs, d->n_inputs);
    free_items(d->outputs, d->n_outputs);
    if (d->arena.allocator) vkb_arena_free(&d->arena);
    *d = (testdata){.inputs = NULL};
}

const testdata_item *testdata_find(const testdata_item *items, int count, const char *name, int index)
{
    for (int i = 0; i < count; i++)
        if (items[i].name[0] && strcmp(items[i].name, name) == 0) return &items[i];
    return index < count && !items[index].name[0] ? &items[index] : NULL;
}
