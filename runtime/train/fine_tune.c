/* Fine-tuning: the backbone's last dense layers become the head, weights included. */
#include "runtime/plan/plan.h"
#include "runtime/plan/sub_plan.h"
#include "runtime/train/trainer.h"

#include <math.h>
#include <string.h>

/* The steps of the last N dense layers, the first one first. */
typedef struct dense_chain {
    size_t steps[KILN_MAX_HEAD_LAYERS];
    kiln_activation activations[KILN_MAX_HEAD_LAYERS];
    size_t count;
} dense_chain;

static bool activation_of_step(const kiln_plan_view *v, const kiln_plan_step *s,
                               kiln_activation *out_activation) {
    kiln_unary_params params;
    if (s->kernel == KILN_KERNEL_COPY || s->kernel == KILN_KERNEL_CAST) {
        return true;
    }
    if (s->kernel == KILN_KERNEL_SOFTMAX) {
        *out_activation = KILN_ACTIVATION_SOFTMAX;
        return true;
    }
    if (s->kernel != KILN_KERNEL_UNARY) {
        return false;
    }
    memcpy(&params, v->params + s->params_offset, sizeof params);
    bool relu = params.op == KILN_UNARY_CLAMP && params.alpha == 0 && isinf(params.beta);
    *out_activation = relu                              ? KILN_ACTIVATION_RELU
                      : params.op == KILN_UNARY_TANH    ? KILN_ACTIVATION_TANH
                      : params.op == KILN_UNARY_SIGMOID ? KILN_ACTIVATION_SIGMOID
                                                        : KILN_ACTIVATION_LINEAR;
    return relu || params.op == KILN_UNARY_TANH || params.op == KILN_UNARY_SIGMOID;
}

static kiln_activation clamp_activation(const kiln_plan_view *v, const kiln_plan_step *s,
                                        kiln_activation after) {
    kiln_fully_connected_params params;
    memcpy(&params, v->params + s->params_offset, sizeof params);
    return params.min == 0 ? KILN_ACTIVATION_RELU : after;
}

static size_t find_chain(const kiln_plan_view *v, uint32_t wanted, dense_chain *out_chain) {
    uint32_t at = v->outputs[v->output_count - 1];
    size_t step = v->step_count, found = 0;
    kiln_activation after = KILN_ACTIVATION_LINEAR;
    size_t steps[KILN_MAX_HEAD_LAYERS];
    kiln_activation activations[KILN_MAX_HEAD_LAYERS];
    while (found < wanted && plan_producer(v, at, step, &step)) {
        const kiln_plan_step *s = &v->steps[step];
        if (s->kernel == KILN_KERNEL_FULLY_CONNECTED) {
            steps[found] = step;
            activations[found++] = clamp_activation(v, s, after);
            after = KILN_ACTIVATION_LINEAR;
        } else if (!activation_of_step(v, s, &after)) {
            break;
        }
        at = v->operands[s->first_operand];
    }
    out_chain->count = found;
    for (size_t k = 0; k < found; k++) {
        out_chain->steps[k] = steps[found - 1 - k];
        out_chain->activations[k] = activations[found - 1 - k];
    }
    return found;
}

kiln_status fine_tune_head(kiln_trainer *t, kiln_error *error) {
    kiln_train_options *o = &t->options;
    dense_chain chain;
    if (t->backbone == NULL || o->fine_tune > KILN_MAX_HEAD_LAYERS) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT,
                         "fine-tuning takes a backbone and at most %d of its layers",
                         KILN_MAX_HEAD_LAYERS);
    }
    const kiln_plan_view *v = &t->backbone->view;
    if (find_chain(v, o->fine_tune, &chain) < o->fine_tune) {
        return kiln_fail(error, KILN_ERROR_UNSUPPORTED,
                         "the network ends in %zu dense layers; %u were asked for", chain.count,
                         o->fine_tune);
    }
    o->head = (kiln_head){.count = (uint32_t)chain.count};
    for (size_t k = 0; k < chain.count; k++) {
        const kiln_plan_step *s = &v->steps[chain.steps[k]];
        bool last = k + 1 == chain.count;
        const kiln_plan_tensor_record *w = &v->tensors[v->operands[s->first_operand + 1]];
        o->head.layers[k].units = last ? 0 : w->dims[0];
        o->head.layers[k].activation = last ? KILN_ACTIVATION_SOFTMAX : chain.activations[k];
    }
    t->cut_tensor = v->operands[v->steps[chain.steps[0]].first_operand];
    return KILN_OK;
}

static void copy_constant(const kiln_plan_view *v, const kiln_plan_tensor_record *t, real *out) {
    size_t count = (size_t)kiln_plan_tensor_elements(t);
    for (size_t k = 0; k < count; k++) {
        float value;
        kiln_plan_widen(v, t, k, 1, &value);
        out[k] = value;
    }
}

bool fine_tune_weights(kiln_trainer *t) {
    const kiln_plan_view *v = &t->backbone->view;
    dense_chain chain;
    (void)find_chain(v, t->options.fine_tune, &chain);
    bool fits = false;
    for (size_t k = 0; k < chain.count; k++) {
        const kiln_plan_step *s = &v->steps[chain.steps[k]];
        const uint32_t *operands = v->operands + s->first_operand;
        const kiln_plan_tensor_record *w = &v->tensors[operands[1]];
        dense *d = &t->net.layers[k];
        fits = w->dims[0] == d->units && w->dims[1] == d->inputs;
        if (!fits) {
            continue;
        }
        copy_constant(v, w, d->weights);
        if (s->input_count > 2 && operands[2] != KILN_PLAN_NONE) {
            copy_constant(v, &v->tensors[operands[2]], d->biases);
        }
    }
    return fits;
}
