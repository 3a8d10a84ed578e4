/* SPDX-License-Identifier: Apache-2.0 */
#include "ocr/db_post.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const db_options db_defaults = {0.3f, 0.6f, 1.8, 3, 1000};

typedef struct span { /* of one row of a core */
    int left, right;
} span;

typedef struct finder {
    const float *map;
    int width, height;
    const db_options *options;
    uint8_t *todo; /* pixels above the threshold that belong to no core yet */
    int32_t *stack;
    span *rows;               /* extreme pixels of the present core, by row of the map */
    ocr_point *points, *hull; /* 2 a row; one more */
    int top, bottom;          /* rows of the present core */
    ocr_box *boxes;
    int count, capacity;
} finder;

/* Gathers the extremes of the core at `start`, 8-connected, and takes its pixels from `todo`. */
static void flood(finder *f, int32_t start)
{
    int depth = 0;
    f->stack[depth++] = start;
    f->todo[start] = 0;
    f->top = f->bottom = start / f->width; /* the scan is by rows: no pixel of the core lies higher */
    f->rows[f->top] = (span){f->width, -1};
    while (depth) {
        int32_t at = f->stack[--depth];
        int x = at % f->width, y = at / f->width;
        while (f->bottom < y) f->rows[++f->bottom] = (span){f->width, -1};
        if (x < f->rows[y].left) f->rows[y].left = x;
        if (x > f->rows[y].right) f->rows[y].right = x;
        for (int ny = y > 0 ? y - 1 : 0; ny <= y + 1 && ny < f->height; ny++)
            for (int nx = x > 0 ? x - 1 : 0; nx <= x + 1 && nx < f->width; nx++) {
                int32_t next = ny * f->width + nx;
                if (!f->todo[next]) continue;
                f->todo[next] = 0; /* before the push, so that each pixel is pushed once */
                f->stack[depth++] = next;
            }
    }
}

/* The rectangle through the middles of the core's outermost pixels. */
static ocr_rect core_rect(finder *f)
{
    int n = 0;
    for (int y = f->top; y <= f->bottom; y++) {
        f->points[n++] = (ocr_point){f->rows[y].left + 0.5, y + 0.5};
        f->points[n++] = (ocr_point){f->rows[y].right + 0.5, y + 0.5};
    }
    int corners = ocr_convex_hull(f->points, n, f->hull);
    return ocr_min_area_rect(f->hull, corners);
}

/* Mean of the map over the pixels whose middles lie in the rectangle. */
static float mean_inside(const finder *f, const ocr_rect *r)
{
    const double slack = 1e-6;
    ocr_quad q = ocr_rect_corners(r);
    double top = INFINITY, bottom = -INFINITY, left = INFINITY, right = -INFINITY;
    for (int i = 0; i < 4; i++) {
        top = fmin(top, q.p[i].y);
        bottom = fmax(bottom, q.p[i].y);
        left = fmin(left, q.p[i].x);
        right = fmax(right, q.p[i].x);
    }
    int x0 = (int)fmax(0, floor(left)), x1 = (int)fmin(f->width - 1, ceil(right));
    int y0 = (int)fmax(0, floor(top)), y1 = (int)fmin(f->height - 1, ceil(bottom));
    double sum = 0;
    int64_t n = 0;
    for (int y = y0; y <= y1; y++)
        for (int x = x0; x <= x1; x++) {
            double dx = x + 0.5 - r->centre.x, dy = y + 0.5 - r->centre.y;
            double along = fabs(dx * r->axis.x + dy * r->axis.y);
            double across = fabs(dy * r->axis.x - dx * r->axis.y);
            if (along > r->width / 2 + slack || across > r->height / 2 + slack) continue;
            sum += (double)f->map[y * f->width + x];
            n++;
        }
    return n ? (float)(sum / (double)n) : 0;
}

/* Adds the present core's box, if it is one. */
static vki_status add_box(finder *f, vki_error *err)
{
    const db_options *o = f->options;
    ocr_rect r = core_rect(f);
    if (fmin(r.width, r.height) < o->min_side) return VKI_OK;
    float score = mean_inside(f, &r);
    if (!(score >= o->box_threshold)) return VKI_OK;
    r = ocr_rect_grow(r, r.width * r.height * o->unclip_ratio / (2 * (r.width + r.height)));
    if (fmin(r.width, r.height) < o->min_side + 2) return VKI_OK;
    if (f->count == f->capacity) {
        int wanted = f->capacity ? 2 * f->capacity : 32;
        ocr_box *grown = realloc(f->boxes, (size_t)wanted * sizeof *grown);
        if (!grown) return vkb_nomem(err, (uint64_t)wanted * sizeof *grown);
        f->boxes = grown;
        f->capacity = wanted;
    }
    f->boxes[f->count++] = (ocr_box){ocr_rect_corners(&r), score};
    return VKI_OK;
}

static vki_status find(finder *f, vki_error *err)
{
    int32_t pixels = f->width * f->height;
    size_t rows = (size_t)f->height;
    f->todo = malloc((size_t)pixels);
    f->stack = malloc((size_t)pixels * sizeof *f->stack);
    f->rows = malloc(rows * sizeof *f->rows);
    f->points = malloc(rows * 2 * sizeof *f->points);
    f->hull = malloc((rows * 2 + 1) * sizeof *f->hull);
    if (!f->todo || !f->stack || !f->rows || !f->points || !f->hull)
        return vkb_nomem(err, (uint64_t)pixels * 5 + rows * 72);
    for (int32_t i = 0; i < pixels; i++) f->todo[i] = f->map[i] > f->options->threshold;
    int cores = 0;
    for (int32_t i = 0; i < pixels && cores < f->options->max_boxes; i++) {
        if (!f->todo[i]) continue;
        cores++;
        flood(f, i);
        VKB_TRY(add_box(f, err));
    }
    return VKI_OK;
}

vki_status db_find_boxes(const float *map, int width, int height, const db_options *options, ocr_box **boxes,
                         int *count, vki_error *err)
{
    *boxes = NULL;
    *count = 0;
    if (width < 1 || height < 1 || width > 32767 || height > 32767)
        return vkb_fail(err, VKI_E_ARG, "a text map of %dx%d: each side must be from 1 to 32767", width,
                        height);
    finder f = {.map = map, .width = width, .height = height, .options = options};
    vki_status status = find(&f, err);
    free(f.todo);
    free(f.stack);
    free(f.rows);
    free(f.points);
    free(f.hull);
    if (status != VKI_OK) {
        free(f.boxes);
        return status;
    }
    *boxes = f.boxes;
    *count = f.count;
    return VKI_OK;
}
