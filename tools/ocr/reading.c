/* SPDX-License-Identifier: Apache-2.0 */
#include "ocr/reading.h"

#include <stdlib.h>

static ocr_point middle(const ocr_box *box)
{
    const ocr_point *p = box->quad.p;
    return (ocr_point){(p[0].x + p[1].x + p[2].x + p[3].x) / 4, (p[0].y + p[1].y + p[2].y + p[3].y) / 4};
}

static int by_y(const void *a, const void *b)
{
    double p = middle(a).y, q = middle(b).y;
    return (p > q) - (p < q);
}

static int by_x(const void *a, const void *b)
{
    double p = middle(a).x, q = middle(b).x;
    return (p > q) - (p < q);
}

void ocr_reading_order(ocr_box *boxes, int count)
{
    if (count < 2) return;
    qsort(boxes, (size_t)count, sizeof *boxes, by_y);
    for (int begin = 0, end; begin < count; begin = end) {
        const ocr_point *p = boxes[begin].quad.p;
        double limit = middle(&boxes[begin]).y + ocr_distance(p[0], p[3]) / 2;
        for (end = begin + 1; end < count && middle(&boxes[end]).y < limit;) end++;
        qsort(boxes + begin, (size_t)(end - begin), sizeof *boxes, by_x);
    }
}
