/* SPDX-License-Identifier: Apache-2.0
 * Pictures in memory (8-bit RGB) and in files. */
#ifndef PICTURE_H
#define PICTURE_H

#include "base/base.h"

#define PICTURE_MAX_PIXELS (100u << 20) /* larger files are refused: 300 MB of pixels */

typedef struct picture {
    uint8_t *rgb; /* rows without gaps, top row first; the picture's own */
    int width, height;
} picture;

/* Not cleared. VKI_E_ARG for sides that are not from 1 to 65535 or too many pixels, VKI_E_NOMEM. */
vki_status picture_create(picture *p, int width, int height, vki_error *err);
void picture_free(picture *p);

/* PNG, JPEG or BMP; 16-bit values become 8-bit ones, transparency is dropped. VKI_E_IO, VKI_E_FORMAT
 * (damaged, of another kind, or too large), VKI_E_NOMEM. */
vki_status picture_read(picture *p, const char *path, vki_error *err);
vki_status picture_decode(picture *p, const void *bytes, size_t n, const char *name, vki_error *err);
vki_status picture_write_png(const picture *p, const char *path, vki_error *err); /* VKI_E_IO, VKI_E_NOMEM */

#endif
