/* SPDX-License-Identifier: Apache-2.0 */
#include "ocr/annotate.h"

#include <math.h>
#include <stdio.h>

/* Hues that stand out on pictures and can be told apart side by side. */
static const draw_color colors[] = {{230, 57, 70, 1},  {29, 122, 209, 1}, {38, 155, 89, 1},
                                    {244, 140, 6, 1},  {140, 82, 199, 1}, {0, 158, 170, 1},
                                    {214, 51, 132, 1}, {122, 106, 30, 1}};
static const draw_color paper = {250, 249, 246, 1}, ink = {34, 36, 40, 1}, faint = {132, 136, 142, 1},
                        white = {255, 255, 255, 1};

typedef struct layout {
    double unit;                   /* a pixel of a 640-pixel-high picture */
    double margin, row, size, tag; /* of the panel; tag: width of the numbers' boxes */
    double text_width, panel;
} layout;

static draw_color color_of(int line)
{
    return colors[(size_t)line % VKB_COUNT(colors)];
}

static layout make_layout(const picture *image, const ocr_page *page, const text_font *font,
                          const char *title)
{
    layout l = {.unit = fmax(1, image->height / 640.0)};
    l.margin = 22 * l.unit;
    double room = image->height - 2 * l.margin - 44 * l.unit;
    l.row = fmin(34 * l.unit, fmax(15 * l.unit, room / (page->count ? page->count : 1)));
    l.size = 0.68 * l.row;
    l.tag = 1.15 * l.row;
    l.text_width = 120 * l.unit;
    for (int i = 0; i < page->count; i++)
        l.text_width = fmax(l.text_width, text_width(font, l.size, page->lines[i].text));
    double score = text_width(font, 0.8 * l.size, "0.000");
    l.panel = 2 * l.margin + l.tag + 0.4 * l.row + l.text_width + 0.8 * l.row + score;
    l.panel = fmax(l.panel, 2 * l.margin + text_width(font, 20 * l.unit, title));
    return l;
}

/* A number on a small box of the line's colour; (x, y): its middle. */
static void draw_tag(picture *on, const text_font *font, int line, double x, double y, double width,
                     double height)
{
    char number[16];
    snprintf(number, sizeof number, "%d", line + 1);
    double size = 0.82 * height;
    draw_box(on, x - width / 2, y - height / 2, width, height, height / 4, color_of(line));
    text_draw(on, font, x - text_width(font, size, number) / 2, y + 0.30 * size, size, number, white);
}

static void draw_line_box(picture *on, const text_font *font, const layout *l, const ocr_quad *quad, int line)
{
    draw_xy corners[4];
    for (int k = 0; k < 4; k++) corners[k] = (draw_xy){quad->p[k].x, quad->p[k].y};
    draw_color color = color_of(line), glaze = color;
    glaze.opacity = 0.16f;
    draw_polygon(on, corners, 4, glaze);
    draw_outline(on, corners, 4, 4.4 * l->unit, (draw_color){255, 255, 255, 0.8f}); /* seen on any ground */
    draw_outline(on, corners, 4, 2.2 * l->unit, color);
    double height = 17 * l->unit, width = (line < 9 ? 18 : line < 99 ? 24 : 32) * l->unit;
    double x = fmax(width / 2, corners[0].x - 0.25 * width),
           y = fmax(height / 2, corners[0].y - 0.15 * height);
    draw_tag(on, font, line, x, y, width, height);
}

static void draw_panel(picture *on, const text_font *font, const layout *l, const ocr_page *page,
                       const char *title, double left)
{
    double y = l->margin + 20 * l->unit, x = left + l->margin;
    text_draw(on, font, x, y, 20 * l->unit, title, faint);
    y += 14 * l->unit;
    draw_box(on, x, y, l->panel - 2 * l->margin, 1.2 * l->unit, 0, (draw_color){214, 214, 210, 1});
    y += 10 * l->unit;
    for (int i = 0; i < page->count; i++, y += l->row) {
        double middle = y + l->row / 2, base = middle + 0.30 * l->size;
        draw_tag(on, font, i, x + l->tag / 2, middle, l->tag, 0.74 * l->row);
        text_draw(on, font, x + l->tag + 0.4 * l->row, base, l->size, page->lines[i].text, ink);
        char score[16];
        snprintf(score, sizeof score, "%.3f", (double)page->lines[i].score);
        double right = left + l->panel - l->margin - text_width(font, 0.8 * l->size, score);
        text_draw(on, font, right, base, 0.8 * l->size, score, faint);
    }
}

vki_status ocr_annotate(const picture *image, const ocr_page *page, const text_font *font, const char *title,
                        picture *out, vki_error *err)
{
    layout l = make_layout(image, page, font, title);
    double height = fmax(image->height, 2 * l.margin + 44 * l.unit + page->count * l.row);
    double width = image->width + l.panel;
    if (!(width < 65536 && height < 65536))
        return vkb_fail(err, VKI_E_ARG, "a picture of %.0fx%.0f pixels would be needed to show all lines",
                        width, height);
    VKB_TRY(picture_create(out, (int)ceil(width), (int)ceil(height), err));
    draw_fill(out, paper);
    draw_copy(out, image, 0, 0);
    for (int i = 0; i < page->count; i++) draw_line_box(out, font, &l, &page->lines[i].quad, i);
    draw_box(out, image->width, 0, l.panel, out->height, 0, paper); /* boxes end at the picture's edge */
    draw_panel(out, font, &l, page, title, image->width);
    return VKI_OK;
}
