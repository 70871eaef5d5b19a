/* Products with a scale of their inputs: see gemm_scale.h. */
#include "runtime/kernels/gemm_scale.h"

#define TASK_BYTES ((size_t)64 << 10) /* of weights, which take longer than to wake a thread */
#define OPERANDS 6                    /* those of a convolution with all that it may have */

typedef struct scaling {
    gemm_weights weights;
    const float *scale, *from;
    float *to;
} scaling;

static void scale_panels(void *context, size_t first, size_t count) {
    const scaling *s = context;
    size_t nr = s->weights.nr;
    const float *from = s->from + first * s->weights.k * nr;
    float *to = s->to + first * s->weights.k * nr;
    for (size_t row = 0; row < count * s->weights.k; row++, from += nr, to += nr) {
        float scale = s->scale[row % s->weights.k];
        for (size_t j = 0; j < nr; j++) {
            to[j] = from[j] * scale;
        }
    }
}

size_t gemm_scaled_bytes(size_t weight_bytes) {
    return (weight_bytes + 63) / 64 * 64;
}

/* One sample of a call. */
static kernel_call sample_of(const kernel_call *call, size_t sample, operand *operands) {
    kernel_call one = *call;
    for (uint32_t k = 0; k < call->input_count + call->output_count; k++) {
        operand *o = &operands[k];
        *o = k < call->input_count ? call->inputs[k] : call->outputs[k - call->input_count];
        if (operand_present(o) && !o->constant) {
            o->outer /= o->dims[0];
            o->elements /= o->dims[0];
            o->dims[0] = 1;
            o->data = (float *)o->data + sample * o->outer * o->row_stride;
        }
    }
    one.run.batch = 1;
    one.inputs = operands;
    one.outputs = operands + call->input_count;
    return one;
}

void gemm_run_scaled(kernel_call *call, gemm_weights weights, void (*run)(kernel_call *call)) {
    size_t samples = operand_dim(&call->outputs[0], 0, call->run.batch);
    size_t bytes = gemm_scaled_bytes(weights.bytes), panel = weights.bytes / weights.panels;
    scaling s = {.weights = weights, .from = call->packed, .to = call->run.scratch};
    for (size_t k = 0; k < samples; k++) {
        operand operands[OPERANDS];
        kernel_call one = sample_of(call, k, operands);
        s.scale = one.inputs[4].data;
        thread_pool_ranges(call->host->pool, scale_panels, &s, weights.panels,
                           panel < TASK_BYTES ? TASK_BYTES / panel : 1);
        one.packed = s.to;
        one.run.scratch = (uint8_t *)call->run.scratch + bytes;
        run(&one);
    }
}
