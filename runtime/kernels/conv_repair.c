/* What NaN and infinities reach is computed once more, plainly, by a look at the input which tells
 * whether there are any. Sums of finite numbers that overflow are XNNPACK's. */
#include "runtime/kernels/conv_repair.h"
#include "runtime/kernels/window.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

#define CHUNK 64              /* weights that are read at once */
#define LEAST_SEARCHED 262144 /* a thread is not worth waking to search fewer elements */

/* ---- Numbers that are not finite ----------------------------------------------------------- */

/* Found at the speed of memory. */
static bool any_wild(const float *values, size_t count) {
    uint32_t wild = 0;
    for (size_t k = 0; k < count; k++) {
        uint32_t bits;
        memcpy(&bits, values + k, sizeof bits);
        wild |= (bits & 0x7f800000u) == 0x7f800000u;
    }
    return wild != 0;
}

bool conv_has_wild_constants(const kernel_call *call) {
    const operand *w = &call->inputs[1], *bias = &call->inputs[2];
    return any_wild(w->data, w->elements) ||
           (has_input(call, 2) && any_wild(bias->data, bias->elements));
}

typedef struct wild_search {
    const operand *x;
    atomic_bool found;
} wild_search;

static void search(wild_search *s, size_t at, size_t count) {
    if (any_wild((const float *)s->x->data + at, count)) {
        atomic_store_explicit(&s->found, true, memory_order_relaxed);
    }
}

static void search_rows(void *context, size_t begin, size_t end) {
    wild_search *s = context;
    for (size_t row = begin; row < end; row++) {
        search(s, row * s->x->row_stride, s->x->inner);
    }
}

static void search_range(void *context, size_t begin, size_t end) {
    search(context, begin, end - begin);
}

static bool is_input_wild(const kernel_call *call) {
    const operand *x = &call->inputs[0];
    size_t outer = operand_outer(x, call->run.batch);
    wild_search s = {.x = x};
    if (operand_is_dense(x)) {
        kernel_parallel(call, outer * x->inner, LEAST_SEARCHED, &s, search_range);
    } else {
        kernel_parallel(call, outer, 1 + LEAST_SEARCHED / (x->inner + 1), &s, search_rows);
    }
    return atomic_load(&s.found);
}

/* ---- Once more ----------------------------------------------------------------------------- */

typedef struct repair_task {
    const kernel_call *call;
    const kiln_conv_params *params;
    bool transposed, all;
    image_dims x, y;
    window_axis axes[3];
    size_t depth, group_outputs;
} repair_task;

/* A walk through the taps of an output's window that lie in the image. It knows where in the image
 * each lies and which tap of the kernel it is. */
typedef struct tap_walk {
    const repair_task *task;
    const float *sample; /* the group's first input of its first pixel */
    size_t row, column;  /* the output's position */
    window_taps taps[2];
    size_t at[2]; /* the tap that comes next */
} tap_walk;

static tap_walk start_walk(const repair_task *t, size_t pixel, size_t group) {
    const operand *x = &t->call->inputs[0];
    size_t row = pixel / t->y.w % t->y.h, sample = pixel / t->y.w / t->y.h;
    tap_walk w = {.task = t, .row = row, .column = pixel % t->y.w};
    w.sample = (const float *)x->data + sample * t->x.h * t->x.w * x->row_stride + group * t->depth;
    for (size_t k = 0; k < 2; k++) {
        size_t o = k == 0 ? w.row : w.column;
        w.taps[k] = t->transposed ? window_taps_transposed(&t->axes[1 + k], o)
                                  : window_taps_inside(&t->axes[1 + k], o);
        w.at[k] = w.taps[k].begin;
    }
    return w;
}

/* Returns the `depth` inputs under the next tap; NULL after the last one. */
static const float *next_tap(tap_walk *w, size_t *out_tap) {
    const repair_task *t = w->task;
    const window_axis *a = t->axes + 1;
    while (w->at[0] < w->taps[0].end) {
        size_t i = w->at[0], j = w->at[1]++;
        if (j >= w->taps[1].end) {
            w->at[0]++;
            w->at[1] = w->taps[1].begin;
            continue;
        }
        size_t y = t->transposed ? window_position_transposed(&a[0], w->row, i)
                                 : window_position(&a[0], w->row, i);
        size_t x = t->transposed ? window_position_transposed(&a[1], w->column, j)
                                 : window_position(&a[1], w->column, j);
        if (y != SIZE_MAX && x != SIZE_MAX) {
            *out_tap = i * a[1].kernel + j;
            return w->sample + (y * t->x.w + x) * t->call->inputs[0].row_stride;
        }
    }
    return NULL;
}

typedef enum reach { REACHES_FINITE, REACHES_INFINITY, REACHES_NAN } reach;

static reach reach_of(const repair_task *t, size_t pixel, size_t group) {
    tap_walk w = start_walk(t, pixel, group);
    reach found = t->all ? REACHES_INFINITY : REACHES_FINITE;
    size_t tap;
    for (const float *x = next_tap(&w, &tap); x != NULL; x = next_tap(&w, &tap)) {
        for (size_t k = 0; k < t->depth; k++) {
            if (isnan(x[k])) {
                return REACHES_NAN;
            }
            found = isinf(x[k]) ? REACHES_INFINITY : found;
        }
    }
    return found;
}

static double product_of_tap(const repair_task *t, const float *x, size_t channel, size_t tap) {
    const operand *weights = &t->call->inputs[1];
    size_t taps = t->axes[1].kernel * t->axes[2].kernel;
    float w[CHUNK];
    double sum = 0;
    for (size_t k = 0; k < t->depth; k += CHUNK) {
        size_t count = t->depth - k < CHUNK ? t->depth - k : CHUNK;
        kernel_read_constant(t->call, weights, (channel * taps + tap) * t->depth + k, count, w);
        for (size_t i = 0; i < count; i++) {
            sum += (double)x[k + i] * (double)w[i];
        }
    }
    return sum;
}

static float value_of(const repair_task *t, size_t pixel, size_t group, size_t channel) {
    const kernel_call *call = t->call;
    tap_walk w = start_walk(t, pixel, group);
    float bias = 0;
    size_t tap;
    if (has_input(call, 2)) {
        kernel_read_constant(call, &call->inputs[2], channel, 1, &bias);
    }
    double sum = (double)bias;
    for (const float *x = next_tap(&w, &tap); x != NULL; x = next_tap(&w, &tap)) {
        sum += product_of_tap(t, x, channel, tap);
    }
    float value = (float)sum;
    return value < t->params->min   ? t->params->min
           : value > t->params->max ? t->params->max
                                    : value;
}

static void repair_pixels(void *context, size_t begin, size_t end) {
    const repair_task *t = context;
    const operand *y = &t->call->outputs[0];
    for (size_t pixel = begin; pixel < end; pixel++) {
        float *out = (float *)y->data + pixel * y->row_stride;
        for (size_t group = 0; group < t->params->groups; group++) {
            reach r = reach_of(t, pixel, group);
            for (size_t k = 0; k < t->group_outputs && r != REACHES_FINITE; k++) {
                size_t c = group * t->group_outputs + k;
                out[c] = r == REACHES_NAN ? NAN : value_of(t, pixel, group, c);
            }
        }
    }
}

void conv_repair(const kernel_call *call, bool all) {
    if (!all && !is_input_wild(call)) {
        return;
    }
    const kiln_conv_params *p = call->params;
    const operand *w = &call->inputs[1], *y = &call->outputs[0];
    repair_task t = {.call = call,
                     .params = p,
                     .transposed = call->step->kernel == KILN_KERNEL_DECONV_2D,
                     .all = all,
                     .depth = w->dims[3],
                     .group_outputs = w->dims[0] / p->groups};
    (void)operand_image(&call->inputs[0], &t.x);
    (void)operand_image(y, &t.y);
    window_axes_of(call, t.axes);
    kernel_parallel(call, operand_outer(y, call->run.batch), 8, &t, repair_pixels);
}
