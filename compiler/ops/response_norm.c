/* ResponseNorm (ours): global response normalization with its residual, scale and bias being the
 * channels'. pass_fuse_response_norm makes it. */
#include "compiler/ops/support.h"

#include <math.h>

static kiln_status infer_response_norm(graph *g, node *n) {
    kiln_status status = require_floats(g, n);
    if (status == KILN_OK) {
        status = require_channel_values(g, n, 2);
    }
    if (status == KILN_OK && n->inputs[0]->rank < 3) {
        status = node_fail(g, n, KILN_ERROR_FORMAT, "input 0 is no map of channels");
    }
    return status == KILN_OK ? infer_same(g, n) : status;
}

/* The 2-norm of one channel of one sample. */
static double norm_of(const float *x, int64_t pixels) {
    double sum = 0;
    for (int64_t k = 0; k < pixels; k++) {
        sum += (double)x[k] * (double)x[k];
    }
    return sqrt(sum);
}

static kiln_status evaluate_response_norm(graph *g, node *n) {
    (void)g;
    const tensor *x = n->inputs[0];
    int64_t channels = x->dims[1], pixels = tensor_elements(x) / x->dims[0] / channels;
    for (int64_t sample = 0; sample < x->dims[0]; sample++) {
        const float *from = tensor_f32(x) + sample * channels * pixels;
        float *to = (float *)n->outputs[0]->owned + sample * channels * pixels;
        double mean = 0;
        for (int64_t c = 0; c < channels; c++) {
            mean += norm_of(from + c * pixels, pixels) / (double)channels;
        }
        for (int64_t k = 0; k < channels * pixels; k++) {
            int64_t c = k / pixels;
            double response = norm_of(from + c * pixels, pixels) /
                              (mean + (double)node_float(n, "epsilon", 1e-6f));
            to[k] = (float)((double)from[k] * (1 + (double)tensor_f32(n->inputs[1])[c] * response) +
                            (double)tensor_f32(n->inputs[2])[c]);
        }
    }
    return KILN_OK;
}

static double work_of_response_norm(const node *n) {
    const tensor *x = n->inputs[0];
    return (double)tensor_elements(x) * (double)tensor_elements(x) / (double)x->dims[0] /
           (double)x->dims[1];
}

static kiln_status lower_response_norm(lowering *l, node *n) {
    kiln_response_norm_params params = {.epsilon = node_float(n, "epsilon", 1e-6f)};
    uint32_t inputs[3] = {lower_input(l, n, 0), lower_input(l, n, 1), lower_input(l, n, 2)};
    uint32_t y = lower_output(l, n, 0);
    return lower_step(l, n, KILN_KERNEL_RESPONSE_NORM, &params, sizeof params, 3, inputs, 1, &y);
}

const op ops_response_norm[] = {
    {"ResponseNorm", 1, OP_INPUTS(3, 3), OP_OUTPUTS(1, 1), .layout = OP_CHANNELS_LAST,
     .flags = OP_NOT_ONNX, .infer = infer_response_norm, .evaluate = evaluate_response_norm,
     .work = work_of_response_norm, .lower = lower_response_norm},
    {.name = NULL},
};
