/* SPDX-License-Identifier: Apache-2.0
 * What the ways to convolve cost, for the models that choose between them (conv2d_gemm.h). */
#include "cpu/conv2d_gemm.h"

/* What a product of n columns costs, in columns: panels are 16 or 8 wide, one or two columns are quick. */
double cpu_columns_cost(int64_t n)
{
    const int64_t rest = n % CPU_NR;
    return (double)(n - rest) + (rest > 8 ? 16 : rest > 2 ? 9 : rest ? 3 : 0);
}

/* Reading the weights takes as long as multiplying them with these many columns. */
double cpu_reading_cost(double floats)
{
    const double cached = 4 << 20; /* floats that a shared cache may hold */
    return floats > cached ? 8 : 4;
}

/* What lies between the steps is read and written where it fits: floats. */
double cpu_away_cost(double between)
{
    return between > 1 << 20 ? 1.5 : between > 1 << 18 ? 1.1 : 1;
}

/* Beyond the caches one strip costs as much as another, and the largest would take many times the memory of
 * the layer's own tensors. */
bool cpu_strip_fits(double between, int64_t strip)
{
    const double most = 4 << 20; /* floats */
    return strip == 1 || between <= most;
}

double cpu_conv_cost(const op_window *w)
{
    const double weights = (double)op_window_taps(w) * (double)(w->in_c / w->group) * (double)w->out_c;
    return weights * (cpu_columns_cost(w->out_w * w->out_h) + cpu_reading_cost(weights));
}
