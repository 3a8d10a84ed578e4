/* SPDX-License-Identifier: Apache-2.0
 * From a text probability map to boxes, as DB networks need it: M. Liao et al., "Real-time Scene Text
 * Detection with Differentiable Binarization" (2020). The network marks the core of each line of text; a box
 * is grown back by area * unclip_ratio / perimeter, which undoes the shrinking of its training labels. */
#ifndef OCR_DB_POST_H
#define OCR_DB_POST_H

#include "base/base.h"
#include "ocr/geometry.h"

typedef struct db_options {
    float threshold;     /* of the map: text or not */
    float box_threshold; /* of the mean of the map inside a box */
    double unclip_ratio;
    double min_side; /* pixels of the map; smaller cores are noise */
    int max_boxes;   /* cores looked at, from the top of the map on */
} db_options;

/* Those of PP-OCR, but for unclip_ratio: 1.8 where it has 1.5, since its recognizers drop spaces between
 * words when a line is cut out tightly. */
extern const db_options db_defaults;

typedef struct ocr_box {
    ocr_quad quad;
    float score; /* mean probability inside the core's rectangle */
} ocr_box;

/* Finds the boxes of map[height][width], in the map's coordinates. *boxes is the caller's to free(), NULL on
 * failure. VKI_E_ARG, VKI_E_NOMEM. */
vki_status db_find_boxes(const float *map, int width, int height, const db_options *options, ocr_box **boxes,
                         int *count, vki_error *err);

#endif
