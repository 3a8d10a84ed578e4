/* SPDX-License-Identifier: Apache-2.0
 * What becomes of the score of a query and a key before the softmax: cap, mask, causality. Included after the shader's
 * declarations, which it uses: the buffers mask and mask_words (one memory, two views); the push constants queries, keys,
 * mask_row, mask_col, softcap; the specialization constants
 *   MASK     0: none, 1: added, 2: words, 0 where a key is not seen
 *   CAUSAL   queries see no keys behind their own place
 *   SOFTCAP  softcap tanh(score / softcap) */
#ifndef ATTENTION_GLSL
#define ATTENTION_GLSL

const float ATTENTION_LOWEST = -3.402823466e38;

/* base: where the head's mask begins. *seen: whether the key counts */
float attention_score(float score, int base, int query, int key, out bool seen)
{
    seen = key < keys && (CAUSAL == 0 || key <= query);
    int at = base + min(query, queries - 1) * mask_row + min(key, keys - 1) * mask_col;
    if (SOFTCAP != 0) score = softcap * tanh(score / softcap);
    if (MASK == 2) seen = seen && mask_words[at] != 0;
    if (MASK != 1) return score;
    float shift = LD(mask, at);
    seen = seen && !(shift < ATTENTION_LOWEST); /* minus infinity */
    return max(score + shift, ATTENTION_LOWEST);
}

#endif
