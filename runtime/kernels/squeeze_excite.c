/* SQUEEZE_EXCITE: the means, the products and the scale of one step. Each part is shared by the
 * threads as it is where it stands alone, and small products are left to one. The hidden layer has
 * long sums, of all channels, which are made where its weights lie; the gates have short ones, and
 * packed weights. */
#include "runtime/kernels/fully_connected.h"
#include "runtime/kernels/global_pool.h"

#include <math.h>
#include <string.h>

/* Floats that are scaled, added to and finished while they are in the L1 cache, and of a task. */
#define PIECE ((size_t)2048)
#define TASK ((size_t)8192)
/* A task's weights, which take longer to be read than a thread to wake. */
#define TASK_BYTES ((size_t)64 << 10)

enum { SQUEEZED, WEIGHT, BIAS, HIDDEN_WEIGHT, HIDDEN_BIAS, X, ADDEND, INPUTS };

/* NULL: it is absent. */
static const operand *input(const kernel_call *call, uint32_t k) {
    return has_input(call, k) ? &call->inputs[k] : NULL;
}

/* ---- Checking ------------------------------------------------------------------------------ */

static bool is_function(const kiln_unary_params *f) {
    if (f->op == KILN_UNARY_CLAMP) {
        return f->alpha < f->beta;
    }
    return finish_takes(f->op) && isfinite(f->alpha) &&
           (!finish_takes_beta(f->op) || isfinite(f->beta));
}

/* Channels of one position need not come last. */
static size_t channels_of(const operand *squeezed) {
    return squeezed->layout == KILN_CHANNELS_LAST ? squeezed->inner
                                                  : squeezed->elements / squeezed->dims[0];
}

/* Is it absent, or rows of so many columns? 0: it is a vector. */
static bool is_matrix(const operand *o, size_t rows, size_t columns) {
    return o == NULL || (o->dims[0] == rows && (columns == 0 || o->dims[1] == columns));
}

/* Checks weights and biases; out_channels: of the gates. */
static bool products_fit(const kernel_call *call, size_t squeezed, size_t *out_channels) {
    const operand *weight = input(call, WEIGHT), *hidden = input(call, HIDDEN_WEIGHT);
    size_t inner = hidden != NULL ? hidden->dims[0] : squeezed;
    *out_channels = weight != NULL ? weight->dims[0] : squeezed;
    return is_matrix(weight, *out_channels, inner) &&
           is_matrix(input(call, BIAS), *out_channels, 0) && is_matrix(hidden, inner, squeezed) &&
           is_matrix(input(call, HIDDEN_BIAS), inner, 0) &&
           (weight != NULL || (hidden == NULL && input(call, BIAS) == NULL)) &&
           (hidden != NULL || input(call, HIDDEN_BIAS) == NULL);
}

/* Is it a map alike? */
static bool is_map(const operand *o, const operand *y) {
    return o->layout == KILN_CHANNELS_LAST && y->layout == KILN_CHANNELS_LAST &&
           operand_same_dims(o, y);
}

static const char *check(const kernel_call *call) {
    const kiln_squeeze_excite_params *p = call->params;
    const operand *squeezed = &call->inputs[SQUEEZED], *x = input(call, X);
    const operand *add = input(call, ADDEND), *y = &call->outputs[0];
    size_t channels;
    if (!is_function(&p->hidden) || !is_function(&p->gate) ||
        !finish_is_sound(call, p->min, p->max)) {
        return "parameters out of range";
    }
    if (squeezed->rank < 2 ||
        (squeezed->layout != KILN_CHANNELS_LAST && !operand_is_dense(squeezed)) ||
        !products_fit(call, channels_of(squeezed), &channels)) {
        return "the weights do not fit what is squeezed";
    }
    bool gates = x == NULL && add == NULL && operand_is_dense(y) &&
                 y->elements == y->dims[0] * channels && p->min == -INFINITY &&
                 p->max == INFINITY && KILN_STEP_FUNCTION(call->step->flags) == KILN_UNARY_CLAMP;
    bool scaled =
        x != NULL && is_map(x, y) && x->inner == channels && (add == NULL || is_map(add, y));
    return gates || scaled ? NULL : "the operands do not fit the output";
}

static const char *lacks(const kernel_call *call) {
    const kiln_squeeze_excite_params *p = call->params;
    const uint32_t functions[] = {p->hidden.op, p->gate.op};
    for (size_t k = 0; k < 2; k++) {
        if (functions[k] != KILN_UNARY_CLAMP && finish_is_missing(functions[k])) {
            return kiln_unary_op_name(functions[k]);
        }
    }
    return NULL;
}

/* ---- Running ------------------------------------------------------------------------------- */

typedef struct excitation {
    const kernel_call *call;
    const ukernels *ukernels;
    finish finish;
    size_t samples, squeezed, hidden, channels;
    float *means, *inner, *scales; /* [samples][each of those] */
} excitation;

/* All but what lies in scratch. */
static excitation describe(const kernel_call *call) {
    const kiln_squeeze_excite_params *p = call->params;
    const operand *squeezed = &call->inputs[SQUEEZED], *weight = input(call, WEIGHT);
    const operand *hidden = input(call, HIDDEN_WEIGHT);
    excitation e = {.call = call,
                    .ukernels = ukernels_best(),
                    .finish = finish_of(call, p->min, p->max),
                    .samples = operand_dim(squeezed, 0, call->run.batch),
                    .squeezed = channels_of(squeezed)};
    e.hidden = hidden != NULL ? hidden->dims[0] : 0;
    e.channels = weight != NULL ? weight->dims[0] : e.squeezed;
    return e;
}

static size_t scratch(const kernel_call *call) {
    excitation e = describe(call);
    return (whole_vectors(e.samples * e.squeezed) + whole_vectors(e.samples * e.hidden) +
            whole_vectors(e.samples * e.channels)) *
           sizeof(float);
}

/* ---- Products ------------------------------------------------------------------------------ */

static size_t panels_of(const operand *weight) {
    size_t nr = ukernels_best()->nr;
    return (weight->dims[0] + nr - 1) / nr;
}

static void pack(const kernel_call *call, float *to) {
    const operand *weight = &call->inputs[WEIGHT];
    bool half = weight->record->stored_dtype == KILN_F16;
    size_t nr = ukernels_best()->nr, k = weight->dims[1], outputs = weight->dims[0];
    size_t row = k * (half ? sizeof(uint16_t) : sizeof(float));
    for (size_t first = 0; first < outputs; first += nr) {
        ukernels_pack(ukernels_best())
            ->weights[half ? DENSE_F16 : DENSE_F32](size_min(nr, outputs - first), k,
                                                    (const char *)weight->data + first * row, k,
                                                    to + first * k);
    }
}

/* That of products, [panels][k][nr]. */
static bool packs(const kernel_call *call, packed_form *out_form) {
    const operand *weight = input(call, WEIGHT);
    if (weight == NULL) {
        return false;
    }
    size_t floats = panels_of(weight) * ukernels_best()->nr * weight->dims[1];
    *out_form = (packed_form){"panels", floats * sizeof(float), pack, true};
    return true;
}

static void find_hidden(const excitation *e, const float *means) {
    const kiln_squeeze_excite_params *p = e->call->params;
    const operand *bias = input(e->call, HIDDEN_BIAS);
    finish f = finish_by(&p->hidden);
    const dense_piece whole = {.m = e->samples,
                               .n = e->hidden,
                               .k = e->squeezed,
                               .x = means,
                               .x_stride = e->squeezed,
                               .bias = bias != NULL ? bias->data : NULL,
                               .y = e->inner,
                               .y_stride = e->hidden};
    dense_run(e->call, &whole, &e->call->inputs[HIDDEN_WEIGHT], &f);
}

typedef struct gates {
    const excitation *of;
    const float *x; /* [samples][k] */
    size_t k;
    finish finish;
} gates;

static void multiply_panels(void *context, size_t begin, size_t count) {
    const gates *g = context;
    const excitation *e = g->of;
    const operand *bias = input(e->call, BIAS);
    size_t nr = e->ukernels->nr, first = begin * nr;
    size_t end = size_min(e->channels, (begin + count) * nr);
    for (size_t at = first; at < end; at += nr) {
        float padded_bias[GEMM_MAX_NR] = {0};
        size_t outputs = size_min(nr, end - at);
        if (bias != NULL) {
            memcpy(padded_bias, (const float *)bias->data + at, outputs * sizeof(float));
        }
        const gemm_epilogue last = {
            .bias = padded_bias, .min = g->finish.min, .max = g->finish.max};
        e->ukernels->gemm(e->samples, outputs, g->k, g->x, g->k, e->call->packed + at * g->k,
                          e->scales + at, e->channels, &last);
    }
    finish_rows(&g->finish, e->scales + first, e->samples, e->channels, end - first);
}

static void find_gates(const excitation *e, const float *x) {
    const kiln_squeeze_excite_params *p = e->call->params;
    const operand *weight = input(e->call, WEIGHT);
    gates g = {e, x, weight != NULL ? weight->dims[1] : 0, finish_by(&p->gate)};
    size_t floats = e->samples * e->squeezed;
    if (weight != NULL) {
        size_t room = TASK_BYTES / (g.k * e->ukernels->nr * sizeof(float));
        thread_pool_ranges(e->call->host->pool, multiply_panels, &g, panels_of(weight),
                           room > 0 ? room : 1);
        return;
    }
    for (size_t k = 0; k < floats; k++) {
        float v = x[k] < g.finish.min ? g.finish.min : x[k];
        e->scales[k] = v > g.finish.max ? g.finish.max : v;
    }
    finish_rows(&g.finish, e->scales, 1, floats, floats);
}

static void find_scales(const excitation *e) {
    const operand *squeezed = &e->call->inputs[SQUEEZED];
    const float *means = e->means;
    if (squeezed->elements == squeezed->dims[0] * e->squeezed && operand_is_dense(squeezed)) {
        means = squeezed->data;
    } else {
        global_means(e->call, squeezed, -INFINITY, INFINITY, e->means);
    }
    if (e->hidden > 0) {
        find_hidden(e, means);
        means = e->inner;
    }
    find_gates(e, means);
}

/* ---- The scale ----------------------------------------------------------------------------- */

/* Some channels of some positions, counted from the first sample's. */
static void scale_piece(const excitation *e, size_t sample, size_t row, size_t rows, size_t channel,
                        size_t channels) {
    const operand *x = input(e->call, X), *add = input(e->call, ADDEND), *y = &e->call->outputs[0];
    float products[PIECE], *to = (float *)y->data + row * y->row_stride + channel;
    elementwise_rows of = {.a = (const float *)x->data + row * x->row_stride + channel,
                           .b = e->scales + sample * e->channels + channel,
                           .a_step = x->row_stride,
                           .min = e->finish.min,
                           .max = e->finish.max,
                           .y = to,
                           .y_step = y->row_stride,
                           .rows = rows,
                           .count = channels};
    if (add != NULL) { /* which may lie where y does */
        of.min = -INFINITY;
        of.max = INFINITY;
        of.y = products;
        of.y_step = channels;
    }
    ukernels_elementwise(e->ukernels)->binary[ELEMENTWISE_MUL](&of);
    if (add != NULL) {
        of.a = products;
        of.a_step = channels;
        of.b = (const float *)add->data + row * add->row_stride + channel;
        of.b_step = add->row_stride;
        of.min = e->finish.min;
        of.max = e->finish.max;
        of.y = to;
        of.y_step = y->row_stride;
        ukernels_elementwise(e->ukernels)->binary[ELEMENTWISE_ADD](&of);
    }
    finish_rows(&e->finish, to, rows, y->row_stride, channels);
}

static void scale_rows(void *context, size_t sample, size_t first, size_t count) {
    const excitation *e = context;
    const operand *x = input(e->call, X);
    size_t columns = size_min(e->channels, PIECE), most = PIECE / columns, end = first + count;
    size_t before = sample * (x->outer / x->dims[0]);
    for (size_t row = first; row < end; row += most) {
        for (size_t channel = 0; channel < e->channels; channel += columns) {
            scale_piece(e, sample, before + row, size_min(most, end - row), channel,
                        size_min(columns, e->channels - channel));
        }
    }
}

static kiln_status run(kernel_call *call, kiln_error *error) {
    excitation e = describe(call);
    const operand *x = input(call, X);
    (void)error;
    e.means = call->run.scratch;
    e.inner = e.means + whole_vectors(e.samples * e.squeezed);
    e.scales = x != NULL ? e.inner + whole_vectors(e.samples * e.hidden) : call->outputs[0].data;
    find_scales(&e);
    if (x != NULL) {
        size_t rows = TASK / e.channels;
        thread_pool_grid_ranges(call->host->pool, scale_rows, &e, e.samples, x->outer / x->dims[0],
                                rows > 0 ? rows : 1);
    }
    return KILN_OK;
}

static uint64_t macs(const kernel_call *call) {
    const operand *weight = input(call, WEIGHT), *hidden = input(call, HIDDEN_WEIGHT);
    return ((weight != NULL ? weight->elements : 0) + (hidden != NULL ? hidden->elements : 0)) *
           call->inputs[SQUEEZED].dims[0];
}

#define SAMPLES (IS_F32 | IS_VARIABLE | IS_BATCHED_LIKE_X)
#define MATRIX (IS_F32 | IS_CONSTANT | HAS_RANK(2))
#define VECTOR (IS_F32 | IS_CONSTANT | HAS_RANK(1))

const kernel kernel_squeeze_excite = {
    KERNEL("squeeze_excite", kiln_squeeze_excite_params, macs,
           KERNEL_INPUTS(1, INPUTS, IS_F32 | IS_VARIABLE, MATRIX, VECTOR, MATRIX, VECTOR, SAMPLES,
                         SAMPLES),
           KERNEL_OUTPUTS(1, 1, SAMPLES), KERNEL_STRIDED(1 << SQUEEZED | 1 << X | 1 << ADDEND, 1),
           KERNEL_IN_PLACE(1 << SQUEEZED | 1 << X | 1 << ADDEND)),
    .check = check,
    .lacks = lacks,
    .run = run,
    .scratch = scratch,
    .finishes = true,
    .packs = packs,
    .reads_f16 = 1 << HIDDEN_WEIGHT,
};
