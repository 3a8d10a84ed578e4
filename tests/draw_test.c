/* SPDX-License-Identifier: Apache-2.0
 * Shapes, letters, and pictures in files, whole and broken. */
#include "tools/draw.h"
#include "tools/text.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const draw_color white = {255, 255, 255, 1};

static picture blank(int width, int height)
{
    picture p;
    assert_int_equal(picture_create(&p, width, height, NULL), VKI_OK);
    memset(p.rgb, 0, (size_t)(width * height) * 3);
    return p;
}

/* What was painted in white on black, in pixels. */
static double painted(const picture *p)
{
    double sum = 0;
    for (int i = 0; i < p->width * p->height; i++) {
        assert_int_equal(p->rgb[3 * i], p->rgb[3 * i + 1]);
        sum += p->rgb[3 * i] / 255.0;
    }
    return sum;
}

static void boxes_cover_their_area(void **state)
{
    (void)state;
    picture p = blank(60, 50);
    draw_box(&p, 10, 8, 20, 12, 0, white);
    assert_float_equal((float)painted(&p), 240, 0.01f);
    assert_int_equal(p.rgb[(8 * 60 + 10) * 3], 255);
    assert_int_equal(p.rgb[(8 * 60 + 9) * 3], 0);
    memset(p.rgb, 0, 60 * 50 * 3);
    draw_box(&p, 10.5, 8, 20, 12, 0, white); /* half a pixel aside: two half-covered columns */
    assert_float_equal((float)painted(&p), 240, 0.5f);
    assert_int_equal(p.rgb[(12 * 60 + 10) * 3], 128);
    memset(p.rgb, 0, 60 * 50 * 3);
    draw_box(&p, 10, 10, 30, 30, 15, white); /* a disc */
    assert_float_equal((float)painted(&p), (float)(acos(-1) * 225), 6);
    picture_free(&p);
}

static void polygons_cover_their_area(void **state)
{
    (void)state;
    picture p = blank(100, 100);
    const draw_xy slanted[] = {{20, 40}, {60, 10}, {78, 34}, {38, 64}}; /* 50 x 30, sides 3:4:5 */
    draw_polygon(&p, slanted, 4, white);
    assert_float_equal((float)painted(&p), 1500, 8);
    memset(p.rgb, 0, 100 * 100 * 3);
    draw_outline(&p, slanted, 4, 4, white); /* 2 (50 + 30) x 4, and the corners rounded outside */
    assert_float_equal((float)painted(&p), (float)(640 + 4 * acos(-1) - 16 + 0), 10);
    memset(p.rgb, 0, 100 * 100 * 3);
    draw_polygon(&p, slanted, 4, (draw_color){255, 255, 255, 0.5f});
    assert_int_equal(p.rgb[(37 * 100 + 49) * 3], 128);
    picture_free(&p);
}

static void shapes_may_lie_outside(void **state)
{
    (void)state;
    picture p = blank(10, 10);
    draw_box(&p, -100, -100, 90, 90, 3, white);
    draw_box(&p, 1e9, 0, 5, 5, 0, white);
    const draw_xy far[] = {{-1e6, -1e6}, {-1e5, -1e6}, {-1e5, -1e5}};
    draw_polygon(&p, far, 3, white);
    const draw_xy broken[] = {{NAN, 0}, {NAN, 1}, {5, NAN}};
    draw_outline(&p, broken, 3, 2, white);
    picture q = blank(4, 4);
    memset(q.rgb, 255, 48);
    draw_copy(&p, &q, 10, 0);
    draw_copy(&p, &q, -4, 0);
    draw_copy(&p, &q, 0, -4);
    assert_float_equal((float)painted(&p), 0, 0);
    draw_copy(&p, &q, 8, -2); /* two columns, two rows */
    draw_copy(&p, &q, -3, 9); /* one pixel */
    assert_float_equal((float)painted(&p), 5, 0);
    draw_box(&p, -5, -5, 20, 20, 0, white);
    assert_float_equal((float)painted(&p), 100, 0);
    picture_free(&p);
    picture_free(&q);
}

static void letters(void **state)
{
    (void)state;
    text_font *font = NULL;
    assert_int_equal(text_font_open(&font, NULL, NULL), VKI_OK);
    double one = text_width(font, 20, "i"), two = text_width(font, 20, "ii"),
           wide = text_width(font, 20, "W");
    assert_true(one > 0 && two > 1.5 * one && wide > one);
    assert_float_equal((float)text_width(font, 40, "Wi"), (float)(2 * text_width(font, 20, "Wi")), 0.01f);
    picture p = blank(200, 60);
    text_draw(&p, font, 10, 40, 30, "Text 24 \xe5\x92\x96", white);
    double ink = painted(&p);
    assert_true(ink > 100 && ink < 3000);
    for (int x = 0; x < 200 * 3; x++)
        assert_int_equal(p.rgb[x], 0); /* the first row is far above the letters */
    const char *odd[] = {"", "\x80", "\xc3", "\xe5\x92", "\xff\xfe", "\xf0\x9f\x98\x80"};
    for (size_t i = 0; i < VKB_COUNT(odd); i++) text_draw(&p, font, 190, 40, 30, odd[i], white);
    picture_free(&p);
    text_font_close(&font);
    assert_null(font);
    vki_error err = {0};
    assert_int_equal(text_font_open(&font, "docs/images/README.md", &err), VKI_E_FORMAT);
    assert_int_equal(text_font_open(&font, "/nonexistent.ttf", &err), VKI_E_IO);
}

/* ---- files ---- */

static char scratch[64];

static void png_round_trip(void **state)
{
    (void)state;
    picture p = blank(37, 23), q;
    for (int i = 0; i < 37 * 23 * 3; i++) p.rgb[i] = (uint8_t)(i * 7 + i / 37);
    vki_error err = {0};
    assert_int_equal(picture_write_png(&p, scratch, &err), VKI_OK);
    assert_int_equal(picture_read(&q, scratch, &err), VKI_OK);
    assert_int_equal(q.width, 37);
    assert_int_equal(q.height, 23);
    assert_memory_equal(p.rgb, q.rgb, 37 * 23 * 3);
    picture_free(&q);
    assert_int_equal(picture_write_png(&p, "/nonexistent/folder/a.png", &err), VKI_E_IO);
    picture_free(&p);
}

static void errors_of_reading(void **state)
{
    (void)state;
    picture p;
    vki_error err = {0};
    assert_int_equal(picture_read(&p, "/nonexistent.png", &err), VKI_E_IO);
    assert_null(p.rgb);
    assert_int_equal(picture_read(&p, "docs/images/README.md", &err), VKI_E_FORMAT);
    assert_non_null(strstr(err.text, "docs/images/README.md"));
    assert_int_equal(picture_decode(&p, "", 0, "nothing", &err), VKI_E_FORMAT);
    /* a header that promises 15000 x 15000 pixels */
    const unsigned char huge[] = {0x89, 'P',  'N', 'G', 13,  10, 26, 10,   0,    0, 0,
                                  0x0d, 'I',  'H', 'D', 'R', 0,  0,  0x3a, 0x98, 0, 0,
                                  0x3a, 0x98, 8,   2,   0,   0,  0,  0,    0,    0, 0};
    assert_int_equal(picture_decode(&p, huge, sizeof huge, "huge.png", &err), VKI_E_FORMAT);
    assert_non_null(strstr(err.text, "15000x15000"));
    assert_int_equal(picture_create(&p, 0, 5, &err), VKI_E_ARG);
    assert_int_equal(picture_create(&p, 65536, 1, &err), VKI_E_ARG);
    assert_int_equal(picture_create(&p, 20000, 20000, &err), VKI_E_ARG);
}

/* Old stb_image writes beyond its tables here; a table of 256 codes, and one after a comment, are another
 * matter.
 */
static void jpeg_tables_too_large(void **state)
{
    (void)state;
    static const uint8_t comment[] = {0xff, 0xd8, 0xff, 0xfe, 0, 6, 0xff, 0xc4, 0, 5};
    for (int codes = 256; codes <= 257; codes++) {
        uint8_t file[400];
        size_t n = sizeof comment, length = 2 + 17 + (size_t)codes;
        memset(file, 0, sizeof file);
        memcpy(file, comment, n);
        const uint8_t table[] = {0xff, 0xc4, (uint8_t)(length >> 8), (uint8_t)length, 0x13};
        memcpy(file + n, table, sizeof table);
        file[n + sizeof table + 14] = (uint8_t)(codes - 250);
        file[n + sizeof table + 15] = 250;
        n += 2 + length;
        picture p;
        vki_error err = {0};
        assert_int_equal(picture_decode(&p, file, n, "table.jpg", &err), VKI_E_FORMAT);
        assert_int_equal(strstr(err.text, "Huffman table") != NULL, codes > 256);
        assert_int_equal(picture_decode(&p, file, n - 1, "cut.jpg", &err), VKI_E_FORMAT);
        assert_non_null(strstr(err.text, "Huffman table"));
    }
}

/* Every truncation and thousands of flipped bytes: a picture or an error, nothing else. */
static void broken_files(const char *path, int flips)
{
    vkb_file file;
    assert_int_equal(vkb_file_map(&file, path, NULL), VKI_OK);
    uint8_t *copy = malloc(file.bytes);
    assert_non_null(copy);
    uint32_t random = 12345;
    int refused = 0;
    for (int i = 0; i < flips; i++) {
        size_t n = file.bytes;
        memcpy(copy, file.data, n);
        random = random * 1664525u + 1013904223u;
        if (i % 4 == 0) n = (random >> 8) % n;
        for (int k = 0; k < i % 4; k++) {
            random = random * 1664525u + 1013904223u;
            size_t near_start = (random >> 4) % 3 ? n : 1000; /* headers and tables more often */
            copy[(random >> 8) % (near_start < n ? near_start : n)] ^= (uint8_t)(1u << (random & 7));
        }
        picture p;
        vki_error err = {0};
        vki_status status = picture_decode(&p, copy, n, path, &err);
        assert_true(status == VKI_OK || (status == VKI_E_FORMAT && err.text[0] && !p.rgb));
        refused += status != VKI_OK;
        picture_free(&p);
    }
    assert_true(refused > 0);
    free(copy);
    vkb_file_unmap(&file);
}

static void broken_png(void **state)
{
    (void)state;
    picture p = blank(61, 40);
    for (int i = 0; i < 61 * 40 * 3; i++) p.rgb[i] = (uint8_t)(i / 5);
    assert_int_equal(picture_write_png(&p, scratch, NULL), VKI_OK);
    picture_free(&p);
    broken_files(scratch, 4000);
}

static void broken_jpeg(void **state)
{
    (void)state;
    broken_files("docs/images/sign.jpg", 40);
}

static int make_scratch(void **state)
{
    (void)state;
    snprintf(scratch, sizeof scratch, "/tmp/vkinfer-draw-test-%ld.png", (long)getpid());
    return 0;
}

static int drop_scratch(void **state)
{
    (void)state;
    unlink(scratch);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(boxes_cover_their_area),
        cmocka_unit_test(polygons_cover_their_area),
        cmocka_unit_test(shapes_may_lie_outside),
        cmocka_unit_test(letters),
        cmocka_unit_test(png_round_trip),
        cmocka_unit_test(errors_of_reading),
        cmocka_unit_test(jpeg_tables_too_large),
        cmocka_unit_test(broken_png),
        cmocka_unit_test(broken_jpeg),
    };
    return cmocka_run_group_tests(tests, make_scratch, drop_scratch);
}
