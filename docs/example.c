/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <vkinfer/vkinfer.h>

int main(int argc, char **argv)
{
    vki_context *context = NULL; /* a GPU if there is one, else the CPU */
    vki_model *model = NULL;     /* .vkm or .onnx */
    vki_session *session = NULL; /* its plan: memory, kernels, recorded commands */
    vki_tensor_info in, out;
    vki_error e = {VKI_OK};
    size_t n = 1, m = 1;
    if (vki_context_create(NULL, &context, &e) || vki_model_load_file(context, argv[argc > 1], &model, &e) ||
        vki_session_create(model, NULL, &session, &e) || vki_session_input(session, 0, &in) ||
        vki_session_output(session, 0, &out))
        return fprintf(stderr, "%s: %s\n", vki_status_name(e.code), e.text), 1;
    for (int i = 0; i < in.rank; i++) n *= (size_t)in.dims[i];
    for (int i = 0; i < out.rank; i++) m *= (size_t)out.dims[i];
    float *x = calloc(n, sizeof *x), *y = calloc(m, sizeof *y); /* an input of zeros */
    if (!x || !y || vki_session_write(session, 0, x, n * sizeof *x, &e) || vki_session_run(session, 0, &e) ||
        vki_session_read(session, 0, y, m * sizeof *y, &e))
        return fprintf(stderr, "%s: %s\n", vki_status_name(e.code), e.text), 1;
    for (size_t i = 0; i < m && i < 10; i++) printf("%s[%zu] = %g\n", out.name, i, (double)y[i]);
    free(x), free(y);
    vki_session_destroy(&session), vki_model_destroy(&model), vki_context_destroy(&context);
    return 0;
}
