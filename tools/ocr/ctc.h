/* SPDX-License-Identifier: Apache-2.0
 * Greedy decoding of a CTC network (A. Graves et al., "Connectionist Temporal Classification", 2006): the
 * best class of each step, repeats merged, blanks dropped. Class 0 is the blank, class k the key of line k,
 * and the class after the last key, if the network has one more, the space. */
#ifndef OCR_CTC_H
#define OCR_CTC_H

#include "base/base.h"

typedef struct ctc_keys {
    char *text;         /* all keys, each ended by a zero byte */
    const char **items; /* into text */
    int count;
} ctc_keys;

/* `text` holds one key (UTF-8) a line. VKI_E_FORMAT if there is none, VKI_E_NOMEM. */
vki_status ctc_keys_parse(ctc_keys *keys, const char *text, size_t bytes, vki_error *err);
vki_status ctc_keys_load(ctc_keys *keys, const char *path, vki_error *err);
void ctc_keys_free(ctc_keys *keys);

/* Decodes probabilities[steps][classes]. *text is the caller's to free(), never NULL on success; *score is
 * the mean probability of the characters kept, 0 if there is none. VKI_E_SHAPE if the classes do not fit the
 * keys. */
vki_status ctc_decode(const float *probabilities, int64_t steps, int64_t classes, const ctc_keys *keys,
                      char **text, float *score, vki_error *err);

#endif
