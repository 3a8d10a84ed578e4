/* SPDX-License-Identifier: Apache-2.0
 * What the reference of NonMaxSuppression and its fast kernel share: parameters and the overlap of boxes, in
 * float as everyone computes it, so that all agree on what lies at a threshold. */
#ifndef CPU_NMS_H
#define CPU_NMS_H

#include "cpu/ref.h"

typedef struct cpu_nms {
    int64_t classes, boxes, lists; /* lists: batches times classes */
    int64_t most;                  /* of a list */
    bool centred, has_threshold;
    double iou, threshold; /* a score must be above it */
} cpu_nms;

typedef struct cpu_nms_box {
    float y0, x0, y1, x1, area;
} cpu_nms_box;

cpu_nms cpu_nms_of(const cpu_call *c);
cpu_nms_box cpu_nms_load(const cpu_call *c, const cpu_nms *s, int64_t batch, int64_t box);
bool cpu_nms_overlap(const cpu_nms *s, const cpu_nms_box *a, const cpu_nms_box *b);
static inline bool cpu_nms_candidate(const cpu_nms *s, double score) /* NaN is none */
{
    return s->has_threshold ? score > s->threshold : score == score;
}

#endif
