//! variant f32
//! variant f16 STORE_F16=1
/* SPDX-License-Identifier: Apache-2.0
 * MaxRoiPool, as engine/cpu/roi.c says it: one invocation a bin of a channel.
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"
#include "lib/flat.glsl"

BUFFER_IN(0, x);
BUFFER_IN(1, rois);
BUFFER_OUT(2, y);

layout(push_constant) uniform Push
{
    int units, images, channels, in_h, in_w, out_h, out_w;
    float scale;
};

const float FAR = 1048576.0; /* products with at most 512 bins stay within 32 bits */

int corner(int roi, int column)
{
    float v = LD(rois, roi * 5 + column) * scale;
    v = v < 0.0 ? -floor(0.5 - v) : floor(v + 0.5);
    return v > -FAR ? int(min(v, FAR)) : -int(FAR);
}

/* Elements from x up to y of bin `bin` of `bins`. */
ivec2 range_of(int low, int high, int bin, int bins, int size)
{
    int extent = max(high - low + 1, 1);
    return clamp(ivec2(low + bin * extent / bins, low + ((bin + 1) * extent + bins - 1) / bins), 0, size);
}

void main()
{
    int i = int(flat_index());
    if (i < 0 || i >= units) return;
    int rest = i / out_w, column = i - rest * out_w, row = rest % out_h, plane = rest / out_h, roi = plane / channels;
    float number = LD(rois, roi * 5);
    int image = number > 0.0 ? min(int(min(number, FAR)), images - 1) : 0;
    ivec2 rows = range_of(corner(roi, 2), corner(roi, 4), row, out_h, in_h);
    ivec2 columns = range_of(corner(roi, 1), corner(roi, 3), column, out_w, in_w);
    int first = (image * channels + plane - roi * channels) * in_h;
    bool empty = rows.x >= rows.y || columns.x >= columns.y;
    float largest = empty ? 0.0 : LD(x, (first + rows.x) * in_w + columns.x);
    for (int r = rows.x; r < rows.y; r++)
        for (int c = columns.x; c < columns.y; c++) largest = max(largest, LD(x, (first + r) * in_w + c));
    ST(y, i, largest);
}
