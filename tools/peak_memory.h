/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEAK_MEMORY_H
#define PEAK_MEMORY_H

#include <stdint.h>

/* Bytes of this process that were in memory at most, at once; 0: not known. What getrusage gives counts what
 * the process was before it became this command. */
uint64_t peak_memory(void);

#endif
