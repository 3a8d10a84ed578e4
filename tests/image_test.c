/* SPDX-License-Identifier: Apache-2.0
 * vki_image_to_tensor against a double-precision reference that follows the header's words. */
#include "base/base.h"
#include "vkinfer/vkinfer_image.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SOURCE_W = 37, SOURCE_H = 29, GUARD = 8 };

static const int pixel_bytes[] = {3, 3, 4, 4, 1};

static uint32_t random_state;

static uint32_t next_random(void)
{
    random_state = random_state * 1664525u + 1013904223u;
    return random_state >> 8;
}

/* Colour k (0 red) of the picture at integer coordinates inside the crop, edges repeated. */
static double pixel_at(const vki_image *im, const vki_rect *crop, int x, int y, int k)
{
    x = crop->x + (int)vkb_max(0, vkb_min(crop->width - 1, x));
    y = crop->y + (int)vkb_max(0, vkb_min(crop->height - 1, y));
    int bytes = pixel_bytes[im->format];
    const uint8_t *p = im->pixels + (size_t)y * im->stride + (size_t)(x * bytes);
    if (im->format == VKI_PIXELS_GRAY) return p[0];
    bool swapped = im->format == VKI_PIXELS_BGR || im->format == VKI_PIXELS_BGRA;
    return p[swapped ? 2 - k : k];
}

/* The weight of source pixel `s` for output pixel `i`: by area where the axis shrinks to less than half, else
 * the triangle of bilinear interpolation. */
static double weight_of(int s, int i, int from, int to)
{
    double ratio = (double)from / to;
    if (ratio > 2) {
        double begin = fmax(s, i * ratio), end = fmin(s + 1, (i + 1) * ratio);
        return fmax(0, end - begin) / ratio;
    }
    return fmax(0, 1 - fabs((i + 0.5) * ratio - (s + 0.5)));
}

static double resized(const vki_image *im, const vki_rect *crop, const vki_rect *placed, int x, int y, int k)
{
    double sum = 0;
    for (int sy = -1; sy <= crop->height; sy++) {
        double wy = weight_of(sy, y, crop->height, placed->height);
        if (wy == 0) continue;
        for (int sx = -1; sx <= crop->width; sx++) {
            double wx = weight_of(sx, x, crop->width, placed->width);
            if (wx != 0) sum += wx * wy * pixel_at(im, crop, sx, sy, k);
        }
    }
    return sum;
}

static double expected(const vki_image *im, const vki_image_options *o, const vki_rect *crop,
                       const vki_rect *placed, int x, int y, int c)
{
    double v = o->pad;
    bool inside =
        x >= placed->x && x < placed->x + placed->width && y >= placed->y && y < placed->y + placed->height;
    if (inside) {
        double rgb[3];
        for (int k = 0; k < 3; k++) rgb[k] = resized(im, crop, placed, x - placed->x, y - placed->y, k);
        if (o->channels == VKI_CHANNELS_GRAY)
            v = 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2];
        else
            v = rgb[o->channels == VKI_CHANNELS_BGR ? 2 - c : c];
    }
    double scale = o->scale[0] == 0 && o->scale[1] == 0 && o->scale[2] == 0 ? 1 : (double)o->scale[c];
    return (v - (double)o->mean[c]) * scale;
}

static void check(const vki_image *im, const vki_image_options *o)
{
    int channels = o->channels == VKI_CHANNELS_GRAY ? 1 : 3;
    size_t count = (size_t)(o->width * o->height * channels);
    float *out = malloc((count + GUARD) * sizeof *out);
    assert_non_null(out);
    for (size_t i = 0; i < count + GUARD; i++) out[i] = -12345;
    vki_rect placed = {-1, -1, -1, -1};
    vki_error err = {0};
    assert_int_equal(vki_image_to_tensor(im, o, out, count, &placed, &err), VKI_OK);
    for (size_t i = count; i < count + GUARD; i++) assert_float_equal(out[i], -12345, 0);
    vki_rect crop = o->crop.width ? o->crop : (vki_rect){0, 0, im->width, im->height};
    double worst = 0;
    for (int y = 0; y < o->height; y++)
        for (int x = 0; x < o->width; x++)
            for (int c = 0; c < channels; c++) {
                size_t at = o->layout == VKI_LAYOUT_NCHW ? (size_t)((c * o->height + y) * o->width + x)
                                                         : (size_t)((y * o->width + x) * channels + c);
                double reach = fmax(1, fabs((double)o->scale[c]));
                worst = fmax(worst, fabs((double)out[at] - expected(im, o, &crop, &placed, x, y, c)) / reach);
            }
    free(out);
    assert_true(worst < 2e-4); /* pixels up to 255 in fp32 sums of up to a few hundred taps */
}

static vki_image make_image(vki_pixel_format format, size_t gap)
{
    vki_image im = {.width = SOURCE_W, .height = SOURCE_H, .format = format};
    im.stride = (size_t)(SOURCE_W * pixel_bytes[format]) + gap;
    /* the exact size, so that a sanitizer sees a read past the last row */
    size_t bytes = im.stride * (SOURCE_H - 1) + (size_t)(SOURCE_W * pixel_bytes[format]);
    uint8_t *pixels = malloc(bytes);
    assert_non_null(pixels);
    random_state = 7;
    for (size_t i = 0; i < bytes; i++) pixels[i] = (uint8_t)next_random();
    im.pixels = pixels;
    return im;
}

static const int sizes[][2] = {{37, 29}, {74, 58}, {18, 14}, {19, 15}, {5, 3}, {1, 1},
                               {100, 7}, {7, 100}, {36, 30}, {2, 29},  {37, 1}};
static const vki_rect crops[] = {{0, 0, 0, 0}, {3, 5, 20, 11}, {36, 28, 1, 1}, {0, 0, 37, 1}};

static void formats_layouts_sizes(void **state)
{
    (void)state;
    for (int format = VKI_PIXELS_RGB; format <= VKI_PIXELS_GRAY; format++) {
        vki_image im = make_image((vki_pixel_format)format, format % 2 ? 5 : 0);
        for (int n = 0; n < 3 * 2 * 3; n++) {
            vki_image_options o = {.size = sizeof o,
                                   .channels = (vki_channels)(n % 3),
                                   .layout = (vki_layout)(n / 3 % 2),
                                   .fit = (vki_fit)(n / 6),
                                   .mean = {10, 120.5f, 200},
                                   .scale = {0.5f, 1 / 58.4f, -2},
                                   .pad = 114};
            for (size_t s = 0; s < VKB_COUNT(sizes); s++) {
                o.width = sizes[s][0];
                o.height = sizes[s][1];
                o.crop = crops[(s + (size_t)n) % VKB_COUNT(crops)];
                check(&im, &o);
            }
        }
        free((void *)(uintptr_t)im.pixels);
    }
}

static void same_size_is_exact(void **state)
{
    (void)state;
    vki_image im = make_image(VKI_PIXELS_RGB, 0);
    vki_image_options o = {
        .size = sizeof o, .width = SOURCE_W, .height = SOURCE_H, .layout = VKI_LAYOUT_NHWC};
    float out[SOURCE_W * SOURCE_H * 3];
    assert_int_equal(vki_image_to_tensor(&im, &o, out, VKB_COUNT(out), NULL, NULL), VKI_OK);
    for (size_t i = 0; i < VKB_COUNT(out); i++) assert_true(out[i] == (float)im.pixels[i]);
    free((void *)(uintptr_t)im.pixels);
}

static void letterbox_places(void **state)
{
    (void)state;
    const uint8_t pixels[4 * 2] = {9, 9, 9, 9, 9, 9, 9, 9};
    vki_image im = {.pixels = pixels, .width = 4, .height = 2, .format = VKI_PIXELS_GRAY};
    vki_image_options o = {.size = sizeof o,
                           .width = 8,
                           .height = 8,
                           .channels = VKI_CHANNELS_GRAY,
                           .fit = VKI_FIT_LETTERBOX,
                           .pad = 1};
    float out[64];
    vki_rect placed;
    assert_int_equal(vki_image_to_tensor(&im, &o, out, 64, &placed, NULL), VKI_OK);
    assert_int_equal(placed.x, 0);
    assert_int_equal(placed.y, 2);
    assert_int_equal(placed.width, 8);
    assert_int_equal(placed.height, 4);
    for (int i = 0; i < 64; i++) assert_true(out[i] == (i >= 16 && i < 48 ? 9.0f : 1.0f));
    o.fit = VKI_FIT_TOP_LEFT;
    assert_int_equal(vki_image_to_tensor(&im, &o, out, 64, &placed, NULL), VKI_OK);
    assert_int_equal(placed.y, 0);
    for (int i = 0; i < 64; i++) assert_true(out[i] == (i < 32 ? 9.0f : 1.0f));
}

static void refuse(const vki_image *im, const vki_image_options *o, size_t count, vki_status wanted,
                   const char *word)
{
    float out[12];
    vki_error err = {0};
    assert_int_equal(vki_image_to_tensor(im, o, out, count, NULL, &err), wanted);
    assert_int_equal(err.code, wanted);
    assert_non_null(strstr(err.text, word));
    assert_int_equal(vki_image_to_tensor(im, o, out, count, NULL, NULL), wanted);
}

static void wrong_arguments(void **state)
{
    (void)state;
    const uint8_t pixels[12] = {0};
    const vki_image good = {.pixels = pixels, .width = 2, .height = 2};
    const vki_image_options fine = {.size = sizeof fine, .width = 2, .height = 2};
    refuse(NULL, &fine, 12, VKI_E_ARG, "NULL");
    refuse(&good, NULL, 12, VKI_E_ARG, "NULL");
    refuse(&good, &fine, 11, VKI_E_SHAPE, "12 elements");
    vki_image im = good;
    im.pixels = NULL;
    refuse(&im, &fine, 12, VKI_E_ARG, "NULL");
    im = good;
    im.width = 0;
    refuse(&im, &fine, 12, VKI_E_ARG, "0x2");
    im = good;
    im.height = VKI_IMAGE_MAX_SIDE + 1;
    refuse(&im, &fine, 12, VKI_E_ARG, "65536");
    im = good;
    im.stride = 5;
    refuse(&im, &fine, 12, VKI_E_ARG, "stride of 5");
    im = good;
    im.format = (vki_pixel_format)9;
    refuse(&im, &fine, 12, VKI_E_ARG, "9 is no pixel format");
    vki_image_options o = fine;
    o.size = 4;
    refuse(&good, &o, 12, VKI_E_ARG, "size is 4");
    o = fine;
    o.width = -1;
    refuse(&good, &o, 12, VKI_E_ARG, "-1x2");
    o = fine;
    o.fit = (vki_fit)3;
    refuse(&good, &o, 12, VKI_E_ARG, "fit 3");
    const vki_rect outside[] = {{1, 0, 2, 2}, {0, 1, 2, 2}, {-1, 0, 2, 2},
                                {0, 0, 2, 0}, {0, 0, 0, 2}, {1, 1, 2147483647, 1}};
    for (size_t i = 0; i < VKB_COUNT(outside); i++) {
        o = fine;
        o.crop = outside[i];
        refuse(&good, &o, 12, VKI_E_ARG, "not inside the 2x2 picture");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats_layouts_sizes),
        cmocka_unit_test(same_size_is_exact),
        cmocka_unit_test(letterbox_places),
        cmocka_unit_test(wrong_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
