/* SPDX-License-Identifier: Apache-2.0
 * Finding test data in folders. */
#include "testdata.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { DEPTH_MAX = 8, PATH_BYTES = 4096 };
static const char set_prefix[] = "test_data_set";

static bool is_set(const char *name)
{
    return strncmp(name, set_prefix, sizeof set_prefix - 1) == 0;
}

static vki_status add(testdata_paths *paths, const char *path, vki_error *err)
{
    char *copy = vkb_arena_strdup(&paths->arena, path);
    if (!copy || !VKB_GROW(&vkb_libc_allocator, paths->items, paths->capacity, paths->count + 1))
        return vkb_nomem(err, strlen(path));
    paths->items[paths->count++] = copy;
    return VKI_OK;
}

static bool is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* sets: collects the data sets of `folder`; otherwise the folders that have some. */
static vki_status walk(testdata_paths *paths, const char *folder, bool sets, int depth, vki_error *err)
{
    DIR *dir = opendir(folder);
    if (!dir) return vkb_fail(err, VKI_E_IO, "cannot read the folder %s: %s", folder, strerror(errno));
    vki_status status = VKI_OK;
    bool has_sets = false;
    for (const struct dirent *e; status == VKI_OK && (e = readdir(dir));) {
        char path[PATH_BYTES];
        int n = snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if (e->d_name[0] == '.' || n < 0 || (size_t)n >= sizeof path || !is_folder(path)) continue;
        if (is_set(e->d_name)) {
            has_sets = true;
            if (sets) status = add(paths, path, err);
        } else if (!sets && depth < DEPTH_MAX) {
            status = walk(paths, path, false, depth + 1, err);
        }
    }
    closedir(dir);
    return status == VKI_OK && has_sets && !sets ? add(paths, folder, err) : status;
}

/* test_data_set_2 before test_data_set_10 */
static int by_name(const void *a, const void *b)
{
    const char *x = *(char *const *)a, *y = *(char *const *)b;
    while (*x && *x == *y) {
        x++;
        y++;
    }
    size_t nx = strspn(x, "0123456789"), ny = strspn(y, "0123456789");
    if (nx != ny && nx && ny) return nx < ny ? -1 : 1;
    return (unsigned char)*x - (unsigned char)*y;
}

static vki_status collect(testdata_paths *paths, const char *folder, bool sets, vki_error *err)
{
    *paths = (testdata_paths){.items = NULL};
    vkb_arena_init(&paths->arena, &vkb_libc_allocator);
    char clean[PATH_BYTES]; /* without slashes at its end */
    int n = snprintf(clean, sizeof clean, "%s", folder);
    if (n < 0 || (size_t)n >= sizeof clean) return vkb_fail(err, VKI_E_IO, "path too long: %s", folder);
    while (n > 1 && clean[n - 1] == '/') clean[--n] = 0;
    const char *slash = strrchr(clean, '/');
    vki_status status;
    if (sets && is_set(slash ? slash + 1 : clean))
        status = add(paths, clean, err);
    else
        status = walk(paths, clean, sets, 0, err);
    if (status == VKI_OK && paths->count == 0)
        status = vkb_fail(err, VKI_E_IO, "%s holds no %s_* folder", folder, set_prefix);
    if (status != VKI_OK)
        testdata_paths_free(paths);
    else
        qsort(paths->items, (size_t)paths->count, sizeof *paths->items, by_name);
    return status;
}

vki_status testdata_cases(testdata_paths *paths, const char *folder, vki_error *err)
{
    return collect(paths, folder, false, err);
}

vki_status testdata_sets(testdata_paths *paths, const char *folder, vki_error *err)
{
    return collect(paths, folder, true, err);
}

void testdata_paths_free(testdata_paths *paths)
{
    vkb_free(&vkb_libc_allocator, paths->items);
    if (paths->arena.allocator) vkb_arena_free(&paths->arena);
    *paths = (testdata_paths){.items = NULL};
}
