/* SPDX-License-Identifier: Apache-2.0 */
#include "common/sysfs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

void sysfs_tell(const char *root, int core, const char *name, const char *line)
{
    char path[512];
    const int n = snprintf(path, sizeof path, "%s/cpu%d/%s", root, core, name);
    assert_in_range(n, 1, sizeof path - 1);
    for (char *slash = path + strlen(root) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        mkdir(path, 0700); /* it may be there */
        *slash = '/';
    }
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(line, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

void sysfs_forget(const char *root)
{
    char command[512];
    snprintf(command, sizeof command, "rm -r '%s'", root);
    assert_int_equal(system(command), 0);
}
