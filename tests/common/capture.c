/* SPDX-License-Identifier: Apache-2.0 */
#include "common/capture.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Lets `stream` write to a temporary file; returns a descriptor of where it wrote before. */
static int divert(FILE *stream, FILE **file)
{
    fflush(stream);
    *file = tmpfile();
    int before = dup(fileno(stream));
    if (!*file || before < 0 || dup2(fileno(*file), fileno(stream)) < 0) exit(99);
    return before;
}

static void restore(FILE *stream, FILE *file, int before, char *text, size_t size)
{
    fflush(stream);
    if (dup2(before, fileno(stream)) < 0) exit(99);
    close(before);
    rewind(file);
    text[fread(text, 1, size - 1, file)] = 0;
    fclose(file);
}

void capture(captured *c, int (*command)(int argc, char **argv), const char *words)
{
    char line[4096], *argv[64];
    int argc = 0;
    snprintf(line, sizeof line, "%s", words);
    for (char *word = strtok(line, " "); word && argc < 63; word = strtok(NULL, " ")) argv[argc++] = word;
    argv[argc] = NULL;
    FILE *out_file, *err_file;
    int out = divert(stdout, &out_file), err = divert(stderr, &err_file);
    c->code = command(argc, argv);
    restore(stdout, out_file, out, c->out, sizeof c->out);
    restore(stderr, err_file, err, c->err, sizeof c->err);
}
