/* Squeeze-and-excitation as ONNX nodes. */
#include "compiler/export/exporting.h"

enum { SQUEEZED, WEIGHT, BIAS, HIDDEN_WEIGHT, HIDDEN_BIAS, X, ADDEND };

static uint32_t operand(const exporting *x, uint32_t k) {
    return k < x->step->input_count ? step_operand(x, k) : KILN_PLAN_NONE;
}

/* A value with `count` elements a sample as [N,count,1,...]. */
static const char *as_gates(exporting *x, const char *value, const kiln_plan_tensor_record *map,
                            uint32_t rank, int64_t count) {
    int64_t dims[KILN_MAX_RANK] = {map->dims[0], count, 1, 1, 1, 1, 1, 1};
    return reshaped(x, value, rank, dims, map->batched);
}

const char *gates_value(exporting *x, uint32_t tensor, const kiln_plan_tensor_record *map) {
    const char *value = value_of(x, tensor);
    return value != NULL ? as_gates(x, value, map, map->rank, map->dims[1]) : NULL;
}

/* f(x weight^T + bias) of rows. */
static const char *product(exporting *x, const char *rows, uint32_t weight,
                           const kiln_unary_params *f) {
    bool bias = operand(x, weight + 1) != KILN_PLAN_NONE;
    const char *inputs[3] = {rows, value_of(x, operand(x, weight)),
                             bias ? value_of(x, operand(x, weight + 1)) : NULL};
    Onnx__NodeProto *node;
    if (inputs[1] == NULL || (bias && inputs[2] == NULL)) {
        return NULL;
    }
    const char *y = model_node(&x->model, "Gemm", NULL, bias ? 3 : 2, inputs, &node);
    model_int(&x->model, node, "transB", 1);
    return f->op == KILN_UNARY_CLAMP ? clamped_value(x, y, NULL, f->alpha, f->beta)
                                     : function_value(x, y, f);
}

/* The gates, as rows of a sample each. */
static const char *gates(exporting *x, const char *rows, const kiln_squeeze_excite_params *p) {
    if (operand(x, WEIGHT) == KILN_PLAN_NONE) {
        return p->gate.op == KILN_UNARY_CLAMP
                   ? clamped_value(x, rows, NULL, p->gate.alpha, p->gate.beta)
                   : function_value(x, rows, &p->gate);
    }
    if (operand(x, HIDDEN_WEIGHT) != KILN_PLAN_NONE) {
        rows = product(x, rows, HIDDEN_WEIGHT, &p->hidden);
    }
    return rows != NULL ? product(x, rows, WEIGHT, &p->gate) : NULL;
}

kiln_status export_squeeze_excite(exporting *x) {
    PARAMS(kiln_squeeze_excite_params);
    uint32_t map = operand(x, X), add = operand(x, ADDEND);
    const kiln_plan_tensor_record *t = step_tensor(x, SQUEEZED), *y = &x->v.tensors[step_result(x)];
    const char *value = value_of(x, operand(x, SQUEEZED));
    if (value == NULL) {
        return KILN_ERROR_UNSUPPORTED;
    }
    if (t->layout == KILN_CHANNELS_LAST) {
        value = model_node(&x->model, "GlobalAveragePool", NULL, 1, &value, NULL);
    }
    int64_t channels =
        t->layout == KILN_CHANNELS_LAST ? t->dims[1] : (int64_t)(elements_of(t) / t->dims[0]);
    value = gates(x, as_gates(x, value, t, 2, channels), &p);
    int64_t dims[KILN_MAX_RANK];
    for (uint32_t k = 0; k < y->rank; k++) {
        dims[k] = y->dims[k];
    }
    if (value == NULL || map == KILN_PLAN_NONE) {
        return value != NULL ? finish(x, reshaped(x, value, y->rank, dims, y->batched))
                             : KILN_ERROR_UNSUPPORTED;
    }
    const char *factors[2] = {value_of(x, map), as_gates(x, value, y, y->rank, y->dims[1])};
    const char *terms[2] = {NULL, NULL};
    if (factors[0] == NULL || (add != KILN_PLAN_NONE && (terms[1] = value_of(x, add)) == NULL)) {
        return KILN_ERROR_UNSUPPORTED;
    }
    terms[0] = model_node(&x->model, "Mul", NULL, 2, factors, NULL);
    return finish_clamped(
        x, terms[1] != NULL ? model_node(&x->model, "Add", NULL, 2, terms, NULL) : terms[0], p.min,
        p.max);
}
