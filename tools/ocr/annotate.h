/* SPDX-License-Identifier: Apache-2.0
 * The picture that shows what was read: numbered boxes, and beside them a panel with the text of each. */
#ifndef OCR_ANNOTATE_H
#define OCR_ANNOTATE_H

#include "ocr/reader.h"
#include "text.h"

/* `title` heads the panel. *out is the caller's to picture_free(). VKI_E_ARG if it would be too large,
 * VKI_E_NOMEM. */
vki_status ocr_annotate(const picture *image, const ocr_page *page, const text_font *font, const char *title,
                        picture *out, vki_error *err);

#endif
