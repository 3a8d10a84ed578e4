/* SPDX-License-Identifier: Apache-2.0
 * Pixels to tensor in one pass. Each output pixel gathers the source pixels under it; no tables, no
 * allocation: with two taps an axis (bilinear) the taps are cheap to find, and with more (area) every source
 * pixel is read once. */
#include "base/base.h"
#include "vkinfer/vkinfer_image.h"

#include <math.h>

/* The source pixels that one output coordinate gathers along one axis; the weights sum to 1. */
typedef struct taps {
    int first, last;
    float w_first, w_between, w_last; /* w_last counts only if last > first */
} taps;

typedef struct converter {
    const vki_image *image;
    const vki_image_options *options;
    vki_rect crop, placed;
    int pixel_bytes, red, green, blue; /* offsets of the colours in a pixel */
    int channels;
    size_t stride, step_x, step_y, step_c; /* source bytes a row; output elements */
    float scale[3];
    float *out;
} converter;

static float tap_weight(const taps *t, int i)
{
    return i == t->first ? t->w_first : i == t->last ? t->w_last : t->w_between;
}

/* Output coordinate i of `to` over a source axis of `from` pixels. Double: the positions of a 65535-pixel
 * axis need more than the 24 bits of a float. */
static taps find_taps(int i, int from, int to)
{
    double ratio = (double)from / to;
    if (ratio <= 2) {
        double centre = (i + 0.5) * ratio - 0.5;
        double below = floor(centre);
        int first = (int)below;
        float fraction = (float)(centre - below);
        if (first < 0) return (taps){0, 0, 1, 0, 0};
        if (first >= from - 1) return (taps){from - 1, from - 1, 1, 0, 0};
        return (taps){first, first + 1, 1 - fraction, 0, fraction};
    }
    double begin = i * ratio, end = (i + 1) * ratio;
    int first = (int)begin, last = (int)ceil(end) - 1;
    if (last > from - 1) last = from - 1;
    return (taps){first, last, (float)((first + 1 - begin) / ratio), (float)(1 / ratio),
                  (float)((end - last) / ratio)};
}

static void gather(const converter *c, const taps *tx, const taps *ty, float rgb[3])
{
    rgb[0] = rgb[1] = rgb[2] = 0;
    for (int y = ty->first; y <= ty->last; y++) {
        const uint8_t *p = c->image->pixels + (size_t)(c->crop.y + y) * c->stride +
                           (size_t)(c->crop.x + tx->first) * (size_t)c->pixel_bytes;
        float row[3] = {0, 0, 0};
        for (int x = tx->first; x <= tx->last; x++, p += c->pixel_bytes) {
            float w = tap_weight(tx, x);
            row[0] += w * (float)p[c->red];
            row[1] += w * (float)p[c->green];
            row[2] += w * (float)p[c->blue];
        }
        float w = tap_weight(ty, y);
        for (int k = 0; k < 3; k++) rgb[k] += w * row[k];
    }
}

static void store(const converter *c, int x, int y, const float rgb[3])
{
    float value[3] = {rgb[0], rgb[1], rgb[2]};
    if (c->options->channels == VKI_CHANNELS_BGR) {
        value[0] = rgb[2];
        value[2] = rgb[0];
    } else if (c->options->channels == VKI_CHANNELS_GRAY) {
        value[0] = 0.299f * rgb[0] + 0.587f * rgb[1] + 0.114f * rgb[2];
    }
    float *to = c->out + (size_t)y * c->step_y + (size_t)x * c->step_x;
    for (int k = 0; k < c->channels; k++)
        to[(size_t)k * c->step_c] = (value[k] - c->options->mean[k]) * c->scale[k];
}

static void convert_row(const converter *c, int y)
{
    const float pad[3] = {c->options->pad, c->options->pad, c->options->pad};
    const vki_rect *placed = &c->placed;
    bool inside = y >= placed->y && y < placed->y + placed->height;
    taps ty = find_taps(inside ? y - placed->y : 0, c->crop.height, placed->height);
    for (int x = 0; x < c->options->width; x++) {
        if (inside && x >= placed->x && x < placed->x + placed->width) {
            float rgb[3];
            taps tx = find_taps(x - placed->x, c->crop.width, placed->width);
            gather(c, &tx, &ty, rgb);
            store(c, x, y, rgb);
        } else {
            store(c, x, y, pad);
        }
    }
}

/* Where the crop lies in the tensor. */
static vki_rect place(const vki_rect *crop, const vki_image_options *o)
{
    vki_rect r = {0, 0, o->width, o->height};
    if (o->fit == VKI_FIT_STRETCH) return r;
    double sx = (double)o->width / crop->width, sy = (double)o->height / crop->height;
    double s = sx < sy ? sx : sy;
    r.width = (int)vkb_max(1, vkb_min(o->width, (int)floor(crop->width * s + 0.5)));
    r.height = (int)vkb_max(1, vkb_min(o->height, (int)floor(crop->height * s + 0.5)));
    if (o->fit == VKI_FIT_LETTERBOX) {
        r.x = (o->width - r.width) / 2;
        r.y = (o->height - r.height) / 2;
    }
    return r;
}

static bool side_ok(int side)
{
    return side >= 1 && side <= VKI_IMAGE_MAX_SIDE;
}

static vki_status check_image(const vki_image *image, int pixel_bytes, size_t *stride, vki_error *err)
{
    if (!side_ok(image->width) || !side_ok(image->height))
        return vkb_fail(err, VKI_E_ARG, "a picture of %dx%d pixels: each side must be from 1 to %d",
                        image->width, image->height, VKI_IMAGE_MAX_SIDE);
    size_t dense = (size_t)image->width * (size_t)pixel_bytes;
    *stride = image->stride ? image->stride : dense;
    if (*stride < dense)
        return vkb_fail(err, VKI_E_ARG, "the stride of %zu bytes is less than a row of %d pixels, %zu bytes",
                        image->stride, image->width, dense);
    return VKI_OK;
}

static vki_status check_options(const vki_image *image, const vki_image_options *o, vki_rect *crop,
                                vki_error *err)
{
    if (o->size != sizeof *o)
        return vkb_fail(err, VKI_E_ARG, "vki_image_options.size is %zu, but must be %zu", o->size, sizeof *o);
    if (!side_ok(o->width) || !side_ok(o->height))
        return vkb_fail(err, VKI_E_ARG, "a tensor of %dx%d pixels: each side must be from 1 to %d", o->width,
                        o->height, VKI_IMAGE_MAX_SIDE);
    if ((unsigned)o->channels > VKI_CHANNELS_GRAY || (unsigned)o->layout > VKI_LAYOUT_NHWC ||
        (unsigned)o->fit > VKI_FIT_TOP_LEFT)
        return vkb_fail(err, VKI_E_ARG, "channels %d, layout %d or fit %d is not a value of its type",
                        (int)o->channels, (int)o->layout, (int)o->fit);
    const vki_rect *r = &o->crop;
    *crop = (vki_rect){0, 0, image->width, image->height};
    if (!r->x && !r->y && !r->width && !r->height) return VKI_OK;
    if (r->x < 0 || r->y < 0 || r->width < 1 || r->height < 1 || r->x > image->width - r->width ||
        r->y > image->height - r->height)
        return vkb_fail(err, VKI_E_ARG,
                        "the crop of %dx%d pixels at (%d, %d) is not inside the %dx%d picture", r->width,
                        r->height, r->x, r->y, image->width, image->height);
    *crop = *r;
    return VKI_OK;
}

vki_status vki_image_to_tensor(const vki_image *image, const vki_image_options *options, float *out,
                               size_t count, vki_rect *placed, vki_error *err)
{
    static const struct {
        int bytes, red, green, blue;
    } formats[] = {[VKI_PIXELS_RGB] = {3, 0, 1, 2},
                   [VKI_PIXELS_BGR] = {3, 2, 1, 0},
                   [VKI_PIXELS_RGBA] = {4, 0, 1, 2},
                   [VKI_PIXELS_BGRA] = {4, 2, 1, 0},
                   [VKI_PIXELS_GRAY] = {1, 0, 0, 0}};
    if (!image || !options || !out || !image->pixels)
        return vkb_fail(err, VKI_E_ARG, "vki_image_to_tensor: image, pixels, options or out is NULL");
    if ((unsigned)image->format >= VKB_COUNT(formats))
        return vkb_fail(err, VKI_E_ARG, "%d is no pixel format", (int)image->format);
    converter c = {.image = image,
                   .options = options,
                   .pixel_bytes = formats[image->format].bytes,
                   .red = formats[image->format].red,
                   .green = formats[image->format].green,
                   .blue = formats[image->format].blue,
                   .out = out};
    VKB_TRY(check_image(image, c.pixel_bytes, &c.stride, err));
    VKB_TRY(check_options(image, options, &c.crop, err));
    size_t width = (size_t)options->width, height = (size_t)options->height;
    c.channels = options->channels == VKI_CHANNELS_GRAY ? 1 : 3;
    if ((uint64_t)count != (uint64_t)width * height * (uint64_t)c.channels)
        return vkb_fail(err, VKI_E_SHAPE,
                        "%dx%d pixels with %d channels are %llu elements, but `out` has %zu", options->width,
                        options->height, c.channels,
                        (unsigned long long)width * height * (unsigned)c.channels, count);
    bool planes = options->layout == VKI_LAYOUT_NCHW;
    c.step_c = planes ? width * height : 1;
    c.step_x = planes ? 1 : (size_t)c.channels;
    c.step_y = width * c.step_x;
    const float *s = options->scale;
    bool scaled = s[0] != 0 || s[1] != 0 || s[2] != 0;
    for (int k = 0; k < 3; k++) c.scale[k] = scaled ? s[k] : 1;
    c.placed = place(&c.crop, options);
    for (int y = 0; y < options->height; y++) convert_row(&c, y);
    if (placed) *placed = c.placed;
    return VKI_OK;
}
