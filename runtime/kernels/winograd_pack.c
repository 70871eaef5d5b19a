/* The weights of Winograd's algorithm, in panels of outputs: transformed, one matrix a position; or
 * as taps, which are transformed while running. */
#include "runtime/kernels/winograd.h"

#include <string.h>

/* Weights are late that have more bytes, transformed, than this. Each strip of tiles reads, or
 * transforms, them all. Where a layer has few rows of products (tiles at a position) and so few
 * strips, it is to read what is not in the L2 cache that takes as long as to transform it; where
 * it has many, weights of so many bytes a row. Measured with AVX-512 and AVX2. */
#define FEW_ROWS ((size_t)128)
#define LATE_OF_FEW ((size_t)512 << 10)
#define LATE_A_ROW ((size_t)60 << 10)
#define TAPS ((size_t)9)
#define AHEAD (8 * TAPS) /* rows of taps that are fetched before they are needed */
/* Positions lie so much further apart than they are long, so that they do not all fall into the
 * same sets of the L1 cache. */
#define SKEW ((size_t)VECTOR_MAX)

winograd_weights winograd_weights_of(const kernel_call *call) {
    const kiln_conv_params *p = call->params;
    const operand *weights = &call->inputs[1];
    const ukernels *best = ukernels_best();
    size_t m = 2 * (size_t)p->algorithm, nr = best->nr; /* the sizes begin at WINOGRAD_2: 1 */
    bool strided = p->stride_height == 2;
    size_t first = strided ? WINOGRAD_2_BY_2 : WINOGRAD_2;
    winograd_weights form = {.ukernels = best,
                             .size = (winograd_size)(first + p->algorithm - KILN_CONV_WINOGRAD_2),
                             .side = m + 2,
                             .positions = (m + 2) * (m + 2),
                             .inputs = weights->dims[3],
                             .panels = (weights->dims[0] + nr - 1) / nr,
                             .nr = nr};
    image_dims y;
    (void)operand_image(&call->outputs[0], &y);
    size_t tiles = (y.h + m - 1) / m * ((y.w + m - 1) / m), n = strided ? 2 * m + 1 : m + 2;
    size_t rows = tiles * n * n / form.positions;
    /* F(2)'s are hardly more than the taps. */
    form.late = m != 2 &&
                winograd_weight_bytes(&form) > (rows <= FEW_ROWS ? LATE_OF_FEW : rows * LATE_A_ROW);
    form.step = WINOGRAD_CHUNK * nr + SKEW;
    return form;
}

size_t winograd_weight_bytes(const winograd_weights *form) {
    size_t each = form->late ? TAPS : form->positions;
    return form->panels * each * form->inputs * form->nr * sizeof(float);
}

void winograd_transform_chunk(const winograd_weights *form, const float *packed, size_t panel,
                              size_t first, size_t inputs, float *to) {
    size_t nr = form->nr;
    const float *from = packed + (panel * form->inputs + first) * TAPS * nr;
    for (size_t c = 0; c < inputs; c++, from += TAPS * nr) {
        const float *taps[TAPS];
        for (size_t k = 0; k < TAPS; k++) {
            taps[k] = from + k * nr;
        }
        /* By itself the processor fetches too little ahead of what comes from memory. */
        for (size_t k = 0; k < TAPS * nr; k += VECTOR_MAX) {
            __builtin_prefetch((const void *)((uintptr_t)from + (AHEAD * nr + k) * sizeof *from));
        }
        ukernels_winograd(form->ukernels)->weights[form->size](taps, nr, to + c * nr, form->step);
    }
}

/* ---- Packing ------------------------------------------------------------------------------- */

typedef struct packing {
    winograd_weights form;
    const float *weights; /* [outputs][3][3][inputs] */
    size_t outputs;
    float *to;
} packing;

/* The weights of so many outputs are packed together, so that a cache line is written at once. */
#define PACKED_OUTPUTS ((size_t)4)

typedef float transformed_weights[WINOGRAD_MAX_TILE * WINOGRAD_MAX_TILE][VECTOR_MAX];

/* Transforms one output's weights for `channels` inputs from c on. */
static void transform_weights(const packing *job, size_t output, size_t c, size_t channels,
                              transformed_weights out) {
    const winograd_weights *form = &job->form;
    const float *from = job->weights + output * TAPS * form->inputs + c;
    float taps[TAPS][VECTOR_MAX];
    const float *pointers[TAPS];
    for (size_t k = 0; k < TAPS; k++) {
        pointers[k] = from + k * form->inputs;
        if (channels < VECTOR_MAX) { /* whole vectors are read, so the rest must be there */
            memcpy(taps[k], pointers[k], channels * sizeof(float));
            pointers[k] = taps[k];
        }
    }
    ukernels_winograd(form->ukernels)->weights[form->size](pointers, channels, out[0], VECTOR_MAX);
}

/* Packs the weights of one panel of outputs, VECTOR_MAX inputs at a time: they are transformed
 * output by output, then transposed, so that the panel's outputs lie side by side. */
static void pack_early(void *context, size_t panel) {
    const packing *job = context;
    const winograd_weights *form = &job->form;
    size_t nr = form->nr, first = panel * nr;
    transformed_weights transformed[PACKED_OUTPUTS];
    for (size_t c = 0; c < form->inputs; c += VECTOR_MAX) {
        size_t channels = form->inputs - c < VECTOR_MAX ? form->inputs - c : VECTOR_MAX;
        for (size_t o = 0; o < nr; o += PACKED_OUTPUTS) {
            for (size_t i = 0; i < PACKED_OUTPUTS; i++) {
                if (first + o + i < job->outputs) {
                    transform_weights(job, first + o + i, c, channels, transformed[i]);
                } else {
                    memset(transformed[i], 0, sizeof transformed[i]);
                }
            }
            for (size_t p = 0; p < form->positions; p++) {
                float *to = job->to + ((p * form->panels + panel) * form->inputs + c) * nr + o;
                for (size_t k = 0; k < channels; k++, to += nr) {
                    for (size_t i = 0; i < PACKED_OUTPUTS; i++) {
                        to[i] = transformed[i][p][k];
                    }
                }
            }
        }
    }
}

/* Packs one panel's taps, VECTOR_MAX inputs at a time. */
static void pack_late(void *context, size_t panel) {
    const packing *job = context;
    const winograd_weights *form = &job->form;
    size_t nr = form->nr, first = panel * nr;
    size_t outputs = job->outputs - first < nr ? job->outputs - first : nr;
    float *to = job->to + panel * form->inputs * TAPS * nr;
    float rows[VECTOR_MAX * GEMM_MAX_NR];
    for (size_t c = 0; c < form->inputs; c += VECTOR_MAX) {
        size_t inputs = form->inputs - c < VECTOR_MAX ? form->inputs - c : VECTOR_MAX;
        for (size_t k = 0; k < TAPS; k++) {
            const float *from = job->weights + (first * TAPS + k) * form->inputs + c;
            ukernels_pack(form->ukernels)
                ->weights[DENSE_F32](outputs, inputs, from, TAPS * form->inputs, rows);
            for (size_t i = 0; i < inputs; i++) {
                memcpy(to + ((c + i) * TAPS + k) * nr, rows + i * nr, nr * sizeof *to);
            }
        }
    }
}

static void pack(const kernel_call *call, float *to) {
    packing job = {winograd_weights_of(call), call->inputs[1].data, call->inputs[1].dims[0], to};
    thread_pool_each(call->host->pool, job.form.late ? pack_late : pack_early, &job,
                     job.form.panels);
}

bool winograd_packs(const kernel_call *call, packed_form *out_form) {
    static const char *const names[WINOGRAD_SIZES] = {"winograd 2", "winograd 4", "winograd 6",
                                                      "winograd 2 by 2", "winograd 4 by 2"};
    winograd_weights form = winograd_weights_of(call);
    *out_form = (packed_form){form.late ? "winograd taps" : names[form.size],
                              winograd_weight_bytes(&form), pack, false};
    return true;
}
