/* SPDX-License-Identifier: Apache-2.0
 * vkinfer ocr: reads the text of a picture. */
#include "json.h"
#include "ocr/annotate.h"
#include "ocr/reader.h"
#include "options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct ocr_job {
    opt_engine engine;
    const char *image, *detector, *recognizer, *keys, *output, *font;
    int max_side;
    opt_floats min_score;
    bool json;
} ocr_job;

static const char about[] = "Finds the lines of text in a picture (PNG, JPEG, BMP), reads each, and prints "
                            "them in reading order with\n"
                            "their scores (mean probability of the characters). The networks are a pair of "
                            "the PP-OCR family; the key list\n"
                            "has one character a line and belongs to the recognition network.\n";

static vki_status load_keys(const ocr_job *job, const vki_model *recognizer, ctc_keys *keys, vki_error *err)
{
    if (job->keys) return ctc_keys_load(keys, job->keys, err);
    const char *text = vki_model_metadata(recognizer, "character");
    if (text) return ctc_keys_parse(keys, text, strlen(text), err);
    return vkb_fail(err, VKI_E_ARG, "%s holds no key list; give the one that belongs to it with --keys FILE",
                    job->recognizer);
}

static cJSON *line_json(const ocr_line *line)
{
    cJSON *entry = cJSON_CreateObject(), *box = cJSON_AddArrayToObject(entry, "box");
    cJSON_AddStringToObject(entry, "text", line->text);
    cJSON_AddNumberToObject(entry, "score", (double)line->score);
    cJSON_AddNumberToObject(entry, "box_score", (double)line->box_score);
    for (int k = 0; k < 4; k++) {
        double corner[2] = {line->quad.p[k].x, line->quad.p[k].y};
        cJSON_AddItemToArray(box, cJSON_CreateDoubleArray(corner, 2));
    }
    return entry;
}

static vki_status print_json(const ocr_job *job, const ocr_page *page, const vki_device_info *device,
                             vki_error *err)
{
    cJSON *root = cJSON_CreateObject(), *lines = cJSON_AddArrayToObject(root, "lines");
    cJSON_AddStringToObject(root, "image", job->image);
    cJSON_AddItemToObject(root, "device", device_json(device));
    cJSON_AddNumberToObject(root, "detect_ms", page->detect_ms);
    cJSON_AddNumberToObject(root, "recognize_ms", page->recognize_ms);
    for (int i = 0; i < page->count; i++) cJSON_AddItemToArray(lines, line_json(&page->lines[i]));
    return json_write(root, NULL, err);
}

static void print_lines(const ocr_page *page, const vki_device_info *device)
{
    for (int i = 0; i < page->count; i++)
        printf("%3d  %.3f  %s\n", i + 1, (double)page->lines[i].score, page->lines[i].text);
    printf("%d line%s on %s: found in %.0f ms, read in %.0f ms\n", page->count, page->count == 1 ? "" : "s",
           device->name, page->detect_ms, page->recognize_ms);
}

static vki_status write_annotated(const ocr_job *job, const picture *image, const ocr_page *page,
                                  const vki_device_info *device, vki_error *err)
{
    char title[256];
    snprintf(title, sizeof title, "%d line%s, read on %s", page->count, page->count == 1 ? "" : "s",
             device->kind == VKI_DEVICE_CPU ? "the CPU" : "Vulkan");
    text_font *font = NULL;
    picture annotated = {0};
    vki_status status = text_font_open(&font, job->font, err);
    if (status == VKI_OK) status = ocr_annotate(image, page, font, title, &annotated, err);
    if (status == VKI_OK) status = picture_write_png(&annotated, job->output, err);
    picture_free(&annotated);
    text_font_close(&font);
    return status;
}

static vki_status report(const ocr_job *job, const vki_context *context, const picture *image,
                         const ocr_page *page, vki_error *err)
{
    vki_device_info device;
    VKB_TRY(vki_context_device(context, &device));
    if (job->json)
        VKB_TRY(print_json(job, page, &device, err));
    else
        print_lines(page, &device);
    return job->output ? write_annotated(job, image, page, &device, err) : VKI_OK;
}

static vki_status read_picture(ocr_job *job, vki_context *context, const picture *image, vki_error *err)
{
    ocr_reader_options options = {
        .session = &job->engine.session, .max_side = job->max_side, .min_score = job->min_score.values[0]};
    vki_model *detector = NULL, *recognizer = NULL;
    ctc_keys keys = {0};
    ocr_reader *reader = NULL;
    ocr_page page = {0};
    vki_status status = vki_model_load_file(context, job->detector, &detector, err);
    if (status == VKI_OK) status = vki_model_load_file(context, job->recognizer, &recognizer, err);
    if (status == VKI_OK) status = load_keys(job, recognizer, &keys, err);
    if (status == VKI_OK) status = ocr_reader_create(detector, recognizer, &keys, &options, &reader, err);
    if (status == VKI_OK) status = ocr_reader_read(reader, image, &page, err);
    if (status == VKI_OK) status = report(job, context, image, &page, err);
    ocr_page_free(&page);
    ocr_reader_destroy(&reader);
    ctc_keys_free(&keys);
    vki_model_destroy(&recognizer);
    vki_model_destroy(&detector);
    return status;
}

int cmd_ocr(int argc, char **argv)
{
    ocr_job job = {.max_side = 960, .min_score = {{0.5f}, 1}};
    const opt_row rows[] = {
        {"--det", 0, OPT_STRING, &job.detector, "MODEL", "network that finds lines (.vkm or .onnx)", 0, 0},
        {"--rec", 0, OPT_STRING, &job.recognizer, "MODEL", "network that reads a line (.vkm or .onnx)", 0, 0},
        {"--keys", 0, OPT_STRING, &job.keys, "FILE",
         "its characters, one a line (the model's metadata 'character')", 0, 0},
        {"--output", 'o', OPT_STRING, &job.output, "OUT.png", "write a picture with the lines marked", 0, 0},
        {"--font", 0, OPT_STRING, &job.font, "FILE", "TrueType font for that picture (an installed one)", 0,
         0},
        {"--max-side", 0, OPT_INT, &job.max_side, "N", "shrink longer pictures to find lines (960)", 32,
         8192},
        {"--min-score", 0, OPT_FLOATS, &job.min_score, "X", "drop lines read with a lower score (0.5)", 0, 0},
        {"--json", 0, OPT_FLAG, &job.json, NULL, "print JSON, with the boxes' corners", 0, 0},
        OPT_ENGINE_ROWS(job.engine),
    };
    opt_line line = {.command = "ocr",
                     .usage = "--det DET.vkm --rec REC.vkm [--keys KEYS.txt] IMAGE [-o OUT.png] [options]",
                     .about = about,
                     .rows = rows,
                     .row_count = VKB_COUNT(rows),
                     .min_args = 1,
                     .max_args = 1};
    int code = options_parse(&line, argc, argv);
    if (code != OPT_GO_ON) return code;
    if (!job.detector || !job.recognizer)
        return options_wrong(&line, "--det and --rec are needed: the two networks");
    if (job.min_score.count != 1) return options_wrong(&line, "--min-score takes one number");
    job.image = line.args[0];

    vki_error err = {0};
    picture image = {0};
    vki_context *context = NULL;
    vki_status status = picture_read(&image, job.image, &err);
    if (status == VKI_OK) status = opt_engine_context(&job.engine, &context, &err);
    if (status == VKI_OK) status = read_picture(&job, context, &image, &err);
    vki_context_destroy(&context);
    picture_free(&image);
    return status == VKI_OK ? TOOL_OK : tool_failed(&err);
}
