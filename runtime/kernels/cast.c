/* CAST between any two element types, through a chunk of f32 or i64. */
#include "runtime/kernels/kernel.h"
#include <kiln/half.h>

#include <math.h>

#define CHUNK 256

typedef struct cast_task {
    const operand *x, *y;
} cast_task;

static bool is_float(kiln_dtype dtype) {
    return dtype == KILN_F32 || dtype == KILN_F16;
}

static int64_t truncate_float(float value, int64_t low, int64_t high) {
    if (isnan(value)) {
        return 0;
    }
    if (value <= (float)low) {
        return low;
    }
    return value >= (float)high ? high : (int64_t)value;
}

static void load(const operand *o, size_t at, size_t count, float *floats, int64_t *integers) {
    for (size_t k = 0; k < count; k++) {
        switch (o->dtype) {
        case KILN_F32:
            floats[k] = ((const float *)o->data)[at + k];
            break;
        case KILN_F16:
            floats[k] = kiln_f32_from_f16(((const uint16_t *)o->data)[at + k]);
            break;
        case KILN_I64:
            integers[k] = ((const int64_t *)o->data)[at + k];
            break;
        case KILN_I32:
            integers[k] = ((const int32_t *)o->data)[at + k];
            break;
        case KILN_BOOL:
            integers[k] = ((const uint8_t *)o->data)[at + k] != 0;
            break;
        }
    }
}

static void store(const operand *o, size_t at, size_t count, const float *floats,
                  const int64_t *integers, bool from_float) {
    for (size_t k = 0; k < count; k++) {
        switch (o->dtype) {
        case KILN_F32:
            ((float *)o->data)[at + k] = from_float ? floats[k] : (float)integers[k];
            break;
        case KILN_F16:
            ((uint16_t *)o->data)[at + k] =
                kiln_f16_from_f32(from_float ? floats[k] : (float)integers[k]);
            break;
        case KILN_I64:
            ((int64_t *)o->data)[at + k] =
                from_float ? truncate_float(floats[k], INT64_MIN, INT64_MAX) : integers[k];
            break;
        case KILN_I32:
            ((int32_t *)o->data)[at + k] =
                (int32_t)(from_float ? truncate_float(floats[k], INT32_MIN, INT32_MAX)
                          : integers[k] < INT32_MIN ? INT32_MIN
                          : integers[k] > INT32_MAX ? INT32_MAX
                                                    : integers[k]);
            break;
        case KILN_BOOL:
            ((uint8_t *)o->data)[at + k] = from_float ? floats[k] != 0.0f : integers[k] != 0;
            break;
        }
    }
}

static void cast_range(void *context, size_t begin, size_t end) {
    const cast_task *task = context;
    float floats[CHUNK];
    int64_t integers[CHUNK];
    for (size_t at = begin; at < end; at += CHUNK) {
        size_t count = end - at < CHUNK ? end - at : CHUNK;
        load(task->x, at, count, floats, integers);
        store(task->y, at, count, floats, integers, is_float(task->x->dtype));
    }
}

static kiln_status check(const kernel_call *call, kiln_error *error) {
    const operand *x = &call->inputs[0], *y = &call->outputs[0];
    if (!operand_same_dims(x, y)) {
        return kernel_fail(call, error, "input and output differ in shape");
    }
    return KILN_OK;
}

static kiln_status run(kernel_call *call, kiln_error *error) {
    (void)error;
    const operand *x = &call->inputs[0];
    cast_task task = {x, &call->outputs[0]};
    kernel_parallel(call, operand_rows(x, call->batch) * x->row, 8192, &task, cast_range);
    return KILN_OK;
}

const kernel kernel_cast = {
    .traits = {.name = "cast", .runs_on = "Kiln", .params_bytes = sizeof(kiln_cast_params)},
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 1,
    .max_outputs = 1,
    .check = check,
    .run = run,
};
