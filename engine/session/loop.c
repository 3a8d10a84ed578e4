/* SPDX-License-Identifier: Apache-2.0 */
#include "session/stage.h"

vki_status ses_loop_run(ses_run_context *r, ses_stage *stage, const ses_value *const *inputs)
{
    (void)stage, (void)inputs;
    return vkb_fail(r->err, VKI_E_INTERNAL, "no loops yet");
}
