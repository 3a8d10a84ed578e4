/* SPDX-License-Identifier: Apache-2.0
 *
 * From decoded pixels to a model's input: crop, resize, letterbox, channel order, mean and scale in one pass.
 *
 *     vki_image photo = {.pixels = rgb, .width = 640, .height = 480, .format = VKI_PIXELS_RGB};
 *     vki_image_options how = {.size = sizeof how, .width = 224, .height = 224, .fit = VKI_FIT_LETTERBOX,
 *                              .mean = {123.7f, 116.3f, 103.5f}, .scale = {0.017f, 0.017f, 0.017f}};
 *     vki_status status = vki_image_to_tensor(&photo, &how, tensor, 3 * 224 * 224, NULL, &error);
 *
 * Resizing is bilinear with half-pixel centres (the middle of the first pixel lies at 0.5), edges repeated.
 * An axis that shrinks to less than half is averaged over the area that each output pixel covers; at exactly
 * half both rules agree. Nothing is rounded to 8 bits on the way.
 */
#ifndef VKINFER_IMAGE_H
#define VKINFER_IMAGE_H

#include "vkinfer/vkinfer.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Order of the bytes of a pixel. The alpha of RGBA and BGRA is ignored. */
typedef enum vki_pixel_format {
    VKI_PIXELS_RGB = 0,
    VKI_PIXELS_BGR,
    VKI_PIXELS_RGBA,
    VKI_PIXELS_BGRA,
    VKI_PIXELS_GRAY
} vki_pixel_format;

typedef struct vki_image {
    const uint8_t *pixels; /* the caller's; top row first */
    int width, height;     /* 1 to VKI_IMAGE_MAX_SIDE */
    size_t stride;         /* bytes from a row to the next; 0: rows follow one another without gaps */
    vki_pixel_format format;
} vki_image;

#define VKI_IMAGE_MAX_SIDE 65535

typedef enum vki_channels {
    VKI_CHANNELS_RGB = 0,
    VKI_CHANNELS_BGR,
    VKI_CHANNELS_GRAY /* one channel; colours become 0.299 R + 0.587 G + 0.114 B */
} vki_channels;

typedef enum vki_layout { VKI_LAYOUT_NCHW = 0, VKI_LAYOUT_NHWC } vki_layout;

typedef enum vki_fit {
    VKI_FIT_STRETCH = 0, /* fill the tensor, whatever the proportions */
    VKI_FIT_LETTERBOX,   /* keep the proportions, centre, fill the rest with `pad` */
    VKI_FIT_TOP_LEFT     /* keep the proportions, put at the top left, fill the rest with `pad` */
} vki_fit;

typedef struct vki_rect {
    int x, y, width, height;
} vki_rect;

typedef struct vki_image_options {
    size_t size;       /* sizeof(vki_image_options) */
    int width, height; /* of the tensor, 1 to VKI_IMAGE_MAX_SIDE */
    vki_channels channels;
    vki_layout layout;
    vki_fit fit;
    vki_rect crop;  /* the part of the picture to use; all zero: the whole of it */
    float mean[3];  /* element = (pixel - mean[c]) * scale[c], pixel from 0 to 255, c in the tensor's order */
    float scale[3]; /* all zero: 1 */
    float pad;      /* pixel value beside a letterboxed picture, before mean and scale */
} vki_image_options;

/* Writes the one picture [channels, height, width] or [height, width, channels] to `out`, which has `count`
 * elements. *placed, if not NULL, is where the picture lies in the tensor: the rest is padding, and a point
 * (x, y) of the tensor is the point crop.x + (x - placed.x) * crop.width / placed.width of the picture (the
 * same for y). Allocates nothing; thread safe. Errors: VKI_E_ARG, VKI_E_SHAPE (count is not
 * channels * height * width). */
VKI_API vki_status vki_image_to_tensor(const vki_image *image, const vki_image_options *options, float *out,
                                       size_t count, vki_rect *placed, vki_error *err);

#ifdef __cplusplus
}
#endif
#endif
