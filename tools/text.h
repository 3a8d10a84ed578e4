/* SPDX-License-Identifier: Apache-2.0
 * Text on pictures: a TrueType font if one is found, else plain built-in letters (ASCII only). */
#ifndef TEXT_H
#define TEXT_H

#include "draw.h"

typedef struct text_font text_font;

/* path: a .ttf, .otf or .ttc file, one that the user trusts; NULL: the first that is installed of a short
 * list (those with Chinese first), else the built-in letters. VKI_E_IO, VKI_E_FORMAT for a path that is no
 * font, VKI_E_NOMEM. */
vki_status text_font_open(text_font **out, const char *path, vki_error *err);
void text_font_close(text_font **font);

/* size: height of the font's ascent and descent together, in pixels. `text` is UTF-8. */
double text_width(const text_font *font, double size, const char *text);
/* (x, y): the left end of the base line. */
void text_draw(picture *on, const text_font *font, double x, double y, double size, const char *text,
               draw_color color);

#endif
