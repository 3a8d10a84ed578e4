/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu/strided.h"

const cpu_op cpu_op_tile = {.reference = cpu_strided_reference, .kernels = cpu_strided_kernels};
