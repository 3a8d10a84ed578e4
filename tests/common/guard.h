/* SPDX-License-Identifier: Apache-2.0
 * Memory for kernels under test: surrounded by bytes that must not change. */
#ifndef TESTS_COMMON_GUARD_H
#define TESTS_COMMON_GUARD_H

#include "base/base.h"

typedef struct guarded {
    uint8_t *base;
    void *data; /* 64-byte aligned */
    size_t bytes;
} guarded;

guarded guard_make(size_t bytes);
void guard_fill(const guarded *g, int value); /* 0xff makes every float a NaN */
bool guard_intact(const guarded *g);
void guard_free(guarded *g);

#endif
