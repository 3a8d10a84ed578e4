/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* sched_getaffinity */
#include "base/cores.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void add(vkb_core_set *set, int core)
{
    set->count += !set->has[core];
    set->has[core] = true;
}

static void find_usable(vkb_core_set *usable)
{
#if defined(__linux__)
    cpu_set_t set;
    if (!sched_getaffinity(0, sizeof set, &set))
        for (int i = 0; i < VKB_MOST_CORES && i < CPU_SETSIZE; i++)
            if (CPU_ISSET((size_t)i, &set)) add(usable, i);
#endif
    const long online = usable->count ? 0 : sysconf(_SC_NPROCESSORS_ONLN);
    for (int i = 0; i < online && i < VKB_MOST_CORES; i++) add(usable, i);
    if (!usable->count) add(usable, 0);
}

bool vkb_core_text(const char *sysfs, int core, const char *name, char *text, size_t size)
{
    char path[512];
    const int n = snprintf(path, sizeof path, "%s/cpu%d/%s", sysfs, core, name);
    FILE *f = n > 0 && n < (int)sizeof path ? fopen(path, "r") : NULL;
    if (!f) return false;
    const bool read = fgets(text, (int)size, f) != NULL;
    fclose(f);
    if (read) text[strcspn(text, "\n")] = '\0';
    return read;
}

/* Of each usable core; 0 where the system does not say. The largest. */
static long read_all(const char *sysfs, const vkb_core_set *usable, const char *name, long of[VKB_MOST_CORES])
{
    long largest = 0;
    char text[32];
    for (int i = 0; i < VKB_MOST_CORES; i++) {
        of[i] = 0;
        if (usable->has[i] && vkb_core_text(sysfs, i, name, text, sizeof text))
            of[i] = strtol(text, NULL, 10);
        if (of[i] > largest) largest = of[i];
    }
    return largest;
}

void vkb_cores_find(vkb_cores *c, const char *sysfs)
{
    long of[VKB_MOST_CORES];
    memset(c, 0, sizeof *c);
    find_usable(&c->usable);
    const long capacity = read_all(sysfs, &c->usable, "cpu_capacity", of);
    long least = capacity / 2 + capacity % 2;
    if (!capacity) {
        const long clock = read_all(sysfs, &c->usable, "cpufreq/cpuinfo_max_freq", of); /* kHz */
        least = clock - clock / 5;
    }
    for (int i = 0; i < VKB_MOST_CORES; i++)
        if (c->usable.has[i] && of[i] >= least) add(&c->fast, i);
}

/* A number at *at, which moves behind it; -1 if there is none. */
static long number_at(const char **at)
{
    if (**at < '0' || **at > '9') return -1;
    char *end;
    const long n = strtol(*at, &end, 10);
    *at = end;
    return n;
}

static vki_status read_list(const vkb_core_set *usable, const char *names, vkb_core_set *set, vki_error *err)
{
    for (const char *at = names;; at++) {
        const long first = number_at(&at);
        long last = first;
        if (first >= 0 && *at == '-') {
            at++;
            last = number_at(&at);
        }
        if (first < 0 || last < first || (*at && *at != ','))
            return vkb_fail(
                err, VKI_E_ARG,
                "cpu_affinity is \"%s\"; it must be none, fast, slow, or a list of cores as 0-3,6", names);
        for (long i = first; i <= last; i++) {
            if (i >= VKB_MOST_CORES || !usable->has[i])
                return vkb_fail(err, VKI_E_ARG,
                                "cpu_affinity is \"%s\", but this process may not run on core %ld", names, i);
            add(set, (int)i);
        }
        if (!*at) return VKI_OK;
    }
}

vki_status vkb_cores_choose(const vkb_cores *c, const char *names, vkb_core_set *set, vki_error *err)
{
    memset(set, 0, sizeof *set);
    if (!names || !*names || !strcmp(names, "none")) return VKI_OK;
    if (!strcmp(names, "fast")) {
        *set = c->fast;
        return VKI_OK;
    }
    if (strcmp(names, "slow")) return read_list(&c->usable, names, set, err);
    const bool alike = c->fast.count == c->usable.count;
    for (int i = 0; i < VKB_MOST_CORES; i++)
        if (c->usable.has[i] && (alike || !c->fast.has[i])) add(set, i);
    return VKI_OK;
}

vki_status vkb_cores_stay_on(const vkb_core_set *set, vki_error *err)
{
#if defined(__linux__)
    cpu_set_t cores;
    CPU_ZERO(&cores);
    for (int i = 0; i < VKB_MOST_CORES && i < CPU_SETSIZE; i++)
        if (set->has[i]) CPU_SET((size_t)i, &cores);
    if (!sched_setaffinity(0, sizeof cores, &cores)) return VKI_OK; /* 0: of this thread alone */
    return vkb_fail(err, VKI_E_UNSUPPORTED, "cannot keep a thread on %d cores: %s; use cpu_affinity none",
                    set->count, strerror(errno));
#else
    (void)set;
    return vkb_fail(err, VKI_E_UNSUPPORTED,
                    "this system does not let threads choose their cores; use "
                    "cpu_affinity none");
#endif
}
