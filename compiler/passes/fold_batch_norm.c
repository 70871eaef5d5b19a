/* Batch normalisation at inference is a scale and a bias per channel: they go into the weights of
 * the convolution or dense layer before it, else of a convolution without padding behind it. One
 * that has neither becomes explicit when it is lowered. */
#include "compiler/ops/ops.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/scale_bias.h"

#include <math.h>
#include <stdlib.h>

/* scale = gamma / sqrt(var + epsilon), bias = beta - mean * scale  (Ioffe and Szegedy 2015). */
static kiln_status fold(graph *g, node *bn, node *before, node *after, int64_t channels) {
    float *scale = calloc((size_t)channels * 2, sizeof *scale);
    if (scale == NULL) {
        return KILN_ERROR_MEMORY;
    }
    float *bias = scale + channels;
    double epsilon = node_float(bn, "epsilon", 1e-5f);
    for (int64_t c = 0; c < channels; c++) {
        double gamma = tensor_f32_at(bn->inputs[1], c), beta = tensor_f32_at(bn->inputs[2], c);
        double mean = tensor_f32_at(bn->inputs[3], c), variance = tensor_f32_at(bn->inputs[4], c);
        double factor = gamma / sqrt(variance + epsilon);
        scale[c] = (float)factor;
        bias[c] = (float)(beta - mean * factor);
    }
    kiln_status status = before != NULL ? scale_weights(g, before, scale, bias)
                                        : scale_inputs(g, after, scale, bias);
    free(scale);
    return status;
}

kiln_status pass_fold_batch_norm(graph *g, size_t *inout_rewrites) {
    for (size_t k = 0; k < g->node_count; k++) {
        node *bn = g->nodes[k];
        if (!node_is(bn, "BatchNormalization") || bn->input_count < 5) {
            continue;
        }
        bool plain = true;
        for (size_t i = 1; i < 5; i++) {
            plain = plain && tensor_is_constant(bn->inputs[i]) && bn->inputs[i]->rank == 1;
        }
        for (size_t o = 1; o < bn->output_count; o++) {
            plain = plain && (bn->outputs[o] == NULL || bn->outputs[o]->consumer_count == 0);
        }
        tensor *x = bn->inputs[0];
        node *before = plain ? scalable_producer(x) : NULL;
        node *after =
            plain && before == NULL && is_unclamped(bn) && node_int(bn, "training_mode", 0) == 0
                ? scalable_reader(g, bn->outputs[0])
                : NULL;
        int64_t channels = tensor_elements(bn->inputs[1]);
        if ((before == NULL && after == NULL) || channels != x->dims[1]) {
            continue;
        }
        kiln_status status = fold(g, bn, before, after, channels);
        if (status == KILN_OK && after != NULL) {
            status = node_set_input(g, after, 0, x);
            bn->dead = true;
        }
        if (status != KILN_OK) {
            return status;
        }
        if (before != NULL) {
            absorb(g, before, bn);
        }
        ++*inout_rewrites;
    }
    return KILN_OK;
}
