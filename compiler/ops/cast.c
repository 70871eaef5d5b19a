/* Cast. Inside, floating-point types are f32 and integers i64; import marks the casts at the
 * graph's boundary, which alone make f16 and i32. */
#include "compiler/ops/support.h"

#include <math.h>
#include <string.h>

/* ONNX TensorProto.DataType */
enum {
    TO_FLOAT = 1,
    TO_INT32 = 6,
    TO_INT64 = 7,
    TO_BOOL = 9,
    TO_HALF = 10,
    TO_DOUBLE = 11,
    TO_BFLOAT16 = 16
};

static kiln_status infer_cast(graph *g, node *n) {
    int64_t to = node_int(n, "to", 0);
    bool boundary = node_int(n, "boundary", 0) != 0;
    kiln_dtype dtype;
    switch (to) {
    case TO_FLOAT:
    case TO_DOUBLE:
    case TO_BFLOAT16:
        dtype = KILN_F32;
        break;
    case TO_HALF:
        dtype = boundary ? KILN_F16 : KILN_F32;
        break;
    case TO_INT32:
        dtype = boundary ? KILN_I32 : KILN_I64;
        break;
    case TO_INT64:
        dtype = KILN_I64;
        break;
    case TO_BOOL:
        dtype = KILN_BOOL;
        break;
    default:
        return node_fail(g, n, KILN_ERROR_UNSUPPORTED,
                         "a cast to ONNX type %lld; supported: float, float16, bfloat16, double, "
                         "int32, int64, bool",
                         (long long)to);
    }
    kiln_status status = infer_same(g, n);
    n->outputs[0]->dtype = dtype;
    return status;
}

int64_t integer_of_float(float value) {
    if (isnan(value)) {
        return 0;
    }
    return value >= 9.2233720e18f    ? INT64_MAX
           : value <= -9.2233720e18f ? INT64_MIN
                                     : (int64_t)value;
}

static kiln_status evaluate_cast(graph *g, node *n) {
    (void)g;
    tensor *x = n->inputs[0], *y = n->outputs[0];
    int64_t count = tensor_elements(x);
    const uint8_t *bytes = tensor_bytes(x);
    const float *floats = (const void *)bytes;
    const int64_t *integers = (const void *)bytes;
    for (int64_t k = 0; k < count; k++) {
        float f = x->dtype == KILN_F32   ? floats[k]
                  : x->dtype == KILN_I64 ? (float)integers[k]
                                         : (float)(bytes[k] != 0);
        int64_t i = x->dtype == KILN_F32   ? integer_of_float(f)
                    : x->dtype == KILN_I64 ? integers[k]
                                           : bytes[k] != 0;
        if (y->dtype == KILN_F32) {
            ((float *)y->owned)[k] = f;
        } else if (y->dtype == KILN_I64) {
            ((int64_t *)y->owned)[k] = i;
        } else {
            ((uint8_t *)y->owned)[k] = x->dtype == KILN_F32 ? f != 0.0f : i != 0;
        }
    }
    return KILN_OK;
}

static kiln_status lower_cast(lowering *l, node *n) {
    if (n->inputs[0]->dtype == n->outputs[0]->dtype) {
        return lower_alias(l, n, n->outputs[0], n->inputs[0]);
    }
    kiln_cast_params params = {0};
    uint32_t x = lower_input(l, n, 0), y = lower_output(l, n, 0);
    return lower_step(l, n, KILN_KERNEL_CAST, &params, sizeof params, 1, &x, 1, &y);
}

const op ops_cast[] = {
    {.name = "Cast",
     .min_opset = 6,
     .min_inputs = 1,
     .max_inputs = 1,
     .min_outputs = 1,
     .max_outputs = 1,
     .layout = OP_ANY,
     .flags = OP_ELEMENTWISE,
     .infer = infer_cast,
     .evaluate = evaluate_cast,
     .lower = lower_cast},
    {.name = NULL},
};
