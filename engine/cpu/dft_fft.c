/* SPDX-License-Identifier: Apache-2.0
 * Fast Fourier transforms, in double. Lengths that are powers of two: radix 2, self-sorting (T. G. Stockham,
 * "High-speed convolution and correlation", 1966), whose inner loops are contiguous. All others as a
 * convolution with a chirp, itself computed by transforms of a power of two (L. Bluestein, "A linear
 * filtering approach to the computation of discrete Fourier transform", 1970): X[k] = w[k] sum over n of
 * (x[n] w[n]) conj(w[k - n]),   w[n] = e^(-i pi n^2 / N) */
#include <math.h>
#include <string.h>

#include "cpu/kernels.h"
#include "cpu/ref.h"
#include "graph/ops/dft.h"

#define PI 3.14159265358979323846

enum { LONGEST = 1 << 24 }; /* beyond it, memory would be the question */

typedef struct numbers { /* complex numbers, parts apart */
    double *re, *im;
} numbers;

typedef struct fft_plan {
    op_dft d;
    int64_t size;   /* of the transforms of a power of two */
    numbers turn;   /* e^(-2 pi i j / size), size / 2 of them */
    bool chirped;   /* length is no power of two */
    numbers chirp;  /* w, `length` of them */
    numbers filter; /* transform of conj(w), wrapped around `size` */
} fft_plan;

static numbers part(double *block, int64_t size)
{
    return (numbers){block, block + size};
}

/* One pass: groups of `step` neighbours, `half` turns. */
static void fft_pass(const numbers *x, const numbers *y, const numbers *turn, int64_t half, int64_t step,
                     int64_t turns)
{
    for (int64_t p = 0; p < half; p++) {
        double wr = turn->re[p * turns], wi = turn->im[p * turns];
        const double *ar = x->re + p * step, *ai = x->im + p * step;
        const double *br = ar + half * step, *bi = ai + half * step;
        double *sr = y->re + 2 * p * step, *si = y->im + 2 * p * step;
        double *tr = sr + step, *ti = si + step;
        for (int64_t q = 0; q < step; q++) {
            double re = ar[q] - br[q], im = ai[q] - bi[q];
            sr[q] = ar[q] + br[q];
            si[q] = ai[q] + bi[q];
            tr[q] = re * wr - im * wi;
            ti[q] = re * wi + im * wr;
        }
    }
}

/* Forward transform of x; the result is in *x, what *y points to is overwritten and may be swapped in. */
static void fft(const numbers *turn, int64_t size, numbers *x, numbers *y)
{
    for (int64_t half = size / 2, step = 1; half > 0; half /= 2, step *= 2) {
        fft_pass(x, y, turn, half, step, step);
        numbers swap = *x;
        *x = *y;
        *y = swap;
    }
}

/* x *= factor */
static void multiply(const numbers *x, const numbers *factor, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        double re = x->re[i] * factor->re[i] - x->im[i] * factor->im[i];
        x->im[i] = x->re[i] * factor->im[i] + x->im[i] * factor->re[i];
        x->re[i] = re;
    }
}

static void clear(const numbers *x, int64_t from, int64_t to)
{
    memset(x->re + from, 0, (size_t)(to - from) * sizeof(double));
    memset(x->im + from, 0, (size_t)(to - from) * sizeof(double));
}

/* The forward transform of `length` numbers in *x, in place of which it may leave *y. */
static void transform(const fft_plan *p, numbers *x, numbers *y)
{
    if (!p->chirped) {
        fft(&p->turn, p->size, x, y);
        return;
    }
    multiply(x, &p->chirp, p->d.length);
    clear(x, p->d.length, p->size);
    fft(&p->turn, p->size, x, y);
    multiply(x, &p->filter, p->size);
    numbers back = {x->im, x->re}, other = {y->im, y->re}; /* parts swapped: the inverse transform */
    fft(&p->turn, p->size, &back, &other);
    *x = (numbers){back.im, back.re};
    *y = (numbers){other.im, other.re};
    multiply(x, &p->chirp, p->d.length);
}

static void load_line(const cpu_call *c, const op_dft *d, int64_t line, const numbers *x)
{
    const float *from = (const float *)c->in[0] + op_dft_start(d, &d->x, line) * d->x.parts;
    const float *window = d->window ? c->in[2] : NULL;
    int64_t stride = d->x.stride * d->x.parts;
    for (int64_t n = 0; n < d->x.count; n++) {
        double factor = window ? (double)window[n] : 1;
        x->re[n] = factor * (double)from[n * stride];
        x->im[n] = d->x.parts == 2 ? factor * (double)from[n * stride + 1] : 0;
    }
    clear(x, d->x.count, d->length);
    for (int64_t n = 1; d->symmetric && n < d->x.count; n++) {
        if (2 * n == d->length) continue;
        x->re[d->length - n] = x->re[n];
        x->im[d->length - n] = -x->im[n];
    }
}

static void store_line(const cpu_call *c, const op_dft *d, int64_t line, const numbers *x)
{
    float *to = (float *)c->out[0] + op_dft_start(d, &d->y, line) * d->y.parts;
    int64_t stride = d->y.stride * d->y.parts;
    double scale = d->inverse ? 1 / (double)d->length : 1;
    for (int64_t k = 0; k < d->y.count; k++) {
        to[k * stride] = (float)(scale * x->re[k]);
        if (d->y.parts == 2) to[k * stride + 1] = (float)(scale * x->im[k]);
    }
}

static void run_lines(void *arg, int64_t begin, int64_t end, int thread)
{
    const cpu_call *c = arg;
    const fft_plan *p = c->state;
    double *block = (double *)c->scratch + thread * 4 * p->size;
    for (int64_t line = begin; line < end; line++) {
        numbers x = part(block, p->size), y = part(block + 2 * p->size, p->size);
        load_line(c, &p->d, line, &x);
        numbers a = x, b = y;
        if (p->d.inverse) { /* the forward transform of swapped parts, swapped */
            a = (numbers){x.im, x.re};
            b = (numbers){y.im, y.re};
        }
        transform(p, &a, &b);
        if (p->d.inverse) a = (numbers){a.im, a.re};
        store_line(c, &p->d, line, &a);
    }
}

static void run(const cpu_call *c)
{
    const fft_plan *p = c->state;
    cpu_call call = *c;
    vkb_parallel_for(c->pool, p->d.lines, 1 + 4096 / p->size, run_lines, &call);
}

static bool power_of_two(int64_t v)
{
    return (v & (v - 1)) == 0;
}

static bool fits(const gr_graph *g, const gr_node *n)
{
    op_dft d;
    const char *why;
    return g->tensors[n->in[0]].dtype == VKI_F32 && op_dft_of(g, n, &d, &why) && d.lines > 0 &&
           d.length <= LONGEST;
}

static bool allocate(cpu_prep *p, numbers *x, int64_t count)
{
    double *block = vkb_arena_alloc(p->arena, (size_t)count * 2 * sizeof *block);
    if (block) *x = part(block, count);
    return block != NULL;
}

/* w[n] = e^(-i pi n^2 / length) and the transform of its conjugate, scaled for the inverse transform. */
static bool make_chirp(cpu_prep *p, fft_plan *plan)
{
    int64_t length = plan->d.length, size = plan->size;
    numbers filter, spare;
    if (!allocate(p, &plan->chirp, length) || !allocate(p, &filter, size) || !allocate(p, &spare, size))
        return false;
    clear(&filter, 0, size);
    for (int64_t n = 0; n < length; n++) {
        double angle = PI * (double)(n * n % (2 * length)) / (double)length;
        plan->chirp.re[n] = cos(angle);
        plan->chirp.im[n] = -sin(angle);
        filter.re[n] = filter.re[(size - n) % size] = cos(angle) / (double)size;
        filter.im[n] = filter.im[(size - n) % size] = sin(angle) / (double)size;
    }
    fft(&plan->turn, size, &filter, &spare);
    plan->filter = filter;
    return true;
}

static vki_status prepare(cpu_prep *p, vki_error *err)
{
    const char *why = "";
    fft_plan *plan = vkb_arena_alloc(p->arena, sizeof *plan);
    if (!plan) return vkb_nomem(err, sizeof *plan);
    *plan = (fft_plan){.size = 1};
    if (!op_dft_of(p->g, p->n, &plan->d, &why))
        return vkb_fail_node(err, VKI_E_INTERNAL, p->n->name, op_name(p->n->op), "%s", why);
    plan->chirped = !power_of_two(plan->d.length);
    int64_t least = plan->chirped ? 2 * plan->d.length - 1 : plan->d.length;
    while (plan->size < least) plan->size *= 2;
    if (!allocate(p, &plan->turn, vkb_max(plan->size / 2, 1)))
        return vkb_nomem(err, (uint64_t)plan->size * sizeof(double));
    for (int64_t i = 0; i < plan->size / 2; i++) {
        plan->turn.re[i] = cos(2 * PI * (double)i / (double)plan->size);
        plan->turn.im[i] = -sin(2 * PI * (double)i / (double)plan->size);
    }
    if (plan->chirped && !make_chirp(p, plan))
        return vkb_nomem(err, (uint64_t)plan->size * 6 * sizeof(double));
    p->state = plan;
    p->scratch_bytes = (uint64_t)p->threads * 4 * (uint64_t)plan->size * sizeof(double);
    return VKI_OK;
}

const cpu_kernel cpu_dft_kernels[] = {{.name = "dft_fft", .fits = fits, .prepare = prepare, .run = run}, {0}};
