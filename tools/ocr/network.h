/* SPDX-License-Identifier: Apache-2.0
 * A network with one picture as input and one fp32 tensor as output, for pictures of any size that it takes.
 */
#ifndef OCR_NETWORK_H
#define OCR_NETWORK_H

#include "picture.h"
#include "vkinfer/vkinfer_image.h"

typedef struct ocr_network {
    vki_session *session;
    const char *input_name;            /* the session's */
    int64_t fixed_height, fixed_width; /* -1: free */
    int64_t height, width;             /* of the present plan; 0: none */
    float *input, *output;
    size_t input_capacity, output_capacity; /* elements */
    vki_tensor_info result;                 /* of the present plan */
} ocr_network;

/* VKI_E_SHAPE if `model` is no such network; `role` names it in the text. */
vki_status ocr_network_open(ocr_network *net, vki_model *model, const vki_session_options *options,
                            const char *role, vki_error *err);
void ocr_network_close(ocr_network *net);

/* Runs the network on the picture, converted as `how` says (how->width and how->height choose the plan). The
 * result is in net->output, with the shape net->result, until the next call. */
vki_status ocr_network_run(ocr_network *net, const picture *image, const vki_image_options *how,
                           vki_error *err);

#endif
