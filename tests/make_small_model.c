/* SPDX-License-Identifier: Apache-2.0
 * Writes a small network of tests/common/small_models.h as a .vkm: make_small_model OUT [SIZE] (no size:
 * dynamic; "loop": the one with a loop). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/small_models.h"

int main(int argc, char **argv)
{
    if (argc < 2) return fprintf(stderr, "usage: make_small_model OUT [SIZE]\n"), 2;
    gr_graph g;
    if (argc > 2 && !strcmp(argv[2], "loop"))
        small_loop(&g);
    else
        small_cnn(&g, &vkb_libc_allocator, argc > 2 ? atoll(argv[2]) : 0);
    int failed = rename(small_model_file(&g), argv[1]);
    gr_free(&g);
    if (failed) perror(argv[1]);
    return failed ? 1 : 0;
}
