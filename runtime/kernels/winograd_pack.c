/* The weights of Winograd's algorithm: transformed, one matrix a position, in panels of outputs. */
#include "runtime/kernels/winograd.h"
#include "runtime/ukernels/ukernels.h"

#include <string.h>

typedef struct packing {
    const ukernels *ukernels;
    const float *weights; /* [outputs][3][3][inputs] */
    size_t outputs, inputs;
    size_t panels, positions;
    winograd_size size;
    float *to; /* [positions][panels][inputs][nr] */
} packing;

static packing describe(const kernel_call *call) {
    const kiln_conv_params *p = call->params;
    const operand *weights = &call->inputs[1];
    const ukernels *best = ukernels_best();
    size_t tile = 2 * (size_t)p->algorithm + 2;
    return (packing){.ukernels = best,
                     .weights = weights->data,
                     .outputs = weights->dims[0],
                     .inputs = weights->dims[3],
                     .panels = (weights->dims[0] + best->nr - 1) / best->nr,
                     .positions = tile * tile,
                     .size = (winograd_size)(p->algorithm - KILN_CONV_WINOGRAD_2)};
}

/* The weights of so many outputs are packed together, so that a cache line is written at once. */
#define PACKED_OUTPUTS ((size_t)4)

typedef float transformed_weights[WINOGRAD_MAX_TILE * WINOGRAD_MAX_TILE][VECTOR_MAX];

/* Transforms one output's weights for `channels` inputs from c on. */
static void transform_weights(const packing *job, size_t output, size_t c, size_t channels,
                              transformed_weights out) {
    const float *from = job->weights + output * 9 * job->inputs + c;
    float taps[9][VECTOR_MAX];
    const float *pointers[9];
    for (size_t k = 0; k < 9; k++) {
        pointers[k] = from + k * job->inputs;
        if (channels < VECTOR_MAX) { /* whole vectors are read, so the rest must be there */
            memcpy(taps[k], pointers[k], channels * sizeof(float));
            pointers[k] = taps[k];
        }
    }
    ukernels_winograd(job->ukernels)->weights[job->size](pointers, channels, out[0], VECTOR_MAX);
}

/* Packs the weights of one panel of outputs, VECTOR_MAX inputs at a time: they are transformed
 * output by output, then transposed, so that the panel's outputs lie side by side. */
static void pack_panel(void *context, size_t panel) {
    const packing *job = context;
    size_t nr = job->ukernels->nr, first = panel * nr;
    transformed_weights transformed[PACKED_OUTPUTS];
    for (size_t c = 0; c < job->inputs; c += VECTOR_MAX) {
        size_t channels = job->inputs - c < VECTOR_MAX ? job->inputs - c : VECTOR_MAX;
        for (size_t o = 0; o < nr; o += PACKED_OUTPUTS) {
            for (size_t i = 0; i < PACKED_OUTPUTS; i++) {
                if (first + o + i < job->outputs) {
                    transform_weights(job, first + o + i, c, channels, transformed[i]);
                } else {
                    memset(transformed[i], 0, sizeof transformed[i]);
                }
            }
            for (size_t p = 0; p < job->positions; p++) {
                float *to = job->to + ((p * job->panels + panel) * job->inputs + c) * nr + o;
                for (size_t k = 0; k < channels; k++, to += nr) {
                    for (size_t i = 0; i < PACKED_OUTPUTS; i++) {
                        to[i] = transformed[i][p][k];
                    }
                }
            }
        }
    }
}

size_t winograd_weight_bytes(const kernel_call *call) {
    packing job = describe(call);
    return job.positions * job.panels * job.inputs * job.ukernels->nr * sizeof(float);
}

static void pack(const kernel_call *call, float *to) {
    packing job = describe(call);
    job.to = to;
    thread_pool_each(call->host->pool, pack_panel, &job, job.panels);
}

bool winograd_packs(const kernel_call *call, packed_form *out_form) {
    static const char *const names[WINOGRAD_SIZES] = {"winograd 2", "winograd 4", "winograd 6"};
    *out_form = (packed_form){names[describe(call).size], winograd_weight_bytes(call), pack, false};
    return true;
}
