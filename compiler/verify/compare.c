/* Comparing tensors: layers with the reference, outputs with what was expected. */
#include "compiler/verify/verify.h"
#include <kiln/element.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A few times the spacing of f32 values just below 1: results of a sigmoid differ by as much
 * between libraries that compute it as 1/2 + tanh/2 and others. */
#define DEFAULT_ABSOLUTE 2.5e-7

void set_tolerances(verification *v) {
    const kiln_verify_options *o = v->options;
    bool none = o->relative == 0 && o->absolute == 0 && o->scaled == 0;
    v->layer_tolerance = o->layer_tolerance > 0 ? o->layer_tolerance : 1e-4;
    v->relative = none ? 1e-3 : o->relative;
    v->absolute = none ? DEFAULT_ABSOLUTE : o->absolute;
    v->scaled = none ? 1e-4 : o->scaled;
}

static bool both_nan_or_equal(double a, double b) {
    return a == b || (isnan(a) && isnan(b));
}

void compare_layer(verification *v, const char *name, const char *kernel, kiln_dtype dtype,
                   const void *ours, const void *reference, size_t count) {
    kiln_layer_difference d = {.name = name, .kernel = kernel};
    double largest = 0;
    for (size_t k = 0; k < count; k++) {
        double a = kiln_element_number(dtype, ours, k),
               b = kiln_element_number(dtype, reference, k);
        largest = isfinite(b) ? fmax(largest, fabs(b)) : largest;
        double difference = both_nan_or_equal(a, b) ? 0 : fabs(a - b);
        d.max_absolute = !(difference <= d.max_absolute) ? difference : d.max_absolute;
    }
    /* Values that are all next to nothing have no meaningful relative error. */
    d.max_relative = d.max_absolute == 0 ? 0 : d.max_absolute / fmax(largest, DEFAULT_ABSOLUTE);
    d.within = d.max_relative <= v->layer_tolerance;
    v->report->layers_compared++;
    v->report->worst_layer_relative = !(d.max_relative <= v->report->worst_layer_relative)
                                          ? d.max_relative
                                          : v->report->worst_layer_relative;
    if (!d.within && v->report->first_difference[0] == '\0' && !v->options->outputs_only) {
        snprintf(v->report->first_difference, sizeof v->report->first_difference, "%s", name);
        v->first_relative = d.max_relative;
    }
    if (v->options->on_layer != NULL) {
        v->options->on_layer(v->options->context, &d);
    }
}

/* ---- Outputs ------------------------------------------------------------------------------- */

static void compare_output(verification *v, const kiln_tensor_info *info, const void *ours,
                           const kiln_value *expected, size_t count) {
    /* ONNX's data have bf16 as its bits. */
    kiln_dtype dtype = info->dtype == KILN_BF16 ? KILN_BF16 : expected->dtype;
    double spacing = dtype == KILN_BF16 ? 0x1p-7 : 0; /* some round to nearest, some cut off */
    double largest = 0, worst = 0;
    for (size_t k = 0; k < count; k++) {
        double b = kiln_element_number(dtype, expected->data, k);
        largest = isfinite(b) ? fmax(largest, fabs(b)) : largest;
    }
    for (size_t k = 0; k < count; k++) {
        double a = kiln_element_number(info->dtype, ours, k);
        double b = kiln_element_number(dtype, expected->data, k);
        double allowed = (v->relative + spacing) * fabs(b) + v->absolute + v->scaled * largest;
        double excess = both_nan_or_equal(a, b) ? 0 : fabs(a - b) / allowed;
        worst = !(excess <= worst) ? (isnan(excess) ? INFINITY : excess) : worst;
    }
    v->report->outputs_compared++;
    if (worst > v->report->worst_output_excess) {
        v->report->worst_output_excess = worst;
        snprintf(v->worst_output, sizeof v->worst_output, "%s", info->name);
    }
}

static bool same_shape(const verification *v, const kiln_tensor_info *info,
                       const kiln_value *expected) {
    bool bits = info->dtype == KILN_BF16 && expected->dtype == KILN_U16;
    bool same = info->rank == expected->rank && (bits || info->dtype == expected->dtype);
    for (uint32_t k = 0; same && k < info->rank; k++) {
        uint32_t dim = info->dims[k] * (k == 0 && info->batched ? v->batch : 1);
        same = dim == expected->dims[k];
    }
    return same;
}

/* The plan's output that a file is for: by name, else by position. */
static size_t output_of_value(const verification *v, const kiln_value *value, size_t position) {
    for (size_t k = 0; k < v->plan_outputs; k++) {
        kiln_tensor_info info;
        (void)kiln_plan_output(v->plan, k, &info);
        if (strcmp(info.name, value->name) == 0) {
            return k;
        }
    }
    return position;
}

kiln_status compare_outputs(verification *v) {
    for (size_t k = 0; v->options->data_folder != NULL && k < v->plan_outputs; k++) {
        char path[4096];
        kiln_value *expected = NULL;
        kiln_tensor_info info;
        snprintf(path, sizeof path, "%s/output_%zu.pb", v->options->data_folder, k);
        if (access(path, F_OK) != 0) {
            break;
        }
        kiln_status status = kiln_value_load(path, &expected, v->error);
        if (status != KILN_OK) {
            return status;
        }
        size_t at = output_of_value(v, expected, k);
        (void)kiln_plan_output(v->plan, at, &info);
        if (same_shape(v, &info, expected)) {
            compare_output(v, &info, v->out[at].data, expected,
                           v->out[at].size / kiln_dtype_size(info.dtype));
        } else {
            status = kiln_fail(v->error, KILN_ERROR_MISMATCH,
                               "output '%s' has another shape or type than %s", info.name, path);
        }
        kiln_value_free(expected);
        if (status != KILN_OK) {
            return status;
        }
    }
    return KILN_OK;
}
