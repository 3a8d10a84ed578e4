/* SPDX-License-Identifier: Apache-2.0
 * Cuts a line of text out of a picture and lays it straight. */
#ifndef OCR_RECTIFY_H
#define OCR_RECTIFY_H

#include "ocr/geometry.h"
#include "picture.h"

/* Cuts the quad out of `from` at its own size, by perspective and bilinear sampling; pixels beside the
 * picture repeat its edge. A quad that is 1.5 times as high as wide holds vertical text and is turned by a
 * quarter, its right side up. `out` is the caller's to picture_free(). VKI_E_ARG for a quad without an area,
 * VKI_E_NOMEM. */
vki_status ocr_rectify(const picture *from, const ocr_quad *quad, picture *out, vki_error *err);

#endif
