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

static double between_of(const cpu_products *p, int64_t strip)
{
    return (p->before * p->in + p->after * p->out) * (double)(p->tiles_x * strip);
}

double cpu_products_cost(const cpu_products *p, int64_t strip)
{
    const int64_t rest = p->tiles_y % strip;
    const double weights = p->products * p->in * p->out, between = between_of(p, strip);
    const double reading = cpu_reading_cost(weights * p->groups);
    double columns = (double)(p->tiles_y / strip) * (cpu_columns_cost(strip * p->tiles_x) + reading);
    if (rest) columns += cpu_columns_cost(rest * p->tiles_x) + reading;
    const double steps = p->in_steps * p->in + p->out_steps * p->out;
    return weights * columns + (double)(p->tiles_x * p->tiles_y) * steps * cpu_away_cost(between);
}

int64_t cpu_products_strip(const cpu_products *p)
{
    int64_t best = 0;
    for (int64_t strips = 1; strips <= p->tiles_y; strips++) {
        const int64_t strip = vkb_ceil_div(p->tiles_y, strips);
        if (!cpu_strip_fits(between_of(p, strip), strip)) continue;
        if (!best || cpu_products_cost(p, strip) < cpu_products_cost(p, best)) best = strip;
    }
    return best;
}
