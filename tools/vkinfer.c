/* SPDX-License-Identifier: Apache-2.0
 * The `vkinfer` command: finds the sub-command and runs it. */
#include "tool.h"

#include <stdio.h>
#include <string.h>

static const tool_command commands[] = {
    {"devices", "list the Vulkan devices and the CPU, with what they can do", cmd_devices},
    {"info", "show a model's inputs, outputs, operators, cost and memory plan", cmd_info},
    {"convert", "convert an .onnx file to .vkm and check the result", cmd_convert},
    {"run", "run a model on .npy files or pictures", cmd_run},
    {"benchmark", "measure latency, cold start, memory and every node", cmd_benchmark},
    {"verify", "compare results with stored ones, or a device with the reference", cmd_verify},
    {"ocr", "read the text of a picture", cmd_ocr},
};

static void print_help(FILE *to)
{
    fputs("vkinfer: neural network inference on Vulkan and on the CPU\n\n"
          "usage: vkinfer <command> [arguments]\n"
          "       vkinfer <command> --help\n"
          "       vkinfer --version\n\ncommands:\n",
          to);
    for (size_t i = 0; i < VKB_COUNT(commands); i++)
        fprintf(to, "  %-10s  %s\n", commands[i].name, commands[i].summary);
    fputs("\nexit codes:\n"
          "  0  done, and every check passed\n"
          "  1  failed: a file, a model, a device or a check; the reason is on stderr\n"
          "  2  the command line is wrong\n",
          to);
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    if (!strcmp(name, "--help") || !strcmp(name, "-h") || !strcmp(name, "help")) {
        print_help(stdout);
        return TOOL_OK;
    }
    if (!strcmp(name, "--version")) {
        printf("vkinfer %s (API %u)\n", TOOL_VERSION, (unsigned)vki_version());
        return TOOL_OK;
    }
    for (size_t i = 0; i < VKB_COUNT(commands); i++)
        if (!strcmp(name, commands[i].name)) return commands[i].run(argc - 1, argv + 1);
    if (*name) fprintf(stderr, "vkinfer: there is no command '%s'\n\n", name);
    print_help(stderr);
    return TOOL_USAGE;
}
