/* SPDX-License-Identifier: Apache-2.0
 * The map from the unit square to a quad is the closed form of P. Heckbert, "Fundamentals of Texture Mapping
 * and Image Warping" (1989). */
#include "ocr/rectify.h"

#include <math.h>

#include "base/base.h"

typedef struct homography {
    double a, b, c, d, e, f, g, h; /* x = (a u + b v + c) / (g u + h v + 1), y = (d u + e v + f) / (...) */
} homography;

static bool square_to_quad(const ocr_point p[4], homography *m)
{
    double sx = p[0].x - p[1].x + p[2].x - p[3].x, sy = p[0].y - p[1].y + p[2].y - p[3].y;
    double dx1 = p[1].x - p[2].x, dx2 = p[3].x - p[2].x, dy1 = p[1].y - p[2].y, dy2 = p[3].y - p[2].y;
    double det = dx1 * dy2 - dx2 * dy1;
    if (!(fabs(det) > 1e-9)) return false;
    m->g = (sx * dy2 - dx2 * sy) / det; /* both are 0 for a parallelogram */
    m->h = (dx1 * sy - sx * dy1) / det;
    m->a = p[1].x - p[0].x + m->g * p[1].x;
    m->b = p[3].x - p[0].x + m->h * p[3].x;
    m->c = p[0].x;
    m->d = p[1].y - p[0].y + m->g * p[1].y;
    m->e = p[3].y - p[0].y + m->h * p[3].y;
    m->f = p[0].y;
    return true;
}

static double clamped(double v, double low, double high)
{
    return v > low ? (v < high ? v : high) : low; /* NaN becomes low */
}

static void sample(const picture *from, double x, double y, uint8_t *out)
{
    x = clamped(x - 0.5, 0, from->width - 1);
    y = clamped(y - 0.5, 0, from->height - 1);
    int x0 = (int)x, y0 = (int)y;
    int x1 = x0 + 1 < from->width ? x0 + 1 : x0, y1 = y0 + 1 < from->height ? y0 + 1 : y0;
    double fx = x - x0, fy = y - y0;
    const uint8_t *top = from->rgb + (size_t)y0 * (size_t)from->width * 3;
    const uint8_t *bottom = from->rgb + (size_t)y1 * (size_t)from->width * 3;
    for (int k = 0; k < 3; k++) {
        double upper = top[3 * x0 + k] * (1 - fx) + top[3 * x1 + k] * fx;
        double lower = bottom[3 * x0 + k] * (1 - fx) + bottom[3 * x1 + k] * fx;
        out[k] = (uint8_t)(upper * (1 - fy) + lower * fy + 0.5);
    }
}

vki_status ocr_rectify(const picture *from, const ocr_quad *quad, picture *out, vki_error *err)
{
    const ocr_point *q = quad->p;
    *out = (picture){0};
    double width = fmax(ocr_distance(q[0], q[1]), ocr_distance(q[3], q[2]));
    double height = fmax(ocr_distance(q[0], q[3]), ocr_distance(q[1], q[2]));
    ocr_point p[4] = {q[0], q[1], q[2], q[3]};
    if (height >= 1.5 * width) { /* the top of the letters is at the right: a quarter against the clock */
        for (int i = 0; i < 4; i++) p[i] = q[(i + 1) % 4];
        double turned = width;
        width = height;
        height = turned;
    }
    homography m;
    bool finite = true;
    for (int i = 0; i < 4; i++) finite = finite && isfinite(q[i].x) && isfinite(q[i].y);
    if (!finite || !(width < 1e5 && height < 1e5) || !square_to_quad(p, &m))
        return vkb_fail(err, VKI_E_ARG, "a text box at (%.1f, %.1f) of %.1fx%.1f pixels has no area", q[0].x,
                        q[0].y, width, height);
    int w = (int)fmax(1, floor(width + 0.5)), h = (int)fmax(1, floor(height + 0.5));
    VKB_TRY(picture_create(out, w, h, err));
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            double u = (x + 0.5) / w, v = (y + 0.5) / h, z = m.g * u + m.h * v + 1;
            sample(from, (m.a * u + m.b * v + m.c) / z, (m.d * u + m.e * v + m.f) / z,
                   out->rgb + ((size_t)y * (size_t)w + (size_t)x) * 3);
        }
    return VKI_OK;
}
