/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu/cpu.h"

const cpu_op cpu_op_control = {.reference = NULL}; /* sessions run bodies (session/loop.c) */
