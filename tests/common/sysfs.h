/* SPDX-License-Identifier: Apache-2.0
 * Files as in /sys/devices/system/cpu, in a temporary folder. */
#ifndef TESTS_COMMON_SYSFS_H
#define TESTS_COMMON_SYSFS_H

/* Writes cpu<core>/<name> below `root`. */
void sysfs_tell(const char *root, int core, const char *name, const char *line);
void sysfs_forget(const char *root); /* removes all of it */

#endif
