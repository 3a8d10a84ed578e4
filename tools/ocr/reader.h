/* SPDX-License-Identifier: Apache-2.0
 * Reads the text of a picture with two networks of the PP-OCR family: one finds lines, the other reads each.
 * Stands on the public API alone. */
#ifndef OCR_READER_H
#define OCR_READER_H

#include "ocr/ctc.h"
#include "ocr/geometry.h"
#include "picture.h"

typedef struct ocr_line {
    ocr_quad quad;   /* in the picture */
    float box_score; /* how sure the first network is that this is text */
    float score;     /* mean probability of the characters */
    char *text;      /* UTF-8; the page's */
} ocr_line;

typedef struct ocr_page {
    ocr_line *lines; /* in reading order */
    int count;
    int boxes;                      /* found, before lines below min_score were dropped */
    double detect_ms, recognize_ms; /* with planning for new shapes */
} ocr_page;

typedef struct ocr_reader_options {
    const vki_session_options *session;
    int max_side;    /* longer pictures are shrunk to it before lines are looked for; 0: 960 */
    float min_score; /* lines read with less are dropped */
} ocr_reader_options;

/* Keeps its sessions and their plans from one picture to the next; one thread at a time. */
typedef struct ocr_reader ocr_reader;

/* `keys` must live as long as the reader; the models may go. VKI_E_SHAPE if a model's input or output is not
 * that of such a network; else as vki_session_create. */
vki_status ocr_reader_create(vki_model *detector, vki_model *recognizer, const ctc_keys *keys,
                             const ocr_reader_options *options, ocr_reader **out, vki_error *err);
void ocr_reader_destroy(ocr_reader **reader);

vki_status ocr_reader_read(ocr_reader *reader, const picture *image, ocr_page *page, vki_error *err);
void ocr_page_free(ocr_page *page);

#endif
