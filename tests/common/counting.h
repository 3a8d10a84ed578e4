/* SPDX-License-Identifier: Apache-2.0
 * An allocator that counts, and fails on demand. */
#ifndef TESTS_COMMON_COUNTING_H
#define TESTS_COMMON_COUNTING_H

#include <stdatomic.h>

#include "base/base.h"

typedef struct counting {
    atomic_llong calls;   /* alloc calls so far */
    atomic_llong live;    /* blocks not freed yet */
    atomic_llong fail_at; /* the call with this number fails, and all later ones if `fail_on`; 0: none */
    bool fail_on;
} counting;

vki_allocator counting_allocator(counting *c);

#endif
