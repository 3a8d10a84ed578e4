/* SPDX-License-Identifier: Apache-2.0
 * Drivers that do not keep their promises, as data. A row needs a source: a bug report, or a measurement with
 * device and date. */
#include "vulkan/internal.h"

typedef struct quirk {
    uint32_t vendor_id;                   /* PCI; 0: any */
    VkDriverId driver;                    /* 0: any */
    uint32_t first_version, last_version; /* driverVersion, both included */
    uint32_t flags;
} quirk;

static const quirk table[] = {
    /* Dolphin, VideoCommon/DriverDetails.h, BUG_SLOW_CACHED_READBACK_MEMORY: the time goes into
     * __pi___inval_cache_range. On a G615 with r44p1 cached memory was measured to be 12 times faster. */
    {0x13b5, VK_DRIVER_ID_ARM_PROPRIETARY, 0, VK_MAKE_VERSION(44, 1, 0) - 1, VKR_QUIRK_SLOW_INVALIDATE},
    /* The same on Adreno; seen no more with 512.494 (Dolphin, pull request 14819). */
    {0x5143, VK_DRIVER_ID_QUALCOMM_PROPRIETARY, 0, VK_MAKE_VERSION(512, 494, 0) - 1,
     VKR_QUIRK_SLOW_INVALIDATE},
};

uint32_t vkr_quirks_of(VkDriverId driver, uint32_t vendor_id, uint32_t driver_version)
{
    uint32_t flags = 0;
    for (size_t i = 0; i < VKB_COUNT(table); i++) {
        const quirk *q = &table[i];
        if ((!q->vendor_id || q->vendor_id == vendor_id) && (!q->driver || q->driver == driver) &&
            driver_version >= q->first_version && driver_version <= q->last_version)
            flags |= q->flags;
    }
    return flags;
}
