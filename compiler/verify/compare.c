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

/* Finds the largest differences, less what the layer's condition excuses. */
static void measure(const recorded *r, const double *spread, kiln_layer_difference *d) {
    const tensor *t = r->t;
    double largest = 0, added = 0;
    for (size_t k = 0; k < r->count; k++) {
        double a = kiln_element_number(t->dtype, r->data, k),
               b = kiln_element_number(t->dtype, t->data, k);
        largest = fabs(b) > largest && isfinite(b) ? fabs(b) : largest;
        if (both_nan_or_equal(a, b)) {
            continue;
        }
        double difference = fabs(a - b), excused = spread != NULL ? spread[k] : 0;
        double excess = difference <= excused ? 0 : difference - excused;
        d->max_absolute = !(difference <= d->max_absolute) ? difference : d->max_absolute;
        added = !(excess <= added) ? excess : added;
    }
    /* Values that are all next to nothing have no meaningful relative error. */
    d->max_relative = added == 0 ? 0 : added / fmax(largest, DEFAULT_ABSOLUTE);
}

static bool same_elements(const recorded *r) {
    return r->dtype == r->t->dtype && r->count == (size_t)tensor_elements(r->t) &&
           r->t->data != NULL;
}

/* A difference that is too large is measured again with what the layer's condition excuses. */
static kiln_status measure_layer(comparison *c, const recorded *r, kiln_layer_difference *d) {
    kiln_status status = KILN_OK;
    if (!same_elements(r)) {
        d->max_absolute = d->max_relative = INFINITY;
        return KILN_OK;
    }
    measure(r, NULL, d);
    if (!(d->max_relative <= c->v->layer_tolerance)) {
        double *spread = calloc(r->count + 1, sizeof *spread);
        status = spread != NULL ? spread_of(c, r->t, spread) : KILN_ERROR_MEMORY;
        if (status == KILN_OK) {
            measure(r, spread, d);
        }
        free(spread);
    }
    return status != KILN_ERROR_MEMORY
               ? KILN_OK
               : kiln_fail(c->v->error, status, "no memory to judge layer '%s'", r->t->name);
}

kiln_status compare_layer(comparison *c, const recorded *r) {
    verification *v = c->v;
    kiln_verify_report *report = v->report;
    kiln_layer_difference d = {.name = r->t->name, .kernel = r->kernel, .batch = c->batch};
    kiln_status status = measure_layer(c, r, &d);
    if (status != KILN_OK) {
        return status;
    }
    d.within = d.max_relative <= v->layer_tolerance;
    report->layers_compared++;
    report->worst_layer_relative = !(d.max_relative <= report->worst_layer_relative)
                                       ? d.max_relative
                                       : report->worst_layer_relative;
    if (!d.within && report->first_difference[0] == '\0') {
        snprintf(report->first_difference, sizeof report->first_difference, "%s", d.name);
        report->first_difference_batch = c->batch;
        v->first_relative = d.max_relative;
    }
    if (v->options->on_layer != NULL) {
        v->options->on_layer(v->options->context, &d);
    }
    return KILN_OK;
}

/* ---- Outputs ------------------------------------------------------------------------------- */

/* Finds the largest difference, as a multiple of what is allowed. */
static double output_excess(const comparison *c, size_t at, const kiln_tensor_info *info,
                            const kiln_value *expected) {
    const verification *v = c->v;
    /* ONNX's data have bf16 as its bits. */
    kiln_dtype dtype = info->dtype == KILN_BF16 ? KILN_BF16 : expected->dtype;
    double spacing = dtype == KILN_BF16 ? 0x1p-7 : 0; /* some round to nearest, some cut off */
    double largest = 0, worst = 0;
    size_t count = c->out[at].size / kiln_dtype_size(info->dtype);
    for (size_t k = 0; k < count; k++) {
        double b = kiln_element_number(dtype, expected->data, k);
        largest = isfinite(b) ? fmax(largest, fabs(b)) : largest;
    }
    for (size_t k = 0; k < count; k++) {
        double a = kiln_element_number(info->dtype, c->out[at].data, k);
        double b = kiln_element_number(dtype, expected->data, k);
        double allowed = (v->relative + spacing) * fabs(b) + v->absolute + v->scaled * largest +
                         (c->output_spread != NULL ? c->output_spread[at][k] : 0);
        double excess = both_nan_or_equal(a, b) ? 0 : fabs(a - b) / allowed;
        worst = !(excess <= worst) ? (isnan(excess) ? INFINITY : excess) : worst;
    }
    return worst;
}

/* A difference that is too large is measured again with what the network's condition excuses. */
static kiln_status compare_output(comparison *c, size_t at, const kiln_tensor_info *info,
                                  const kiln_value *expected) {
    verification *v = c->v;
    double worst = output_excess(c, at, info, expected);
    if (worst > 1 && c->output_spread == NULL) {
        kiln_status status = measure_output_spread(c);
        if (status != KILN_OK) {
            return status;
        }
        worst = output_excess(c, at, info, expected);
    }
    v->report->outputs_compared++;
    if (worst > v->report->worst_output_excess) {
        v->report->worst_output_excess = worst;
        snprintf(v->worst_output, sizeof v->worst_output, "%s", info->name);
    }
    return KILN_OK;
}

static bool same_shape(const comparison *c, const kiln_tensor_info *info,
                       const kiln_value *expected) {
    bool bits = info->dtype == KILN_BF16 && expected->dtype == KILN_U16;
    bool same = info->rank == expected->rank && (bits || info->dtype == expected->dtype);
    for (uint32_t k = 0; same && k < info->rank; k++) {
        uint32_t dim = info->dims[k] * (k == 0 && info->batched ? c->batch : 1);
        same = dim == expected->dims[k];
    }
    return same;
}

/* Finds the plan's output that a file is for: by name, else by position. */
static size_t output_of_value(const comparison *c, const kiln_value *value, size_t position) {
    for (size_t k = 0; k < c->plan_outputs; k++) {
        kiln_tensor_info info;
        (void)kiln_plan_output(c->v->plan, k, &info);
        if (strcmp(info.name, value->name) == 0) {
            return k;
        }
    }
    return position;
}

kiln_status compare_outputs(comparison *c) {
    verification *v = c->v;
    for (size_t k = 0; v->options->data_folder != NULL && k < c->plan_outputs; k++) {
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
        size_t at = output_of_value(c, expected, k);
        (void)kiln_plan_output(v->plan, at, &info);
        if (same_shape(c, &info, expected)) {
            status = compare_output(c, at, &info, expected);
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
