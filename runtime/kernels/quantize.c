/* QUANTIZE, QUANTIZE_RANGE: between real numbers and the integers that stand for them, held in f32.
 */
#include "runtime/kernels/axis.h"

#include <math.h>

#define MOST 65536.0f /* the largest bound */

/* ---- Elements ------------------------------------------------------------------------------ */

/* Rounds to the nearest integer, ties to even, as long as |value| < 2^22: adding 1.5 * 2^23 leaves
 * no bits for a fraction. Every processor can do that to vectors, unlike rintf. */
static inline float round_small(float value) {
    const float magic = 0x1.8p23f;
    return (value + magic) - magic;
}

/* Bounds are integers, so that a value that is clamped first rounds to one between them. A NaN
 * becomes the lower bound. */
static inline float clamp_round(float value, float least, float most) {
    value = value > least ? value : least;
    return round_small(value > most ? most : value);
}

typedef struct quantize_row {
    const float *x, *scale, *zero;
    size_t scale_step, zero_step, count;
    float low, high, *y;
} quantize_row;

/* What all kinds compute, by column: y = round(clamp(x * scale)) * factor + addend, x / scale where
 * the kind divides; DEQUANTIZE alone neither clamps nor rounds. */
typedef struct columns {
    const float *scale, *zero, *factor, *addend;
} columns;

/* `count` columns from `first` on. The step, 0 or 1, is known when this is compiled. */
static inline void quantize_columns(uint32_t kind, const quantize_row *r, size_t first,
                                    size_t count, size_t step, const columns *c) {
    const float *restrict scale = c->scale, *restrict zero = c->zero;
    const float *restrict factor = c->factor, *restrict addend = c->addend;
    const float *x = r->x + first, low = r->low, high = r->high;
    float *y = r->y + first;
    if (kind == KILN_DEQUANTIZE) {
        for (size_t k = 0; k < count; k++) {
            y[k] = (x[k] - zero[k * step]) * scale[k * step];
        }
    } else if (kind == KILN_REQUANTIZE_INTEGERS || kind == KILN_REQUANTIZE_CENTRED) {
        for (size_t k = 0; k < count; k++) {
            float z = zero[k * step], value = x[k] * scale[k * step];
            y[k] = clamp_round(value, low - z, high - z) * factor[k * step] + addend[k * step];
        }
    } else {
        for (size_t k = 0; k < count; k++) {
            float z = zero[k * step], value = x[k] / scale[k * step];
            y[k] = clamp_round(value, low - z, high - z) * factor[k * step] + addend[k * step];
        }
    }
}

#define CHUNK 64

static const float *spread(const float *from, size_t step, size_t count, float *to) {
    for (size_t k = 0; k < count && step == 0; k++) {
        to[k] = *from;
    }
    return step == 0 ? to : from;
}

/* Where columns have scales of their own, or zeros, the others are spread over as many. */
static void quantize_any(uint32_t kind, const quantize_row *r) {
    static const float one = 1.0f, nothing = -0.0f; /* which leaves the sign of a zero, too */
    bool scales = kind == KILN_QUANTIZE_ROUND_TRIP;
    bool adds = kind == KILN_QUANTIZE_INTEGERS || kind == KILN_REQUANTIZE_INTEGERS;
    if (r->scale_step == 0 && r->zero_step == 0) {
        float scale = *r->scale, zero = *r->zero;
        float factor = scales ? scale : one, addend = adds ? zero : nothing;
        columns c = {&scale, &zero, &factor, &addend};
        quantize_columns(kind, r, 0, r->count, 0, &c);
        return;
    }
    for (size_t k = 0; k < r->count; k += CHUNK) {
        float all[4][CHUNK];
        size_t count = r->count - k < CHUNK ? r->count - k : CHUNK;
        columns c = {.scale = spread(r->scale + k * r->scale_step, r->scale_step, count, all[0]),
                     .zero = spread(r->zero + k * r->zero_step, r->zero_step, count, all[1])};
        c.factor = scales ? c.scale : spread(&one, 0, count, all[2]);
        c.addend = adds ? c.zero : spread(&nothing, 0, count, all[3]);
        quantize_columns(kind, r, k, count, 1, &c);
    }
}

/* ---- QUANTIZE ------------------------------------------------------------------------------ */

static bool fits_axis(const operand *o, const operand *x, uint32_t axis) {
    return o->elements == 1 ||
           (o->elements > 0 && axis_is_sound(x, axis) && o->elements == x->dims[axis]);
}

static const char *check_quantize(const kernel_call *call) {
    const kiln_quantize_params *p = call->params;
    const operand *x = &call->inputs[0];
    if (p->kind >= KILN_QUANTIZE_KIND_COUNT ||
        !(p->low <= p->high && p->low >= -MOST && p->high <= MOST)) {
        return "parameters out of range";
    }
    bool sound = x->layout == call->outputs[0].layout && fits_axis(&call->inputs[1], x, p->axis) &&
                 (!has_input(call, 2) || fits_axis(&call->inputs[2], x, p->axis));
    return sound ? NULL : "the operands do not fit";
}

/* Where a row's scales, or zeros, begin, and how far one is from the next. */
static const float *of_row(const operand *o, const operand *x, uint32_t axis, size_t row,
                           size_t *out_step) {
    const float *all = o->data;
    *out_step = 0;
    if (o->elements == 1) {
        return all;
    }
    if (axis + 1 == x->rank) {
        *out_step = 1;
        return all;
    }
    for (uint32_t k = axis + 1; k + 1 < x->rank; k++) {
        row /= x->dims[k];
    }
    return all + row % o->elements;
}

static void quantize_range(void *context, size_t begin, size_t end) {
    static const float nothing = 0.0f;
    const kernel_call *call = context;
    const kiln_quantize_params *p = call->params;
    const operand *x = &call->inputs[0], *y = &call->outputs[0], *scale = &call->inputs[1];
    const operand *zero = has_input(call, 2) ? &call->inputs[2] : NULL;
    /* With one scale and one zero for all, dense rows are as one. */
    bool one = scale->elements == 1 && (zero == NULL || zero->elements == 1) &&
               operand_is_dense(x) && operand_is_dense(y);
    size_t step = one ? end - begin : 1;
    for (size_t row = begin; row < end; row += step) {
        quantize_row r = {.x = (const float *)x->data + row * x->row_stride,
                          .zero = &nothing,
                          .count = x->inner * step,
                          .low = p->low,
                          .high = p->high,
                          .y = (float *)y->data + row * y->row_stride};
        r.scale = of_row(scale, x, p->axis, row, &r.scale_step);
        if (zero != NULL) {
            r.zero = of_row(zero, x, p->axis, row, &r.zero_step);
        }
        quantize_any(p->kind, &r);
    }
}

static kiln_status run_quantize(kernel_call *call, kiln_error *error) {
    (void)error;
    const operand *x = &call->inputs[0];
    size_t grain = 1 + 8192 / (x->inner == 0 ? 1 : x->inner);
    kernel_parallel(call, operand_outer(x, call->run.batch), grain, call, quantize_range);
    return KILN_OK;
}

const kernel kernel_quantize = {
    KERNEL("quantize", kiln_quantize_params, NULL,
           KERNEL_INPUTS(2, 3, IS_F32, IS_F32 | IS_UNBATCHED, IS_F32 | IS_UNBATCHED),
           KERNEL_OUTPUTS(1, 1, IS_F32 | IS_SHAPED_LIKE_X), KERNEL_STRIDED(1, 1),
           KERNEL_IN_PLACE(1)),
    .check = check_quantize,
    .run = run_quantize,
};

/* ---- QUANTIZE_RANGE ------------------------------------------------------------------------ */

static const char *check_range(const kernel_call *call) {
    bool sound =
        call->outputs[0].elements == 1 && (!has_output(call, 1) || call->outputs[1].elements == 1);
    return sound ? NULL : "the operands do not fit";
}

/* Several minima and maxima are kept at a time, so that they can be vectors. */
#define LANES 16

typedef struct extremes {
    float least[LANES], most[LANES];
} extremes;

static void look_at_row(extremes *e, const float *x, size_t count) {
    size_t k = 0;
    for (; k + LANES <= count; k += LANES) {
        for (size_t lane = 0; lane < LANES; lane++) {
            float value = x[k + lane];
            e->least[lane] = value < e->least[lane] ? value : e->least[lane];
            e->most[lane] = value > e->most[lane] ? value : e->most[lane];
        }
    }
    for (; k < count; k++) {
        e->least[0] = x[k] < e->least[0] ? x[k] : e->least[0];
        e->most[0] = x[k] > e->most[0] ? x[k] : e->most[0];
    }
}

static kiln_status run_range(kernel_call *call, kiln_error *error) {
    (void)error;
    const operand *x = &call->inputs[0];
    extremes e = {{0}, {0}};
    for (size_t row = 0; row < operand_outer(x, call->run.batch); row++) {
        look_at_row(&e, (const float *)x->data + row * x->row_stride, x->inner);
    }
    float least = 0, most = 0;
    for (size_t lane = 0; lane < LANES; lane++) {
        least = e.least[lane] < least ? e.least[lane] : least;
        most = e.most[lane] > most ? e.most[lane] : most;
    }
    float scale = most > least ? (most - least) / 255.0f : 1.0f;
    float zero = fminf(fmaxf(-least / scale, 0.0f), 255.0f);
    *(float *)call->outputs[0].data = scale;
    if (has_output(call, 1)) {
        *(float *)call->outputs[1].data = rintf(zero);
    }
    return KILN_OK;
}

const kernel kernel_quantize_range = {
    KERNEL("quantize_range", kiln_quantize_range_params, NULL, KERNEL_INPUTS(1, 1, IS_F32),
           KERNEL_OUTPUTS(1, 2, IS_F32 | IS_UNBATCHED, IS_F32 | IS_UNBATCHED),
           KERNEL_STRIDED(1, 0)),
    .check = check_range,
    .run = run_range,
};
