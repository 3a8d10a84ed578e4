/* SPDX-License-Identifier: Apache-2.0
 * The cores this process may use, and which of them are fast: phones have two or three kinds. */
#ifndef VKB_CORES_H
#define VKB_CORES_H

#include "base/base.h"

enum { VKB_MOST_CORES = 1024 };
#define VKB_SYSFS_CPUS "/sys/devices/system/cpu"

typedef struct vkb_cores {
    int usable, fast; /* numbers of cores; 1 <= fast <= usable */
    bool is_usable[VKB_MOST_CORES], is_fast[VKB_MOST_CORES];
} vkb_cores;

/* Fast are those of at least half the capacity of the largest (cpu<n>/cpu_capacity below `sysfs`): work that
 * is cut into equal parts would wait for the others. Where the system does not say, all are. */
void vkb_cores_find(vkb_cores *cores, const char *sysfs);

#endif
