/* SPDX-License-Identifier: Apache-2.0
 * Hull: A. M. Andrew, "Another efficient algorithm for convex hulls in two dimensions" (1979), the monotone
 * chain. Rectangle: one side of the least rectangle lies on a hull edge (Freeman and Shapira, 1975), so that
 * walking the edges with three supporting points, the rotating calipers (Toussaint, 1983), finds it in linear
 * time. */
#include "ocr/geometry.h"

#include <math.h>
#include <stdlib.h>

static double cross(ocr_point o, ocr_point a, ocr_point b)
{
    return (a.x - o.x) * (b.y - o.y) - (a.y - o.y) * (b.x - o.x);
}

static double dot(ocr_point a, ocr_point b)
{
    return a.x * b.x + a.y * b.y;
}

static ocr_point minus(ocr_point a, ocr_point b)
{
    return (ocr_point){a.x - b.x, a.y - b.y};
}

double ocr_distance(ocr_point a, ocr_point b)
{
    return hypot(a.x - b.x, a.y - b.y);
}

static int by_x_then_y(const void *a, const void *b)
{
    const ocr_point *p = a, *q = b;
    if (p->x != q->x) return p->x < q->x ? -1 : 1;
    return (p->y > q->y) - (p->y < q->y);
}

/* Adds `next` to a chain that began at hull[start]; corners that would turn the wrong way go. */
static int extend(ocr_point *hull, int kept, int start, ocr_point next)
{
    while (kept >= start + 2 && cross(hull[kept - 2], hull[kept - 1], next) <= 0) kept--;
    hull[kept] = next;
    return kept + 1;
}

int ocr_convex_hull(ocr_point *points, int n, ocr_point *hull)
{
    qsort(points, (size_t)n, sizeof *points, by_x_then_y);
    int distinct = 1, kept = 0;
    for (int i = 1; i < n; i++)
        if (by_x_then_y(&points[i], &points[distinct - 1]) != 0) points[distinct++] = points[i];
    n = distinct;
    for (int i = 0; i < n; i++) kept = extend(hull, kept, 0, points[i]);
    int start = kept - 1; /* the way back begins at the last point */
    for (int i = n - 2; i >= 0; i--) kept = extend(hull, kept, start, points[i]);
    if (kept > 1 && by_x_then_y(&hull[0], &hull[kept - 1]) == 0) kept--; /* back at the beginning */
    return kept;
}

/* The farthest corner along `direction`, walking on from corner `from`: on a convex hull the projection
 * rises, then falls. */
static int support(const ocr_point *hull, int n, int from, ocr_point direction)
{
    for (int steps = 0; steps < n; steps++) {
        int next = from + 1 < n ? from + 1 : 0;
        if (dot(minus(hull[next], hull[from]), direction) < 0) break;
        from = next;
    }
    return from;
}

/* Turns the rectangle by quarters until its axis is within 45 degrees of the horizontal and points to the
 * right. */
static ocr_rect upright(ocr_rect r)
{
    if (fabs(r.axis.x) < fabs(r.axis.y)) {
        r.axis = (ocr_point){-r.axis.y, r.axis.x};
        double width = r.width;
        r.width = r.height;
        r.height = width;
    }
    if (r.axis.x < 0) r.axis = (ocr_point){-r.axis.x, -r.axis.y};
    return r;
}

ocr_rect ocr_min_area_rect(const ocr_point *hull, int n)
{
    ocr_rect best = {hull[0], {1, 0}, 0, 0};
    double least = INFINITY;
    int right = 0, far = 0, left = 0;
    for (int i = 0; i < n && n > 1; i++) {
        ocr_point a = hull[i], edge = minus(hull[i + 1 < n ? i + 1 : 0], a);
        double length = hypot(edge.x, edge.y);
        ocr_point u = {edge.x / length, edge.y / length}, v = {-u.y, u.x}; /* v: into the hull */
        right = support(hull, n, i ? right : 0, u);
        far = support(hull, n, i ? far : right, v);
        left = support(hull, n, i ? left : far, (ocr_point){-u.x, -u.y});
        double begin = dot(minus(hull[left], a), u), end = dot(minus(hull[right], a), u);
        double height = dot(minus(hull[far], a), v), width = end - begin;
        if (width * height >= least) continue;
        least = width * height;
        double along = (begin + end) / 2, across = height / 2;
        best = (ocr_rect){
            {a.x + along * u.x + across * v.x, a.y + along * u.y + across * v.y}, u, width, height};
    }
    return upright(best);
}

ocr_rect ocr_rect_grow(ocr_rect r, double distance)
{
    r.width += 2 * distance;
    r.height += 2 * distance;
    return r;
}

ocr_quad ocr_rect_corners(const ocr_rect *r)
{
    ocr_point w = {r->axis.x * r->width / 2, r->axis.y * r->width / 2};
    ocr_point h = {-r->axis.y * r->height / 2, r->axis.x * r->height / 2};
    ocr_point c = r->centre;
    return (ocr_quad){{{c.x - w.x - h.x, c.y - w.y - h.y},
                       {c.x + w.x - h.x, c.y + w.y - h.y},
                       {c.x + w.x + h.x, c.y + w.y + h.y},
                       {c.x - w.x + h.x, c.y - w.y + h.y}}};
}
