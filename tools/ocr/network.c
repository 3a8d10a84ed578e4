/* SPDX-License-Identifier: Apache-2.0 */
#include "ocr/network.h"

#include <stdlib.h>

static vki_status check_model(const vki_model *model, const char *role, vki_tensor_info *input,
                              vki_error *err)
{
    if (vki_model_input_count(model) != 1 || vki_model_output_count(model) != 1)
        return vkb_fail(err, VKI_E_SHAPE,
                        "the %s model has %d inputs and %d outputs; a network of the PP-OCR family has "
                        "one of each",
                        role, vki_model_input_count(model), vki_model_output_count(model));
    VKB_TRY(vki_model_input(model, 0, input));
    bool batch = input->rank == 4 && (input->dims[0] == 1 || input->dims[0] < 0);
    if (!batch || input->dims[1] != 3 || input->dtype != VKI_F32)
        return vkb_fail(err, VKI_E_SHAPE, "the %s model's input '%s' is not float32 [1,3,height,width]", role,
                        input->name);
    return VKI_OK;
}

vki_status ocr_network_open(ocr_network *net, vki_model *model, const vki_session_options *options,
                            const char *role, vki_error *err)
{
    *net = (ocr_network){0};
    vki_tensor_info input;
    VKB_TRY(check_model(model, role, &input, err));
    net->fixed_height = input.dims[2];
    net->fixed_width = input.dims[3];
    VKB_TRY(vki_session_create(model, options, &net->session, err));
    net->input_name = input.name; /* the model's, which the session keeps alive */
    return VKI_OK;
}

void ocr_network_close(ocr_network *net)
{
    vki_session_destroy(&net->session);
    free(net->input);
    free(net->output);
    *net = (ocr_network){0};
}

static vki_status hold(float **buffer, size_t *capacity, size_t elements, vki_error *err)
{
    if (elements <= *capacity) return VKI_OK;
    if (elements > SIZE_MAX / sizeof **buffer) return vkb_nomem(err, UINT64_MAX);
    free(*buffer);
    *capacity = 0;
    *buffer = malloc(elements * sizeof **buffer);
    if (!*buffer) return vkb_nomem(err, (uint64_t)elements * sizeof **buffer);
    *capacity = elements;
    return VKI_OK;
}

/* Makes the plan for this size, unless it is the present one. */
static vki_status fit(ocr_network *net, int64_t height, int64_t width, vki_error *err)
{
    if (net->height == height && net->width == width) return VKI_OK;
    vki_shape shape = {.input = net->input_name, .rank = 4, .dims = {1, 3, height, width}};
    VKB_TRY(vki_session_reshape(net->session, &shape, 1, err));
    VKB_TRY(vki_session_output(net->session, 0, &net->result));
    uint64_t elements = 1;
    for (int i = 0; i < net->result.rank; i++)
        if (net->result.dims[i] < 1 || !vkb_mul_u64(elements, (uint64_t)net->result.dims[i], &elements))
            return vkb_fail(err, VKI_E_SHAPE, "the output '%s' has no elements", net->result.name);
    if (net->result.dtype != VKI_F32)
        return vkb_fail(err, VKI_E_SHAPE, "the output '%s' is %s; expected float32", net->result.name,
                        vki_dtype_name(net->result.dtype));
    VKB_TRY(hold(&net->input, &net->input_capacity, (size_t)(3 * height * width), err));
    VKB_TRY(hold(&net->output, &net->output_capacity, (size_t)elements, err));
    net->height = height;
    net->width = width;
    return VKI_OK;
}

vki_status ocr_network_run(ocr_network *net, const picture *image, const vki_image_options *how,
                           vki_error *err)
{
    VKB_TRY(fit(net, how->height, how->width, err));
    size_t inputs = 3 * (size_t)how->height * (size_t)how->width, outputs = 1;
    for (int i = 0; i < net->result.rank; i++) outputs *= (size_t)net->result.dims[i];
    vki_image source = {.pixels = image->rgb, .width = image->width, .height = image->height};
    VKB_TRY(vki_image_to_tensor(&source, how, net->input, inputs, NULL, err));
    VKB_TRY(vki_session_write(net->session, 0, net->input, inputs * sizeof(float), err));
    VKB_TRY(vki_session_run(net->session, 0, err));
    return vki_session_read(net->session, 0, net->output, outputs * sizeof(float), err);
}
