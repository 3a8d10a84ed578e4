/* SPDX-License-Identifier: Apache-2.0
 * NumPy's .npy files, format versions 1 to 3: one array of booleans, integers or floats in C order. Layout
 * and header: numpy.lib.format. Files are not trusted. */
#ifndef NPY_H
#define NPY_H

#include "base/base.h"

typedef struct npy_array {
    vki_dtype dtype;
    int rank;
    int64_t dims[VKI_MAX_RANK];
    size_t bytes;
    void *data; /* row-major, host byte order, 64-byte aligned; owned */
} npy_array;

/* VKI_E_IO, VKI_E_FORMAT, VKI_E_UNSUPPORTED (Fortran order, foreign byte order, other types), VKI_E_NOMEM.
 * The text names the file. */
vki_status npy_load(npy_array *array, const char *path, vki_error *err);
/* The same from memory; `name` stands in errors. */
vki_status npy_read(npy_array *array, const void *bytes, size_t n, const char *name, vki_error *err);
void npy_free(npy_array *array); /* accepts a zeroed one */

/* VKI_E_IO, VKI_E_ARG (a type or rank that .npy cannot hold). Written beside and renamed. */
vki_status npy_save(const char *path, vki_dtype dtype, int rank, const int64_t *dims, const void *data,
                    vki_error *err);

#endif
