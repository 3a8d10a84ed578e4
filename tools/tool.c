/* SPDX-License-Identifier: Apache-2.0 */
#include "tool.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int tool_failed(const vki_error *err)
{
    fputs("vkinfer: ", stderr);
    if (err->node[0]) {
        fprintf(stderr, "node '%s'", err->node);
        if (err->op[0]) fprintf(stderr, " (%s)", err->op);
        fputs(": ", stderr);
    }
    if (err->text[0])
        fprintf(stderr, "%s\n", err->text);
    else
        fprintf(stderr, "%s\n", vki_status_name(err->code));
    return TOOL_FAILED;
}

vki_status tool_write_text(const char *path, const char *text, vki_error *err)
{
    if (path && strcmp(path, "-") != 0)
        return vkb_file_write(path, (vkb_span[]){{text, strlen(text)}, {"\n", 1}}, 2, err);
    if (puts(text) < 0 || fflush(stdout) != 0)
        return vkb_fail(err, VKI_E_IO, "cannot write to the standard output: %s", strerror(errno));
    return VKI_OK;
}
