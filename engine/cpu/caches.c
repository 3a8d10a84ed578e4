/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>

#include "cpu/cpu.h"

static vkb_caches found; /* written once, under `once` */
static const vkb_caches *forced;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void find(void)
{
    vkb_cores cores;
    vkb_cores_find(&cores, VKB_SYSFS_CPUS);
    vkb_caches_find(&found, &cores, VKB_SYSFS_CPUS);
}

const vkb_caches *cpu_caches_get(void)
{
    pthread_once(&once, find);
    return forced ? forced : &found;
}

void cpu_caches_force(const vkb_caches *c)
{
    forced = c;
}
