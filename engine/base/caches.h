/* SPDX-License-Identifier: Apache-2.0
 * Sizes of caches, as the system tells them. */
#ifndef VKB_CACHES_H
#define VKB_CACHES_H

#include "base/cores.h"

typedef struct vkb_caches {
    int64_t first,
        second; /* bytes of data that a fast core has to itself, at the first and the second level */
} vkb_caches;

/* From cpu<n>/cache below `sysfs`; where that is silent (Android), what the C library knows; else 32 and 256
 * KiB. Where fast cores differ, those of the smaller one; a cache that cores share, by equal parts. Between
 * 16 and 128 KiB, and 128 KiB and 2 MiB. */
void vkb_caches_find(vkb_caches *caches, const vkb_cores *cores, const char *sysfs);

#endif
