/* SPDX-License-Identifier: Apache-2.0
 * The numbers are those of PP-OCR's own inference: sides that are multiples of 32, lines 48 pixels high,
 * padded on the right to at least 320 pixels, BGR order with ImageNet's mean and deviation (given there for
 * RGB, but applied in this order when the networks were trained). */
#include "ocr/reader.h"

#include <math.h>
#include <stdlib.h>

#include "ocr/db_post.h"
#include "ocr/network.h"
#include "ocr/reading.h"
#include "ocr/rectify.h"

enum {
    SIDE_MULTIPLE = 32,
    LINE_HEIGHT = 48,
    LINE_WIDTH = 320,      /* the least */
    LINE_WIDTH_STEP = 160, /* few widths, since each new one needs a plan */
    LINE_WIDTH_MOST = 3200 /* longer lines are squeezed */
};

struct ocr_reader {
    ocr_network detector, recognizer;
    const ctc_keys *keys;
    int max_side;
    float min_score;
};

typedef struct job { /* a line to recognize */
    ocr_box box;
    picture crop;
    int width; /* of the network's input */
    char *text;
    float score;
} job;

vki_status ocr_reader_create(vki_model *detector, vki_model *recognizer, const ctc_keys *keys,
                             const ocr_reader_options *options, ocr_reader **out, vki_error *err)
{
    *out = NULL;
    ocr_reader *reader = calloc(1, sizeof *reader);
    if (!reader) return vkb_nomem(err, sizeof *reader);
    reader->keys = keys;
    reader->max_side = options->max_side ? options->max_side : 960;
    reader->min_score = options->min_score;
    vki_status status = ocr_network_open(&reader->detector, detector, options->session, "detection", err);
    if (status == VKI_OK)
        status = ocr_network_open(&reader->recognizer, recognizer, options->session, "recognition", err);
    if (status == VKI_OK)
        *out = reader;
    else
        ocr_reader_destroy(&reader);
    return status;
}

void ocr_reader_destroy(ocr_reader **reader)
{
    if (!*reader) return;
    ocr_network_close(&(*reader)->detector);
    ocr_network_close(&(*reader)->recognizer);
    free(*reader);
    *reader = NULL;
}

void ocr_page_free(ocr_page *page)
{
    for (int i = 0; i < page->count; i++) free(page->lines[i].text);
    free(page->lines);
    *page = (ocr_page){0};
}

/* ---- finding lines ---- */

static int round_side(double side)
{
    int n = (int)floor(side / SIDE_MULTIPLE + 0.5);
    return (n < 1 ? 1 : n) * SIDE_MULTIPLE;
}

static vki_status detect(ocr_reader *reader, const picture *image, ocr_box **boxes, int *count,
                         vki_error *err)
{
    ocr_network *net = &reader->detector;
    int longest = image->width > image->height ? image->width : image->height;
    double shrink = longest > reader->max_side ? (double)reader->max_side / longest : 1;
    vki_image_options how = {
        .size = sizeof how,
        .width = net->fixed_width > 0 ? (int)net->fixed_width : round_side(image->width * shrink),
        .height = net->fixed_height > 0 ? (int)net->fixed_height : round_side(image->height * shrink),
        .channels = VKI_CHANNELS_BGR,
        .mean = {0.485f * 255, 0.456f * 255, 0.406f * 255},
        .scale = {1 / (0.229f * 255), 1 / (0.224f * 255), 1 / (0.225f * 255)}};
    VKB_TRY(ocr_network_run(net, image, &how, err));
    const vki_tensor_info *map = &net->result;
    if (map->rank != 4 || map->dims[1] != 1)
        return vkb_fail(err, VKI_E_SHAPE, "the detection model's output '%s' is not a map [1,1,height,width]",
                        map->name);
    int height = (int)map->dims[2], width = (int)map->dims[3];
    VKB_TRY(db_find_boxes(net->output, width, height, &db_defaults, boxes, count, err));
    for (int i = 0; i < *count; i++)
        for (int k = 0; k < 4; k++) {
            ocr_point *p = &(*boxes)[i].quad.p[k];
            p->x = fmin(fmax(p->x * image->width / width, 0), image->width);
            p->y = fmin(fmax(p->y * image->height / height, 0), image->height);
        }
    ocr_reading_order(*boxes, *count);
    return VKI_OK;
}

/* ---- reading them ---- */

static int line_height(const ocr_reader *reader)
{
    return reader->recognizer.fixed_height > 0 ? (int)reader->recognizer.fixed_height : LINE_HEIGHT;
}

static int line_width(const ocr_reader *reader, const picture *crop)
{
    if (reader->recognizer.fixed_width > 0) return (int)reader->recognizer.fixed_width;
    double width = ceil((double)line_height(reader) * crop->width / crop->height);
    if (width <= LINE_WIDTH) return LINE_WIDTH;
    if (width >= LINE_WIDTH_MOST) return LINE_WIDTH_MOST;
    return LINE_WIDTH + (int)ceil((width - LINE_WIDTH) / LINE_WIDTH_STEP) * LINE_WIDTH_STEP;
}

static vki_status recognize(ocr_reader *reader, job *line, vki_error *err)
{
    ocr_network *net = &reader->recognizer;
    vki_image_options how = {.size = sizeof how,
                             .width = line->width,
                             .height = line_height(reader),
                             .channels = VKI_CHANNELS_BGR,
                             .fit = VKI_FIT_TOP_LEFT,
                             .mean = {127.5f, 127.5f, 127.5f},
                             .scale = {1 / 127.5f, 1 / 127.5f, 1 / 127.5f},
                             .pad = 127.5f};
    double ratio = (double)line->crop.width / line->crop.height;
    if (ratio * how.height > how.width) how.fit = VKI_FIT_STRETCH; /* keep the height */
    VKB_TRY(ocr_network_run(net, &line->crop, &how, err));
    const vki_tensor_info *out = &net->result;
    if (out->rank != 3)
        return vkb_fail(err, VKI_E_SHAPE, "the recognition model's output '%s' is not [1,steps,classes]",
                        out->name);
    return ctc_decode(net->output, out->dims[1], out->dims[2], reader->keys, &line->text, &line->score, err);
}

/* Widths in ascending order, so that each is planned for once. */
static vki_status recognize_all(ocr_reader *reader, job *jobs, int count, vki_error *err)
{
    for (int done = 0, width = 0; done < count;) {
        int next = INT32_MAX;
        for (int i = 0; i < count; i++)
            if (jobs[i].width > width && jobs[i].width < next) next = jobs[i].width;
        width = next;
        for (int i = 0; i < count; i++) {
            if (jobs[i].width != width) continue;
            VKB_TRY(recognize(reader, &jobs[i], err));
            done++;
        }
    }
    return VKI_OK;
}

/* Moves the lines worth showing to the page. */
static vki_status keep(job *jobs, int count, float min_score, ocr_page *page, vki_error *err)
{
    page->lines = calloc((size_t)count + 1, sizeof *page->lines);
    if (!page->lines) return vkb_nomem(err, (uint64_t)count * sizeof *page->lines);
    for (int i = 0; i < count; i++) {
        if (!jobs[i].text[0] || !(jobs[i].score >= min_score)) continue;
        page->lines[page->count++] =
            (ocr_line){jobs[i].box.quad, jobs[i].box.score, jobs[i].score, jobs[i].text};
        jobs[i].text = NULL;
    }
    return VKI_OK;
}

static vki_status read_lines(ocr_reader *reader, const picture *image, job *jobs, int count, ocr_page *page,
                             vki_error *err)
{
    for (int i = 0; i < count; i++) {
        VKB_TRY(ocr_rectify(image, &jobs[i].box.quad, &jobs[i].crop, err));
        jobs[i].width = line_width(reader, &jobs[i].crop);
    }
    VKB_TRY(recognize_all(reader, jobs, count, err));
    return keep(jobs, count, reader->min_score, page, err);
}

vki_status ocr_reader_read(ocr_reader *reader, const picture *image, ocr_page *page, vki_error *err)
{
    *page = (ocr_page){0};
    double begin = vkb_now_ms();
    ocr_box *boxes = NULL;
    int count = 0;
    VKB_TRY(detect(reader, image, &boxes, &count, err));
    double found = vkb_now_ms();
    job *jobs = calloc((size_t)count + 1, sizeof *jobs);
    vki_status status = jobs ? VKI_OK : vkb_nomem(err, (uint64_t)count * sizeof *jobs);
    for (int i = 0; i < count && jobs; i++) jobs[i].box = boxes[i];
    free(boxes);
    if (status == VKI_OK) status = read_lines(reader, image, jobs, count, page, err);
    for (int i = 0; i < count && jobs; i++) {
        picture_free(&jobs[i].crop);
        free(jobs[i].text);
    }
    free(jobs);
    page->boxes = count;
    page->detect_ms = found - begin;
    page->recognize_ms = vkb_now_ms() - found;
    if (status != VKI_OK) ocr_page_free(page);
    return status;
}
