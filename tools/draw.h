/* SPDX-License-Identifier: Apache-2.0
 * Smooth shapes on an RGB picture. Each shape is a signed distance to its border; a pixel is covered by 0.5
 * minus the distance of its middle, which is exact for straight borders along the axes and close for all
 * others. Shapes may lie outside of the picture. */
#ifndef DRAW_H
#define DRAW_H

#include "picture.h"

typedef struct draw_color {
    uint8_t r, g, b;
    float opacity; /* 0 to 1 */
} draw_color;

typedef struct draw_xy {
    double x, y; /* a pixel's middle lies at +0.5 */
} draw_xy;

void draw_fill(picture *on, draw_color color); /* every pixel */
void draw_polygon(picture *on, const draw_xy *corners, int n,
                  draw_color color); /* convex, clockwise on the screen */
void draw_outline(picture *on, const draw_xy *corners, int n, double width, draw_color color); /* closed */
void draw_box(picture *on, double x, double y, double width, double height, double radius, draw_color color);
void draw_copy(picture *on, const picture *from, int x, int y); /* the part that fits */

/* Blends one pixel if it lies in the picture; coverage from 0 to 1. */
void draw_blend(picture *on, int x, int y, float coverage, draw_color color);

#endif
