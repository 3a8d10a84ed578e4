/* SPDX-License-Identifier: Apache-2.0 */
#include "text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stb/stb_easy_font.h>
#include <stb/stb_truetype.h>

struct text_font {
    vkb_file file; /* mapped while the font lives; empty for the built-in letters */
    stbtt_fontinfo info;
};

/* Fonts by the paths that Debian, Ubuntu and Fedora install them under. */
static const char *const well_known[] = {
    "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc",
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/google-noto-cjk/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
    "/usr/share/fonts/dejavu-sans-fonts/DejaVuSans.ttf",
};

static vki_status open_file(text_font *font, const char *path, vki_error *err)
{
    VKB_TRY(vkb_file_map(&font->file, path, err));
    const unsigned char *data = font->file.data;
    int offset = font->file.bytes > 64 ? stbtt_GetFontOffsetForIndex(data, 0) : -1;
    if (offset >= 0 && stbtt_InitFont(&font->info, data, offset)) return VKI_OK;
    vkb_file_unmap(&font->file);
    return vkb_fail(err, VKI_E_FORMAT, "%s is no TrueType or OpenType font", path);
}

vki_status text_font_open(text_font **out, const char *path, vki_error *err)
{
    *out = NULL;
    text_font *font = calloc(1, sizeof *font);
    if (!font) return vkb_nomem(err, sizeof *font);
    vki_status status = VKI_OK;
    if (path) {
        status = open_file(font, path, err);
    } else {
        for (size_t i = 0; i < VKB_COUNT(well_known); i++)
            if (open_file(font, well_known[i], NULL) == VKI_OK) break;
    }
    if (status == VKI_OK)
        *out = font;
    else
        free(font);
    return status;
}

void text_font_close(text_font **font)
{
    if (!*font) return;
    vkb_file_unmap(&(*font)->file);
    free(*font);
    *font = NULL;
}

/* The next character; *text moves on. A byte that is no UTF-8 counts as one character, U+FFFD. */
static int next_character(const char **text)
{
    const unsigned char *s = (const unsigned char *)*text;
    int extra = s[0] < 0x80             ? 0
                : (s[0] & 0xe0) == 0xc0 ? 1
                : (s[0] & 0xf0) == 0xe0 ? 2
                : (s[0] & 0xf8) == 0xf0 ? 3
                                        : -1;
    int code = extra <= 0 ? s[0] : s[0] & (0x3f >> extra);
    for (int i = 1; i <= extra; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            extra = -1;
            break;
        }
        code = code << 6 | (s[i] & 0x3f);
    }
    *text += extra > 0 ? extra + 1 : 1;
    return extra < 0 ? 0xfffd : code;
}

/* ---- the built-in letters: rectangles on a grid of 12 units ---- */

static const double easy_height = 12, easy_base = 9;

static void easy_draw(picture *on, double x, double y, double size, const char *text, draw_color color)
{
    struct {
        float x, y, z;
        unsigned char color[4];
    } corners[4 * 4096];
    char ascii[256];
    size_t n = 0;
    while (*text && n + 1 < sizeof ascii) {
        int c = next_character(&text);
        ascii[n++] = c >= 32 && c < 127 ? (char)c : '?';
    }
    ascii[n] = 0;
    double scale = size / easy_height;
    int quads = stb_easy_font_print(0, 0, ascii, NULL, corners, sizeof corners);
    for (int i = 0; i < quads; i++) {
        double left = (double)corners[4 * i].x, top = (double)corners[4 * i].y;
        double right = (double)corners[4 * i + 2].x, bottom = (double)corners[4 * i + 2].y;
        draw_box(on, x + left * scale, y + (top - easy_base) * scale, (right - left) * scale,
                 (bottom - top) * scale, 0, color);
    }
}

static double easy_width(double size, const char *text)
{
    char ascii[256];
    size_t n = 0;
    while (*text && n + 1 < sizeof ascii) {
        int c = next_character(&text);
        ascii[n++] = c >= 32 && c < 127 ? (char)c : '?';
    }
    ascii[n] = 0;
    return stb_easy_font_width(ascii) * size / easy_height;
}

/* ---- TrueType ---- */

static void draw_glyph(picture *on, const text_font *font, int glyph, double x, double y, float scale,
                       draw_color color)
{
    int left, top, width, height;
    float shift = (float)(x - floor(x));
    unsigned char *mask = stbtt_GetGlyphBitmapSubpixel(&font->info, scale, scale, shift, 0, glyph, &width,
                                                       &height, &left, &top);
    if (!mask) return; /* a space */
    for (int row = 0; row < height; row++)
        for (int column = 0; column < width; column++)
            draw_blend(on, (int)floor(x) + left + column, (int)floor(y + 0.5) + top + row,
                       (float)mask[row * width + column] / 255.0f, color);
    stbtt_FreeBitmap(mask, NULL);
}

/* Draws if `on` is not NULL; the width either way. */
static double set_line(picture *on, const text_font *font, double x, double y, double size, const char *text,
                       draw_color color)
{
    float scale = stbtt_ScaleForPixelHeight(&font->info, (float)size);
    double begin = x;
    int before = 0;
    while (*text) {
        int glyph = stbtt_FindGlyphIndex(&font->info, next_character(&text)), advance, bearing;
        if (before) x += (double)scale * stbtt_GetGlyphKernAdvance(&font->info, before, glyph);
        stbtt_GetGlyphHMetrics(&font->info, glyph, &advance, &bearing);
        if (on) draw_glyph(on, font, glyph, x, y, scale, color);
        x += (double)scale * advance;
        before = glyph;
    }
    return x - begin;
}

double text_width(const text_font *font, double size, const char *text)
{
    if (!font->file.data) return easy_width(size, text);
    return set_line(NULL, font, 0, 0, size, text, (draw_color){0, 0, 0, 0});
}

void text_draw(picture *on, const text_font *font, double x, double y, double size, const char *text,
               draw_color color)
{
    if (font->file.data)
        set_line(on, font, x, y, size, text, color);
    else
        easy_draw(on, x, y, size, text, color);
}
