//! variant f32
//! variant f16 STORE_F16=1
/* SPDX-License-Identifier: Apache-2.0
 * RoiAlign, as engine/cpu/roi.c says it: one invocation a bin of a channel. Only samples that can lie in the image are
 * visited, four of a row at a time.
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"
#include "lib/flat.glsl"

layout(constant_id = 3) const int LARGEST = 0; /* op_roi_mode */
layout(constant_id = 4) const int HALF_PIXEL = 1;

BUFFER_IN(0, x);
BUFFER_IN(1, rois);
BUFFER_IN_I32(2, batches);
BUFFER_OUT(3, y);

layout(push_constant) uniform Push
{
    int units, images, channels, in_h, in_w, out_h, out_w;
    float scale;
    int ratio;
};

struct Axis {
    float base, step; /* of the bin's samples: at base + (i + 1/2) step */
    float samples;
    int first, end; /* those to visit */
};

int to_int(float v)
{
    return v > -1048576.0 ? int(min(v, 4194304.0)) : -1048576;
}

Axis axis_of(int roi, int column, int size, int bin, int bins)
{
    float offset = HALF_PIXEL == 1 ? 0.5 : 0.0;
    precise float start = LD(rois, roi * 4 + column) * scale - offset;
    precise float end = LD(rois, roi * 4 + column + 2) * scale - offset;
    precise float extent = end - start;
    if (HALF_PIXEL == 0) extent = max(extent, 1.0);
    float count = float(ratio);
    if (ratio == 0) { /* a quotient may be rounded to the wrong side of a whole number, a product here is exact */
        count = ceil(extent / float(bins));
        if ((count - 1.0) * float(bins) >= extent) count -= 1.0;
        if (count * float(bins) < extent) count += 1.0;
    }
    Axis a;
    float width = extent / float(bins);
    a.base = start + float(bin) * width;
    a.samples = max(count, 0.0);
    a.step = width / max(count, 1.0);
    a.first = 0;
    a.end = to_int(a.samples);
    if (a.step > 0.0) {
        a.first = max(to_int((-1.0 - a.base) / a.step - 2.0), 0);
        a.end = min(to_int((float(size) - a.base) / a.step + 3.0), a.end);
    }
    return a;
}

struct Tap {
    int low, high;
    float weight; /* of high; low has the rest */
    bool inside;
};

Tap tap_at(Axis a, int i, int size)
{
    float v = a.base + (float(i) + 0.5) * a.step, inside = clamp(v, 0.0, float(size - 1));
    Tap t;
    t.inside = v >= -1.0 && v <= float(size) && i < a.end;
    t.low = clamp(int(inside), 0, size - 1);
    t.high = min(t.low + 1, size - 1);
    t.weight = inside - float(t.low);
    return t;
}

float sum = 0.0, largest = -3.402823466e38, visited = 0.0;

void add_sample(int plane, Tap r, Tap c)
{
    int low = (plane * in_h + r.low) * in_w, high = (plane * in_h + r.high) * in_w;
    float a = (1.0 - r.weight) * (1.0 - c.weight) * LD(x, low + c.low);
    float b = (1.0 - r.weight) * c.weight * LD(x, low + c.high);
    float d = r.weight * (1.0 - c.weight) * LD(x, high + c.low), e = r.weight * c.weight * LD(x, high + c.high);
    sum += a + b + d + e;
    largest = max(largest, max(max(a, b), max(d, e)));
    visited += 1.0;
}

void main()
{
    int i = int(flat_index());
    if (i < 0 || i >= units) return;
    int rest = i / out_w, column = i - rest * out_w, row = rest % out_h, plane = rest / out_h;
    int roi = plane / channels, image = batches[roi];
    image = clamp(image < 0 ? image + images : image, 0, images - 1);
    plane = image * channels + plane - roi * channels;
    Axis h = axis_of(roi, 1, in_h, row, out_h), w = axis_of(roi, 0, in_w, column, out_w);
    for (int iy = h.first; iy < h.end; iy++) {
        Tap r = tap_at(h, iy, in_h);
        for (int ix = w.first; ix < w.end && r.inside; ix += 4) {
            Tap c0 = tap_at(w, ix, in_w), c1 = tap_at(w, ix + 1, in_w);
            Tap c2 = tap_at(w, ix + 2, in_w), c3 = tap_at(w, ix + 3, in_w);
            if (c0.inside) add_sample(plane, r, c0);
            if (c1.inside) add_sample(plane, r, c1);
            if (c2.inside) add_sample(plane, r, c2);
            if (c3.inside) add_sample(plane, r, c3);
        }
    }
    float all = h.samples * w.samples;
    if (LARGEST == 0)
        ST(y, i, sum / max(all, 1.0));
    else
        ST(y, i, visited == 0.0 ? 0.0 : visited < all ? max(largest, 0.0) : largest);
}
