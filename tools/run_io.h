/* SPDX-License-Identifier: Apache-2.0
 * What `vkinfer run` reads and writes. */
#ifndef RUN_IO_H
#define RUN_IO_H

#include "npy.h"
#include "options.h"
#include "picture.h"
#include "tensor_file.h"

typedef struct run_job {
    opt_engine engine;
    const char *model, *output_dir;
    opt_list inputs, images;
    opt_floats mean, scale; /* 1 or 3 numbers */
    int times;
    bool bgr, letterbox, json, report;
} run_job;

typedef struct run_source { /* of one input of the model; neither: not given */
    const char *path;       /* into argv */
    npy_array array;
    picture image;
} run_source;

typedef struct run_inputs {
    run_source *sources; /* by input */
    int count;
} run_inputs;

/* ---- run_input.c ---- */
/* Reads the files, and adds the shapes of dynamic inputs to the job's, where --shape does not say. VKI_E_ARG
 * (no such input, one given twice or not at all), or as npy_load and picture_read. */
vki_status run_inputs_open(run_inputs *inputs, run_job *job, const vki_model *model, vki_error *err);
vki_status run_inputs_write(const run_inputs *inputs, const run_job *job, vki_session *session,
                            vki_error *err);
void run_inputs_close(run_inputs *inputs);

/* ---- run_output.c ---- */
/* Writes every output and prints the summary or the JSON. */
vki_status run_outputs(const run_job *job, const vki_context *context, const vki_model *model,
                       vki_session *session, double ms, vki_error *err);

#endif
