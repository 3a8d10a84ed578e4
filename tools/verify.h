/* SPDX-License-Identifier: Apache-2.0
 * What `vkinfer verify` is made of. */
#ifndef VERIFY_H
#define VERIFY_H

#include "options.h"

typedef struct verify_totals {
    int passed, failed, skipped; /* data sets */
    int same; /* --each-pass: plans that the pass has no part in, and that were not run once more */
    int float_cases, float_passed; /* --suite: models whose tensors are all fp32 or fp16 */
} verify_totals;

typedef struct verify_job {
    vki_context *context;
    vki_session_options session; /* shapes come from the data, where there is data */
    double rtol;
    bool constant_inputs; /* data that shapes depend on becomes part of the model */
    bool each_pass;       /* every data set once more without each of the graph passes */
    verify_totals totals;
} verify_job;

struct testdata;

/* ---- verify_data.c: against stored results. Each prints a line a data set and counts it. ---- */
/* All data sets of `folder` with the model; `label` is how the lines call it. */
void verify_folder(verify_job *job, const char *model_path, const char *folder, const char *label);
/* Prints "PASS <label>  <details>" and counts; verdict: "PASS", "FAIL" or "SKIP". */
void verify_line(verify_job *job, const char *verdict, const char *label, const char *format, ...)
    VKB_PRINTF(4, 5);
/* A failure that is no fault of the numbers: what cannot be done counts as skipped. */
void verify_error(verify_job *job, const char *label, const vki_error *err);
/* A session of the job's options for the data's shapes. */
vki_status verify_open(const verify_job *job, vki_model *model, const struct testdata *data,
                       vki_session **session, vki_error *err);
/* Runs it and prints how far its outputs are from the data's. */
vki_status verify_outputs(verify_job *job, vki_session *session, const char *label,
                          const struct testdata *data, vki_error *err);

/* ---- verify_passes.c: the same without each pass alone and without all, where that makes another plan. ----
 */
void verify_each_pass(verify_job *job, vki_model *model, const char *label, const char *folder);

/* ---- verify_types.c ---- */
bool verify_only_floats(const char *path); /* of an .onnx file */

/* ---- verify_constants.c ---- */
/* The ONNX model with inputs from number `first` on replaced by the data's values: shapes may depend on them.
 * VKI_E_UNSUPPORTED if the file is no .onnx or the build has no importer. */
vki_status verify_load_constants(vki_context *context, const char *path, const struct testdata *data,
                                 int first, vki_model **out, vki_error *err);

/* ---- verify_nodes.c: the device against the reference, node by node, on random input ---- */
int verify_nodes(verify_job *job, const char *model_path); /* an exit code */

/* ---- verify_input.c ---- */
/* Reproducible values: floats in [-1, 1), integers and truth values 0 or 1 (valid indices, tokens and masks).
 */
void verify_random(void *data, vki_dtype dtype, uint64_t count, uint64_t seed);
uint64_t verify_elements(const vki_tensor_info *info);
/* Writes random values to every input of the session. */
vki_status verify_write_random(vki_session *session, int inputs, vki_error *err);

#endif
