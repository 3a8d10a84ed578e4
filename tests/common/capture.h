/* SPDX-License-Identifier: Apache-2.0
 * Runs a command of the tool inside a test and keeps what it prints. */
#ifndef TESTS_COMMON_CAPTURE_H
#define TESTS_COMMON_CAPTURE_H

typedef struct captured {
    int code;
    char out[65536], err[16384]; /* cut off beyond */
} captured;

/* words: separated by single blanks, the first is the command's name. */
void capture(captured *c, int (*command)(int argc, char **argv), const char *words);

#endif
