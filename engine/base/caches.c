/* SPDX-License-Identifier: Apache-2.0 */
#include "base/caches.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { KIB = 1024, MOST_INDEX = 8 };

/* The cores of a list as "0-3,8"; 0 if it is none. */
static int64_t count_list(const char *list)
{
    int64_t count = 0;
    for (char *end; *list >= '0' && *list <= '9'; list = *end == ',' ? end + 1 : end) {
        const long first = strtol(list, &end, 10), last = *end == '-' ? strtol(end + 1, &end, 10) : first;
        count += last >= first ? last - first + 1 : 0;
    }
    return count;
}

static int64_t read_list(const char *sysfs, int core, const char *name)
{
    char text[256];
    return vkb_core_text(sysfs, core, name, text, sizeof text) ? count_list(text) : 0;
}

/* "512K", "1M" */
static int64_t size_of(const char *text)
{
    char *end;
    const int64_t n = strtol(text, &end, 10), unit = *end == 'M' ? KIB * KIB : *end == 'K' ? KIB : 1;
    return n > 0 && n <= INT32_MAX ? n * unit : 0;
}

/* What a core has of cache `index`: threads of a core share it as one. False if there is no such cache. */
static bool read_index(const char *sysfs, int core, int index, int64_t *first, int64_t *second)
{
    char name[64], text[64];
    snprintf(name, sizeof name, "cache/index%d/type", index);
    if (!vkb_core_text(sysfs, core, name, text, sizeof text)) return false;
    if (!strcmp(text, "Instruction")) return true;
    snprintf(name, sizeof name, "cache/index%d/size", index);
    int64_t size = vkb_core_text(sysfs, core, name, text, sizeof text) ? size_of(text) : 0;
    snprintf(name, sizeof name, "cache/index%d/shared_cpu_list", index);
    const int64_t sharing = read_list(sysfs, core, name),
                  siblings = read_list(sysfs, core, "topology/thread_siblings_list");
    size /= vkb_max(1, sharing / vkb_max(1, siblings));
    snprintf(name, sizeof name, "cache/index%d/level", index);
    if (!vkb_core_text(sysfs, core, name, text, sizeof text)) return true;
    if (!strcmp(text, "1")) *first = size;
    if (!strcmp(text, "2")) *second = size;
    return true;
}

/* Of one core; 0 where nobody tells. */
static void read_core(const char *sysfs, int core, int64_t *first, int64_t *second)
{
    *first = *second = 0;
    for (int i = 0; i < MOST_INDEX && read_index(sysfs, core, i, first, second); i++)
        ;
#if defined(_SC_LEVEL1_DCACHE_SIZE) && defined(_SC_LEVEL2_CACHE_SIZE)
    if (!*first) *first = sysconf(_SC_LEVEL1_DCACHE_SIZE);
    if (!*second) *second = sysconf(_SC_LEVEL2_CACHE_SIZE);
#endif
}

static int64_t within(int64_t size, int64_t unknown, int64_t least, int64_t most)
{
    return vkb_max(least, vkb_min(most, size > 0 ? size : unknown));
}

void vkb_caches_find(vkb_caches *c, const vkb_cores *cores, const char *sysfs)
{
    int64_t first[2], second[2];
    int low = 0, high = VKB_MOST_CORES - 1; /* cores of a kind have numbers that follow each other */
    while (low < high && !cores->fast.has[low]) low++;
    while (high > low && !cores->fast.has[high]) high--;
    read_core(sysfs, low, &first[0], &second[0]);
    read_core(sysfs, high, &first[1], &second[1]);
    c->first = within(vkb_min(first[0], first[1]), 32 * KIB, 16 * KIB, 128 * KIB);
    c->second = within(vkb_min(second[0], second[1]), 256 * KIB, 128 * KIB, 2048 * KIB);
}
