/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* sched_getaffinity */
#include "base/cores.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void find_usable(vkb_cores *c)
{
    memset(c, 0, sizeof *c);
#if defined(__linux__)
    cpu_set_t set;
    if (!sched_getaffinity(0, sizeof set, &set))
        for (int i = 0; i < VKB_MOST_CORES && i < CPU_SETSIZE; i++)
            c->usable += c->is_usable[i] = CPU_ISSET((size_t)i, &set) != 0;
#endif
    const long online = c->usable ? 0 : sysconf(_SC_NPROCESSORS_ONLN);
    for (int i = 0; i < online && i < VKB_MOST_CORES; i++) c->usable += c->is_usable[i] = true;
    if (!c->usable) c->usable = c->is_usable[0] = 1;
}

/* 0 if the system does not say. */
static long capacity_of(const char *sysfs, int core)
{
    char path[512], text[32];
    const int n = snprintf(path, sizeof path, "%s/cpu%d/cpu_capacity", sysfs, core);
    FILE *f = n > 0 && n < (int)sizeof path ? fopen(path, "r") : NULL;
    if (!f) return 0;
    const long capacity = fgets(text, sizeof text, f) ? strtol(text, NULL, 10) : 0;
    fclose(f);
    return capacity > 0 ? capacity : 0;
}

void vkb_cores_find(vkb_cores *c, const char *sysfs)
{
    long capacity[VKB_MOST_CORES] = {0}, largest = 0;
    find_usable(c);
    for (int i = 0; i < VKB_MOST_CORES; i++) {
        if (!c->is_usable[i]) continue;
        capacity[i] = capacity_of(sysfs, i);
        largest = vkb_max(largest, capacity[i]);
    }
    for (int i = 0; i < VKB_MOST_CORES; i++)
        c->fast += c->is_fast[i] = c->is_usable[i] && capacity[i] >= (largest + 1) / 2;
}
