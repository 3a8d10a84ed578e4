//! variant f32
//! variant f16 STORE_F16=1
/* SPDX-License-Identifier: Apache-2.0
 * Col2Im, one invocation an element of the image: it adds the elements of all blocks that lie over it.
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"
#include "lib/flat.glsl"

BUFFER_IN(0, x);
BUFFER_OUT(1, y);

struct Axis {
    int image, block, dilation, pad, stride, places;
};

layout(push_constant) uniform Push
{
    int units, places;
    Axis axes[3]; /* innermost first */
};

/* Place of the block along an axis whose element k lies over `at`; -1: none. */
int place_of(Axis a, int at, int k)
{
    int shifted = at + a.pad - k * a.dilation, place = shifted / a.stride;
    return shifted >= 0 && place * a.stride == shifted && place < a.places ? place : -1;
}

void main()
{
    int i = int(flat_index());
    if (i < 0 || i >= units) return;
    int rest = i / axes[0].image, plane = rest / axes[1].image / axes[2].image;
    int w = i - rest * axes[0].image, h = rest % axes[1].image, d = rest / axes[1].image % axes[2].image;
    int block = axes[0].block * axes[1].block * axes[2].block;
    float sum = 0.0;
    for (int k = 0; k < block; k++) {
        int outer = k / axes[0].block;
        int pw = place_of(axes[0], w, k - outer * axes[0].block), ph = place_of(axes[1], h, outer % axes[1].block);
        int pd = place_of(axes[2], d, outer / axes[1].block);
        if (pw < 0 || ph < 0 || pd < 0) continue;
        sum += LD(x, (plane * block + k) * places + (pd * axes[1].places + ph) * axes[0].places + pw);
    }
    ST(y, i, sum);
}
