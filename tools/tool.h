/* SPDX-License-Identifier: Apache-2.0
 * What the commands of `vkinfer` share: their exit codes and how they tell of an error. */
#ifndef TOOL_H
#define TOOL_H

#include "base/base.h"

/* Exit codes; scripts rely on them. */
enum {
    TOOL_OK = 0,
    TOOL_FAILED = 1, /* the work could not be done, or a check did not pass */
    TOOL_USAGE = 2   /* the command line is wrong */
};

typedef struct tool_command {
    const char *name;
    const char *summary;               /* one line for `vkinfer --help` */
    int (*run)(int argc, char **argv); /* argv[0] is the command's name; returns an exit code */
} tool_command;

/* Each in tools/cmd_<name>.c. */
int cmd_devices(int argc, char **argv);
int cmd_info(int argc, char **argv);
int cmd_convert(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_benchmark(int argc, char **argv);
int cmd_verify(int argc, char **argv);
int cmd_ocr(int argc, char **argv);

/* Prints the error, with its node, to stderr and returns TOOL_FAILED: return tool_failed(&err); */
int tool_failed(const vki_error *err);

/* Prints a JSON text to stdout (path NULL or "-") or into a file, with a newline at its end. VKI_E_IO. */
vki_status tool_write_text(const char *path, const char *text, vki_error *err);

#endif
