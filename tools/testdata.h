/* SPDX-License-Identifier: Apache-2.0
 * Test data of models: folders test_data_set_<n> with inputs and expected outputs, in either form:
 *  - input_<i>.pb and output_<i>.pb, serialized TensorProtos, as the ONNX project ships them;
 *  - .npy files, named by io.json: {"inputs": {"<name>": {"file": "input_0.npy"}, ...}, "outputs": ...}, or
 *    input_<i>.npy and output_<i>.npy without it. */
#ifndef TESTDATA_H
#define TESTDATA_H

#include "npy.h"

typedef struct testdata_item {
    const char *name; /* of the model's input or output; "" if the file does not say: then the order counts */
    npy_array array;
} testdata_item;

typedef struct testdata {
    testdata_item *inputs, *outputs;
    int n_inputs, cap_inputs, n_outputs, cap_outputs;
    vkb_arena arena; /* names */
} testdata;

/* VKI_E_IO, VKI_E_FORMAT, VKI_E_UNSUPPORTED, VKI_E_NOMEM; the text names the file. On failure *data is empty.
 */
vki_status testdata_load(testdata *data, const char *folder, vki_error *err);
void testdata_free(testdata *data);
/* The item for the model's input or output number `index` with that name; NULL if there is none. */
const testdata_item *testdata_find(const testdata_item *items, int count, const char *name, int index);

/* ---- folders ---- */
typedef struct testdata_paths { /* sorted */
    char **items;
    int count, capacity;
    vkb_arena arena;
} testdata_paths;
/* Folders below `folder` (and itself), down to 8 levels, that have test_data_set_* folders. */
vki_status testdata_cases(testdata_paths *paths, const char *folder, vki_error *err);
/* The test_data_set_* folders in `folder`, or `folder` itself if its own name starts so. */
vki_status testdata_sets(testdata_paths *paths, const char *folder, vki_error *err);
void testdata_paths_free(testdata_paths *paths);
bool testdata_exists(const char *folder, const char *file, char *path, size_t size); /* path: joined */

#endif
