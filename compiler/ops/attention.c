/* DotProductAttention (ours): softmax(scale Q K^T + bias + mask) V of matrices that lie in their
 * tensors by strides. pass_fuse_attention makes it. */
#include "compiler/ops/attention.h"
#include "compiler/ops/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NUMBERS (sizeof(attention_geometry) / sizeof(int64_t))

kiln_status attention_set(graph *g, node *n, const attention_geometry *geometry) {
    int64_t numbers[NUMBERS];
    memcpy(numbers, geometry, sizeof numbers);
    return node_set_ints(g, n, "geometry", numbers, NUMBERS);
}

bool attention_get(const node *n, attention_geometry *out_geometry) {
    int64_t numbers[NUMBERS] = {0};
    bool found = node_ints(n, "geometry", numbers, NUMBERS) == (int)NUMBERS;
    memcpy(out_geometry, numbers, sizeof numbers);
    return found;
}

static const tensor *operand_of(const node *n, size_t k) {
    return k == ATTENTION_Y ? n->outputs[0] : k < n->input_count ? n->inputs[k] : NULL;
}

/* How many samples the inputs have; 1 where all share theirs. */
static int64_t samples_of(const node *n, const attention_geometry *a) {
    for (size_t k = 0; k < ATTENTION_Y; k++) {
        const tensor *t = operand_of(n, k);
        if (t != NULL && a->views[k].sample > 0) {
            return tensor_elements(t) / a->views[k].sample;
        }
    }
    return 1;
}

static kiln_status infer_attention(graph *g, node *n) {
    attention_geometry a;
    kiln_status status = require_floats(g, n);
    if (status == KILN_OK && !attention_get(n, &a)) {
        status = node_fail(g, n, KILN_ERROR_FORMAT, "no geometry");
    }
    if (status == KILN_OK) {
        a.dims[0] *= samples_of(n, &a);
        n->outputs[0]->dtype = KILN_F32;
        status = tensor_set_shape(g, n, n->outputs[0], (uint32_t)a.rank, a.dims);
    }
    return status;
}

/* Where the matrix of operand k begins. */
static int64_t begin_of(const attention_geometry *a, size_t k, int64_t sample, int64_t head) {
    const attention_view *v = &a->views[k];
    int64_t at = v->start + sample * v->sample;
    for (size_t d = KILN_ATTENTION_LEADS; d-- > 0;) {
        at += head % a->lead[d] * v->lead[d];
        head /= a->lead[d];
    }
    return at;
}

static double element(const node *n, const attention_geometry *a, size_t k, int64_t begin,
                      int64_t row, int64_t column) {
    const tensor *t = operand_of(n, k);
    const attention_view *v = &a->views[k];
    return t != NULL ? (double)tensor_f32(t)[begin + row * v->row + column * v->column] : 0;
}

/* One row of one head; scores[keys] is scratch. */
static void attend(const node *n, const attention_geometry *a, const int64_t *begins, int64_t row,
                   double *scores) {
    double scale = (double)node_float(n, "scale", 1), largest = -INFINITY, sum = 0;
    for (int64_t key = 0; key < a->keys; key++) {
        double product = 0;
        for (int64_t i = 0; i < a->depth; i++) {
            product += element(n, a, ATTENTION_Q, begins[ATTENTION_Q], row, i) *
                       element(n, a, ATTENTION_K, begins[ATTENTION_K], key, i);
        }
        scores[key] = scale * product +
                      element(n, a, ATTENTION_BIAS, begins[ATTENTION_BIAS], row, key) +
                      element(n, a, ATTENTION_MASK, begins[ATTENTION_MASK], row, key);
        largest = scores[key] > largest ? scores[key] : largest;
    }
    for (int64_t key = 0; key < a->keys; key++) {
        scores[key] = exp(scores[key] - largest);
        sum += scores[key];
    }
    const attention_view *y = &a->views[ATTENTION_Y];
    for (int64_t c = 0; c < a->width; c++) {
        double result = 0;
        for (int64_t key = 0; key < a->keys; key++) {
            result += scores[key] / sum * element(n, a, ATTENTION_V, begins[ATTENTION_V], key, c);
        }
        ((float *)n->outputs[0]->owned)[begins[ATTENTION_Y] + row * y->row + c * y->column] =
            (float)result;
    }
}

static kiln_status evaluate_attention(graph *g, node *n) {
    attention_geometry a;
    (void)attention_get(n, &a);
    double *scores = malloc((size_t)a.keys * sizeof *scores);
    if (scores == NULL) {
        return graph_fail(g, KILN_ERROR_MEMORY, "out of memory");
    }
    int64_t heads = 1, begins[ATTENTION_OPERANDS];
    for (size_t d = 0; d < KILN_ATTENTION_LEADS; d++) {
        heads *= a.lead[d];
    }
    for (int64_t head = 0; head < heads * samples_of(n, &a); head++) {
        for (size_t k = 0; k < ATTENTION_OPERANDS; k++) {
            begins[k] = begin_of(&a, k, head / heads, head % heads);
        }
        for (int64_t row = 0; row < a.rows; row++) {
            attend(n, &a, begins, row, scores);
        }
    }
    free(scores);
    return KILN_OK;
}

static double work_of_attention(const node *n) {
    attention_geometry a;
    return attention_get(n, &a) ? (double)tensor_elements(n->outputs[0]) / (double)a.width *
                                      (double)a.keys * (double)(a.depth + a.width)
                                : 0;
}

static kiln_status lower_attention(lowering *l, node *n) {
    attention_geometry a;
    (void)attention_get(n, &a);
    kiln_attention_params p = {.rows = (uint32_t)a.rows,
                               .depth = (uint32_t)a.depth,
                               .keys = (uint32_t)a.keys,
                               .width = (uint32_t)a.width,
                               .scale = node_float(n, "scale", 1)};
    uint32_t inputs[ATTENTION_Y], y = lower_output(l, n, 0);
    for (size_t k = 0; k < ATTENTION_OPERANDS; k++) {
        const attention_view *v = &a.views[k];
        p.views[k] = (kiln_attention_view){
            .start = (uint32_t)v->start, .row = (uint32_t)v->row, .column = (uint32_t)v->column};
        for (size_t d = 0; d < KILN_ATTENTION_LEADS; d++) {
            p.lead[d] = (uint32_t)a.lead[d];
            p.views[k].lead[d] = (uint32_t)v->lead[d];
        }
    }
    for (size_t k = 0; k < n->input_count; k++) {
        inputs[k] = lower_input(l, n, k);
    }
    return lower_step(l, n, KILN_KERNEL_ATTENTION, &p, sizeof p, n->input_count, inputs, 1, &y);
}

const op ops_attention[] = {
    {"DotProductAttention", 1, OP_INPUTS(3, 5), OP_OUTPUTS(1, 1), .layout = OP_ROW_MAJOR,
     .flags = OP_NOT_ONNX, .infer = infer_attention, .evaluate = evaluate_attention,
     .work = work_of_attention, .lower = lower_attention},
    {.name = NULL},
};
