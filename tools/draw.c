/* SPDX-License-Identifier: Apache-2.0 */
#include "draw.h"

#include <math.h>
#include <string.h>

void draw_blend(picture *on, int x, int y, float coverage, draw_color color)
{
    if (x < 0 || y < 0 || x >= on->width || y >= on->height || !(coverage > 0)) return;
    float a = (coverage < 1 ? coverage : 1) * color.opacity;
    uint8_t *p = on->rgb + ((size_t)y * (size_t)on->width + (size_t)x) * 3;
    const uint8_t c[3] = {color.r, color.g, color.b};
    for (int k = 0; k < 3; k++) p[k] = (uint8_t)((float)p[k] + a * ((float)c[k] - (float)p[k]) + 0.5f);
}

void draw_fill(picture *on, draw_color color)
{
    for (int y = 0; y < on->height; y++)
        for (int x = 0; x < on->width; x++) draw_blend(on, x, y, 1, color);
}

void draw_copy(picture *on, const picture *from, int x, int y)
{
    int left = x < 0 ? -x : 0;
    int width = from->width < on->width - x ? from->width : on->width - x;
    if (width <= left) return;
    for (int row = 0; row < from->height; row++) {
        if (y + row < 0 || y + row >= on->height) continue;
        memcpy(on->rgb + ((size_t)(y + row) * (size_t)on->width + (size_t)(x + left)) * 3,
               from->rgb + ((size_t)row * (size_t)from->width + (size_t)left) * 3,
               (size_t)(width - left) * 3);
    }
}

/* ---- shapes: signed distance of a point, negative inside ---- */

typedef struct shape {
    const draw_xy *corners;
    int n;
    double half_line;                     /* of an outline */
    double cx, cy, half_w, half_h, round; /* of a box */
    double (*distance)(const struct shape *s, double x, double y);
} shape;

static double polygon_distance(const shape *s, double x, double y)
{
    double farthest = -INFINITY;
    for (int i = 0; i < s->n; i++) {
        draw_xy a = s->corners[i], b = s->corners[(i + 1) % s->n];
        double dx = b.x - a.x, dy = b.y - a.y, length = hypot(dx, dy);
        if (length > 0) farthest = fmax(farthest, ((x - a.x) * dy - (y - a.y) * dx) / length);
    }
    return farthest;
}

static double outline_distance(const shape *s, double x, double y)
{
    double nearest = INFINITY;
    for (int i = 0; i < s->n; i++) {
        draw_xy a = s->corners[i], b = s->corners[(i + 1) % s->n];
        double dx = b.x - a.x, dy = b.y - a.y, square = dx * dx + dy * dy;
        double t = square > 0 ? ((x - a.x) * dx + (y - a.y) * dy) / square : 0;
        t = fmin(1, fmax(0, t));
        nearest = fmin(nearest, hypot(x - a.x - t * dx, y - a.y - t * dy));
    }
    return nearest - s->half_line;
}

static double box_distance(const shape *s, double x, double y)
{
    double dx = fabs(x - s->cx) - s->half_w + s->round, dy = fabs(y - s->cy) - s->half_h + s->round;
    return hypot(fmax(dx, 0), fmax(dy, 0)) + fmin(fmax(dx, dy), 0) - s->round;
}

static void paint(picture *on, const shape *s, double left, double top, double right, double bottom,
                  draw_color color)
{
    int x0 = (int)fmax(0, floor(left - 1)), x1 = (int)fmin(on->width - 1, ceil(right + 1));
    int y0 = (int)fmax(0, floor(top - 1)), y1 = (int)fmin(on->height - 1, ceil(bottom + 1));
    for (int y = y0; y <= y1; y++)
        for (int x = x0; x <= x1; x++)
            draw_blend(on, x, y, (float)(0.5 - s->distance(s, x + 0.5, y + 0.5)), color);
}

static void paint_corners(picture *on, const shape *s, draw_color color)
{
    double left = INFINITY, top = INFINITY, right = -INFINITY, bottom = -INFINITY;
    for (int i = 0; i < s->n; i++) {
        left = fmin(left, s->corners[i].x);
        right = fmax(right, s->corners[i].x);
        top = fmin(top, s->corners[i].y);
        bottom = fmax(bottom, s->corners[i].y);
    }
    paint(on, s, left - s->half_line, top - s->half_line, right + s->half_line, bottom + s->half_line, color);
}

void draw_polygon(picture *on, const draw_xy *corners, int n, draw_color color)
{
    shape s = {.corners = corners, .n = n, .distance = polygon_distance};
    paint_corners(on, &s, color);
}

void draw_outline(picture *on, const draw_xy *corners, int n, double width, draw_color color)
{
    shape s = {.corners = corners, .n = n, .half_line = width / 2, .distance = outline_distance};
    paint_corners(on, &s, color);
}

void draw_box(picture *on, double x, double y, double width, double height, double radius, draw_color color)
{
    shape s = {.cx = x + width / 2, .cy = y + height / 2, .half_w = width / 2, .half_h = height / 2};
    s.round = fmin(radius, fmin(s.half_w, s.half_h));
    s.distance = box_distance;
    paint(on, &s, x, y, x + width, y + height, color);
}
