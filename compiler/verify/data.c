/* Where verification's inputs come from: a folder in the layout of ONNX's backend tests, or noise.
 */
#include "compiler/import/import.h"
#include "compiler/verify/verify.h"
#include <kiln/element.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_FILES 256

size_t value_bytes(const kiln_value *value) {
    size_t bytes = kiln_dtype_size(value->dtype);
    for (uint32_t k = 0; k < value->rank; k++) {
        bytes *= value->dims[k];
    }
    return bytes;
}

const kiln_value *find_value(const kiln_value *values, size_t count, const char *name) {
    for (size_t k = 0; k < count; k++) {
        if (strcmp(values[k].name, name) == 0) {
            return &values[k];
        }
    }
    return NULL;
}

bool verification_wants(const verification *v, const char *name) {
    kiln_tensor_info info;
    return kiln_plan_tensor(v->plan, name, &info, NULL) == KILN_OK;
}

static kiln_status load_folder(verification *v) {
    for (size_t k = 0; k < MAX_FILES; k++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/input_%zu.pb", v->options->data_folder, k);
        if (access(path, F_OK) != 0) {
            break;
        }
        kiln_status status = kiln_value_load(path, &v->loaded[k], v->error);
        if (status != KILN_OK) {
            return status;
        }
        v->given[v->given_count++] = *v->loaded[k];
    }
    char path[4096];
    snprintf(path, sizeof path, "%s/output_0.pb", v->options->data_folder);
    return v->given_count > 0 || access(path, F_OK) == 0
               ? KILN_OK
               : kiln_fail(v->error, KILN_ERROR_IO, "%s: no input_0.pb and no output_0.pb",
                           v->options->data_folder);
}

kiln_status verification_load_data(verification *v) {
    const kiln_compile_options *compile = v->options->compile;
    v->loaded = calloc(MAX_FILES, sizeof *v->loaded);
    v->given = calloc(MAX_FILES, sizeof *v->given);
    if (v->loaded == NULL || v->given == NULL) {
        return kiln_fail(v->error, KILN_ERROR_MEMORY, "out of memory");
    }
    if (v->options->data_folder != NULL) {
        return load_folder(v);
    }
    size_t count = compile != NULL ? compile->input_count : 0;
    if (count > MAX_FILES) {
        return kiln_fail(v->error, KILN_ERROR_ARGUMENT, "more than %d inputs", MAX_FILES);
    }
    for (size_t k = 0; k < count; k++) {
        v->given[v->given_count++] = compile->inputs[k];
    }
    return KILN_OK;
}

/* ---- Noise --------------------------------------------------------------------------------- */

/* splitmix64 (Steele, Lea, Flood 2014). */
static uint64_t next_random(uint64_t *inout_state) {
    uint64_t z = (*inout_state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* Uniform in [-1, 1]; of bytes all values, as pictures have; other integers 0 or 1. */
static double noise_for(kiln_dtype dtype, double uniform) {
    return kiln_dtype_is_float(dtype) ? uniform * 2 - 1
           : dtype == KILN_U8         ? floor(uniform * 256)
           : dtype == KILN_I8         ? floor(uniform * 256) - 128
                                      : (double)(uniform < 0.5);
}

static kiln_status make_noise(verification *v, const tensor *t, kiln_value *out_value) {
    size_t count = (size_t)tensor_elements(t);
    void *data = calloc(count + 1, kiln_dtype_size(t->dtype));
    uint64_t state = v->options->seed + v->made_count * 977;
    if (data == NULL) {
        return kiln_fail(v->error, KILN_ERROR_MEMORY, "out of memory");
    }
    v->made[v->made_count++] = data;
    for (size_t k = 0; k < count; k++) {
        double uniform = (double)(next_random(&state) >> 11) * 0x1p-53;
        kiln_element_put_number(t->dtype, data, k, noise_for(t->dtype, uniform));
    }
    *out_value = (kiln_value){.name = t->name, .dtype = t->dtype, .rank = t->rank, .data = data};
    for (uint32_t k = 0; k < t->rank; k++) {
        out_value->dims[k] = (uint32_t)t->dims[k];
    }
    return KILN_OK;
}

/* Arrays may hold other floats than the input's, or other integers. */
static bool is_convertible(kiln_dtype from, kiln_dtype to) {
    bool logical = from == KILN_BOOL || to == KILN_BOOL;
    return !logical && kiln_dtype_is_float(from) == kiln_dtype_is_float(to);
}

static kiln_status convert_value(verification *v, const tensor *t, kiln_value *inout_value) {
    kiln_value from = *inout_value;
    if (!is_convertible(from.dtype, t->dtype)) {
        return kiln_fail(v->error, KILN_ERROR_ARGUMENT, "input '%s' is of type %s, its data %s",
                         t->name, kiln_dtype_name(t->dtype), kiln_dtype_name(from.dtype));
    }
    inout_value->dtype = t->dtype;
    size_t count = value_bytes(inout_value) / kiln_dtype_size(t->dtype);
    void *data = calloc(count + 1, kiln_dtype_size(t->dtype));
    if (data == NULL) {
        return kiln_fail(v->error, KILN_ERROR_MEMORY, "out of memory");
    }
    v->made[v->made_count++] = data;
    for (size_t k = 0; k < count; k++) {
        kiln_element_convert(from.dtype, from.data, t->dtype, data, k);
    }
    inout_value->data = data;
    return KILN_OK;
}

/* Doubles are computed in f32, which has to hold them. */
static kiln_status check_doubles(verification *v, const kiln_value *value) {
    for (size_t k = 0; value->dtype == KILN_F64 && k < value_bytes(value) / sizeof(double); k++) {
        double number = ((const double *)value->data)[k];
        if (isfinite(number) && !isfinite((float)number)) {
            return kiln_fail(v->error, KILN_ERROR_UNSUPPORTED,
                             "input '%s' holds %g; doubles are computed in f32", value->name,
                             number);
        }
    }
    return KILN_OK;
}

static kiln_status take_value(verification *v, const tensor *t, const kiln_value *value,
                              kiln_value *out_value) {
    *out_value = *value;
    out_value->name = t->name;
    if (value->dtype == KILN_U16 && t->dtype == KILN_BF16) { /* its bits */
        out_value->dtype = KILN_BF16;
    }
    kiln_status status = out_value->dtype == t->dtype ? KILN_OK : convert_value(v, t, out_value);
    return status == KILN_OK ? check_doubles(v, out_value) : status;
}

/* ---- Pairing ------------------------------------------------------------------------------- */

/* The batch asked for stands in front of batched inputs without data. */
static void set_batch(verification *v) {
    for (size_t k = 0; k < kiln_plan_input_count(v->plan); k++) {
        kiln_tensor_info info;
        (void)kiln_plan_input(v->plan, k, &info);
        if (!info.batched || v->options->data_folder != NULL || v->given_count >= MAX_FILES) {
            continue;
        }
        kiln_value *value =
            (kiln_value *)(uintptr_t)find_value(v->given, v->given_count, info.name);
        if (value == NULL) {
            value = &v->given[v->given_count++];
        }
        if (value->data != NULL) {
            continue;
        }
        *value = (kiln_value){.name = info.name, .dtype = info.dtype, .rank = info.rank};
        memcpy(value->dims, info.dims, sizeof info.dims);
        value->dims[0] *= v->options->batch == 0 ? 1 : v->options->batch;
    }
}

/* Inputs that were bound when compiling are constants of the reference too. */
kiln_status verification_name_inputs(verification *v, const char *onnx_path) {
    graph *g = NULL;
    set_batch(v);
    kiln_status status = import_model(onnx_path, v->given, v->given_count, false, v->error, &g);
    if (status != KILN_OK) {
        return status;
    }
    v->reference = g;
    v->inputs = calloc(g->input_count + 1, sizeof *v->inputs);
    v->made = calloc(g->input_count + 1, sizeof *v->made);
    if (v->inputs == NULL || v->made == NULL) {
        return kiln_fail(v->error, KILN_ERROR_MEMORY, "out of memory");
    }
    for (size_t k = 0; k < g->input_count && status == KILN_OK; k++) {
        const tensor *t = g->inputs[k];
        const kiln_value *value = find_value(v->given, v->given_count, t->name);
        if (value == NULL && k < v->given_count && v->given[k].name[0] == '\0') {
            value = &v->given[k];
        }
        if (value == NULL || value->data == NULL) {
            status = make_noise(v, t, &v->inputs[k]);
        } else {
            status = take_value(v, t, value, &v->inputs[k]);
        }
        v->input_count++;
    }
    return status;
}

void verification_free(verification *v) {
    for (size_t k = 0; v->loaded != NULL && k < MAX_FILES; k++) {
        kiln_value_free(v->loaded[k]);
    }
    for (size_t k = 0; k < v->made_count; k++) {
        free(v->made[k]);
    }
    for (size_t k = 0; v->out != NULL && k < v->plan_outputs; k++) {
        free(v->out[k].data);
    }
    free(v->loaded);
    free(v->given);
    free(v->inputs);
    free(v->made);
    free(v->in);
    free(v->out);
    kiln_plan_close(v->plan);
    graph_free(v->reference);
}
