/* SPDX-License-Identifier: Apache-2.0
 * The cores this process may use, and which of them are fast: phones have two or three kinds. */
#ifndef VKB_CORES_H
#define VKB_CORES_H

#include "base/base.h"

enum { VKB_MOST_CORES = 1024 };
#define VKB_SYSFS_CPUS "/sys/devices/system/cpu"

typedef struct vkb_core_set {
    int count;
    bool has[VKB_MOST_CORES];
} vkb_core_set;

typedef struct vkb_cores {
    vkb_core_set usable, fast; /* at least one; fast ones are usable */
} vkb_cores;

/* Fast are those of at least half the capacity of the largest (cpu<n>/cpu_capacity below `sysfs`): work that
 * is cut into equal parts would wait for the others. Where there are no capacities, those of at least four
 * fifths of the highest clock (cpu<n>/cpufreq/cpuinfo_max_freq), which differs less than speed does. Where
 * the system says neither, all are. */
void vkb_cores_find(vkb_cores *cores, const char *sysfs);

/* The cores that a user names: NULL, "" and "none" are no set (count 0); "fast"; "slow", the usable ones that
 * are not fast (all, where all are alike); or a list as "0-3,6" of usable ones. VKI_E_ARG. */
vki_status vkb_cores_choose(const vkb_cores *cores, const char *names, vkb_core_set *set, vki_error *err);

/* Has the calling thread run on the cores of the set only. VKI_E_UNSUPPORTED where the system has no such
 * call, or refuses. */
vki_status vkb_cores_stay_on(const vkb_core_set *set, vki_error *err);

/* The first line of cpu<core>/<name> below `sysfs`, without its end; false if there is none. */
bool vkb_core_text(const char *sysfs, int core, const char *name, char *text, size_t size);

#endif
