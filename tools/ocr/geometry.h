/* SPDX-License-Identifier: Apache-2.0
 * Plane geometry for text boxes. Picture coordinates: x to the right, y down, a pixel's middle at +0.5. */
#ifndef OCR_GEOMETRY_H
#define OCR_GEOMETRY_H

typedef struct ocr_point {
    double x, y;
} ocr_point;

/* Corners clockwise as seen in the picture, from the one where the text's first letter begins at its top. */
typedef struct ocr_quad {
    ocr_point p[4];
} ocr_quad;

/* A rectangle at any angle. */
typedef struct ocr_rect {
    ocr_point centre, axis; /* axis: unit vector along the width */
    double width, height;
} ocr_rect;

/* Writes the convex hull of points[0..n), n >= 1, to `hull`, which has room for n + 1, and returns its size
 * (1 or 2 for points that coincide or lie on one line). Sorts `points`. Corners run clockwise in the picture;
 * points inside an edge are dropped. */
int ocr_convex_hull(ocr_point *points, int n, ocr_point *hull);

/* The rectangle of the least area around a hull that ocr_convex_hull made. The width is its side that is
 * closer to the horizontal, and `axis` points to the right. */
ocr_rect ocr_min_area_rect(const ocr_point *hull, int n);

/* Moves each side outwards by `distance`. */
ocr_rect ocr_rect_grow(ocr_rect r, double distance);

ocr_quad ocr_rect_corners(const ocr_rect *r);

double ocr_distance(ocr_point a, ocr_point b);

#endif
