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

/* Copies the parts of all nodes that share. */
static vki_status part_all(const ses_parts *s, uint64_t *bytes, bool *any)
{
    int32_t step;
    *any = false;
    VKB_TRY(measure(s, bytes, &step));
    for (bool more = true; more; *any = *any || more) { /* where some are copied others may come to share */
        more = false;
        for (gr_id i = 0; i < s->nodes; i++)
            if (s->shares[i]) more = s->apart[i] = true;
        if (more) VKB_TRY(measure(s, bytes, &step));
    }
    return VKI_OK;
}

/* From copies of all parts: those are left out that do not take more memory. */
static vki_status share_again(const ses_parts *s, uint64_t copies, int tries)
{
    uint64_t bytes;
    int32_t step;
    bool any;
    VKB_TRY(part_all(s, &bytes, &any));
    for (gr_id i = 0; i < s->nodes; i++) {
        if (!s->apart[i] || !tries) continue;
        tries--;
        s->apart[i] = false;
        VKB_TRY(measure(s, &bytes, &step));
        if (bytes > copies) s->apart[i] = true;
    }
    return measure(s, &bytes, &step);
}

vki_status ses_settle_parts(const ses_parts *s)
{
    int32_t peak;
    uint64_t best, copies;
    int tries = s->most_tries;
    bool any, done = false;
    VKB_TRY(part_all(s, &copies, &any));
    if (!any) return VKI_OK;
    memset(s->apart, false, (size_t)s->nodes);
    VKB_TRY(measure(s, &best, &peak));
    while (best > copies && !done) VKB_TRY(part_one(s, &best, &peak, &tries, &done));
    return best > copies ? share_again(s, copies, s->most_tries) : VKI_OK;
}
