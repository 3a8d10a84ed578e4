/* SPDX-License-Identifier: Apache-2.0
 * A part that lies in its whole (of Concat, Split, Slice) keeps that alive: where this takes more memory than
 * copies of the parts do, some of them are copied. One search for the host's memory and the device's. */
#include "session/session.h"

#include <string.h>

static vki_status measure(const ses_parts *s, uint64_t *bytes, int32_t *peak)
{
    return s->measure(s->user, bytes, peak);
}

/* Copies one more node's parts, if that lowers the peak. */
static vki_status part_one(const ses_parts *s, uint64_t *best, int32_t *peak, int *tries, bool *done)
{
    *done = true;
    for (gr_id i = 0; i < s->nodes && *tries; i++) {
        uint64_t bytes;
        int32_t step;
        if (!s->shares[i] || !s->matters(s->user, i, *peak)) continue;
        --*tries;
        s->apart[i] = true;
        VKB_TRY(measure(s, &bytes, &step));
        if (bytes < *best) {
            *best = bytes;
            *peak = step;
            *done = false;
            return VKI_OK;
        }
        s->apart[i] = false;
        VKB_TRY(measure(s, &bytes, &step));
    }
    return VKI_OK;
}

vki_status ses_settle_parts(const ses_parts *s)
{
    const size_t n = (size_t)s->nodes;
    int32_t peak;
    uint64_t best, copies;
    int tries = s->most_tries;
    bool any = false, done = false;
    VKB_TRY(measure(s, &best, &peak));
    for (size_t i = 0; i < n; i++) any = any || s->shares[i];
    if (!any) return VKI_OK;
    memset(s->apart, true, n);
    VKB_TRY(measure(s, &copies, &peak));
    const bool costs = best > copies;
    memset(s->apart, false, n);
    VKB_TRY(measure(s, &best, &peak));
    if (!costs) return VKI_OK;
    while (best > copies && !done) VKB_TRY(part_one(s, &best, &peak, &tries, &done));
    if (best <= copies) return VKI_OK;
    memset(s->apart, true, n);
    return measure(s, &best, &peak);
}
