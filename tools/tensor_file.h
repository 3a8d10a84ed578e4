/* SPDX-License-Identifier: Apache-2.0
 * Tensors between files, pictures and sessions. */
#ifndef TENSOR_FILE_H
#define TENSOR_FILE_H

#include "tool.h"

/* Elements and bytes of a tensor whose shape is known; VKI_E_SHAPE if it is not, or if it is too large. */
vki_status tensor_size(const vki_tensor_info *info, size_t *elements, size_t *bytes, vki_error *err);
/* "float32[1,3,H,?]" */
const char *tensor_text(const vki_tensor_info *info, char *buffer, size_t size);

/* Turns n elements of one type into another, by way of double; integers are rounded to nearest and clamped.
 */
void tensor_convert(void *dst, vki_dtype to, const void *src, vki_dtype from, size_t n);
bool tensor_is_float(vki_dtype dtype);
/* One element of any type as a double. */
double tensor_value(const void *data, vki_dtype dtype, size_t index);

/* A file's name for a tensor: characters other than letters, digits, '.', '_' and '-' become '_', and so does
 * a dot at the beginning. */
void tensor_file_name(const char *tensor, char *out, size_t size);

/* VKI_OK if the session has a plan; else VKI_E_ARG with a text that lists the inputs that need --shape. */
vki_status tensor_need_plan(const vki_model *model, const vki_session *session, vki_error *err);

#endif
