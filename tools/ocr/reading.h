/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OCR_READING_H
#define OCR_READING_H

#include "ocr/db_post.h"

/* Sorts boxes into rows from top to bottom, and each row from left to right. A box belongs to a row if its
 * middle lies within half a line's height of the middle of the row's highest box. */
void ocr_reading_order(ocr_box *boxes, int count);

#endif
