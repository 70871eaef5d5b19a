/* Cast. Inside, floats and 8-bit integers are f32, other integers i64 (element_type.h); import
 * marks the casts at the graph's boundary, which alone make or take other types. */
#include "compiler/graph/element_type.h"
#include "compiler/ops/support.h"
#include <kiln/element.h>

static kiln_status target_of(const graph *g, const node *n, kiln_dtype *out_dtype) {
    int64_t to = node_int(n, "to", 0);
    return dtype_of_onnx_type(to, out_dtype)
               ? KILN_OK
               : node_fail(g, n, KILN_ERROR_UNSUPPORTED,
                           "a cast to ONNX type %lld (%s); supported: bool, integers of 8 to 64 "
                           "bits, floats of 16 to 64",
                           (long long)to, onnx_type_name(to));
}

static kiln_status infer_cast(graph *g, node *n) {
    kiln_dtype dtype;
    kiln_status status = target_of(g, n, &dtype);
    if (status == KILN_OK) {
        status = infer_same(g, n);
        n->outputs[0]->dtype = node_int(n, "boundary", 0) != 0 ? dtype : inner_dtype(dtype);
    }
    return status;
}

int64_t integer_of_float(float value) {
    return kiln_truncate((double)value, INT64_MIN, INT64_MAX);
}

/* A narrow integer is passed through on the way to what holds it: that wraps. */
static kiln_status evaluate_cast(graph *g, node *n) {
    tensor *x = n->inputs[0], *y = n->outputs[0];
    const void *data = tensor_bytes(x);
    kiln_dtype target;
    kiln_status status = target_of(g, n, &target);
    kiln_dtype through = is_narrow_integer(target) ? target : y->dtype;
    for (size_t k = 0; status == KILN_OK && k < (size_t)tensor_elements(x); k++) {
        uint64_t passed;
        const uint8_t *from = (const uint8_t *)data + k * kiln_dtype_size(x->dtype);
        uint8_t *to = (uint8_t *)y->owned + k * kiln_dtype_size(y->dtype);
        kiln_element_convert(x->dtype, from, through, &passed, 0);
        kiln_element_convert(through, &passed, y->dtype, to, 0);
    }
    return status;
}

static kiln_status lower_cast(lowering *l, node *n) {
    kiln_dtype target;
    kiln_cast_params params = {0};
    tensor *x = n->inputs[0], *y = n->outputs[0];
    kiln_status status = target_of(lower_graph(l), n, &target);
    if (status != KILN_OK) {
        return status;
    }
    bool wraps = is_narrow_integer(target) && x->dtype != target && y->dtype != target;
    if (x->dtype == y->dtype && !wraps) {
        return lower_alias(l, n, y, x);
    }
    uint32_t from = lower_input(l, n, 0), to = lower_output(l, n, 0);
    if (wraps) {
        uint32_t narrow = lower_temporary(l, target, y->rank, y->dims, y->layout);
        status = lower_step(l, n, KILN_KERNEL_CAST, &params, sizeof params, 1, &from, 1, &narrow);
        from = narrow;
    }
    return status == KILN_OK
               ? lower_step(l, n, KILN_KERNEL_CAST, &params, sizeof params, 1, &from, 1, &to)
               : status;
}

const op ops_cast[] = {
    {"Cast", 6, OP_INPUTS(1, 1), OP_OUTPUTS(1, 1), .layout = OP_ANY, .flags = OP_ELEMENTWISE,
     .infer = infer_cast, .evaluate = evaluate_cast, .lower = lower_cast},
    {.name = NULL},
};
