/* SPDX-License-Identifier: Apache-2.0
 * A list is the boxes of one batch in the order of their scores for one class, equal ones by number. Boxes
 * are taken from its start, but for those that overlap one taken before. */
#include "cpu/nms.h"

#include <math.h>

#include "cpu/kernels.h"

static double number(const cpu_call *c, int i, double absent)
{
    return cpu_in(c, i) ? cpu_load(c->in[i], cpu_in(c, i)->dtype, 0) : absent;
}

cpu_nms cpu_nms_of(const cpu_call *c)
{
    const gr_tensor *scores = cpu_in(c, 1);
    cpu_nms s = {.classes = scores->dims[1],
                 .boxes = scores->dims[2],
                 .lists = scores->dims[0] * scores->dims[1],
                 .centred = ((const op_nms_attrs *)c->n->attrs)->center_point_box != 0,
                 .has_threshold = cpu_in(c, 4) != NULL,
                 .iou = number(c, 3, 0),
                 .threshold = number(c, 4, 0)};
    s.most = cpu_to_i64(fmin(fmax(number(c, 2, 0), 0), (double)s.boxes));
    return s;
}

cpu_nms_box cpu_nms_load(const cpu_call *c, const cpu_nms *s, int64_t batch, int64_t box)
{
    float v[4];
    for (int i = 0; i < 4; i++)
        v[i] = (float)cpu_load(c->in[0], cpu_in(c, 0)->dtype, (batch * s->boxes + box) * 4 + i);
    cpu_nms_box b = {fminf(v[0], v[2]), fminf(v[1], v[3]), fmaxf(v[0], v[2]), fmaxf(v[1], v[3]), 0};
    if (s->centred) b = (cpu_nms_box){v[1] - v[3] / 2, v[0] - v[2] / 2, v[1] + v[3] / 2, v[0] + v[2] / 2, 0};
    b.area = (b.y1 - b.y0) * (b.x1 - b.x0);
    return b;
}

bool cpu_nms_overlap(const cpu_nms *s, const cpu_nms_box *a, const cpu_nms_box *b)
{
    float height = fminf(a->y1, b->y1) - fmaxf(a->y0, b->y0);
    float width = fminf(a->x1, b->x1) - fmaxf(a->x0, b->x0);
    if (!(height > 0) || !(width > 0) || !(a->area > 0) || !(b->area > 0)) return false;
    float both = height * width;
    return (double)(both / (a->area + b->area - both)) > s->iou;
}

/* The box after `last` in the list; -1 at its end. */
static int64_t next_box(const cpu_call *c, const cpu_nms *s, int64_t list, int64_t last)
{
    vki_dtype dtype = cpu_in(c, 1)->dtype;
    double best = 0, before = last < 0 ? 0 : cpu_load(c->in[1], dtype, list * s->boxes + last);
    int64_t found = -1;
    for (int64_t i = 0; i < s->boxes; i++) {
        double score = cpu_load(c->in[1], dtype, list * s->boxes + i);
        if (!cpu_nms_candidate(s, score)) continue;
        if (last >= 0 && (score > before || (score == before && i <= last))) continue;
        if (found >= 0 && score <= best) continue;
        found = i;
        best = score;
    }
    return found;
}

static void reference(const cpu_call *c)
{
    cpu_nms s = cpu_nms_of(c);
    int64_t *y = c->out[0], count = 0;
    for (int64_t list = 0; list < s.lists; list++) {
        int64_t first = count, batch = list / s.classes;
        for (int64_t i = -1; count - first < s.most && (i = next_box(c, &s, list, i)) >= 0;) {
            cpu_nms_box box = cpu_nms_load(c, &s, batch, i);
            bool free = true;
            for (int64_t k = first; k < count && free; k++) {
                cpu_nms_box taken = cpu_nms_load(c, &s, batch, y[3 * k + 2]);
                free = !cpu_nms_overlap(&s, &box, &taken);
            }
            if (!free) continue;
            y[3 * count] = batch;
            y[3 * count + 1] = list % s.classes;
            y[3 * count + 2] = i;
            count++;
        }
    }
    c->dims[0][0] = count;
}

const cpu_op cpu_op_nms = {.reference = reference, .kernels = cpu_nms_kernels};
