/* Verification's inputs come from a folder in the layout of ONNX's backend tests, or are noise. */
#include "compiler/import/import.h"
#include "compiler/passes/passes.h"
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

kiln_compile_options verification_options(const verification *v, const kiln_value *inputs,
                                          size_t count) {
    kiln_compile_options options = *v->options->compile;
    options.inputs = inputs;
    options.input_count = count;
    options.sample_inputs = true;
    return options;
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
    if (compile->input_count > MAX_FILES) {
        return kiln_fail(v->error, KILN_ERROR_ARGUMENT, "more than %d inputs", MAX_FILES);
    }
    for (size_t k = 0; k < compile->input_count; k++) {
        v->given[v->given_count++] = compile->inputs[k];
    }
    return KILN_OK;
}

/* ---- Batches ------------------------------------------------------------------------------- */

/* The plan's k-th input and what was given for it, or NULL. */
static const kiln_value *given_for(const verification *v, size_t k, kiln_tensor_info *out_info) {
    (void)kiln_plan_input(v->plan, k, out_info);
    const kiln_value *value = find_value(v->given, v->given_count, out_info->name);
    bool by_place = value == NULL && k < v->given_count && v->given[k].name[0] == '\0';
    return by_place ? &v->given[k] : value;
}

kiln_status verification_data_batch(verification *v, uint32_t *out_batch) {
    *out_batch = 0;
    for (size_t k = 0; k < kiln_plan_input_count(v->plan); k++) {
        kiln_tensor_info info;
        const kiln_value *value = given_for(v, k, &info);
        if (!info.batched || value == NULL || value->data == NULL || value->rank == 0) {
            continue;
        }
        uint32_t batch = info.dims[0] > 0 ? value->dims[0] / info.dims[0] : 0;
        if (batch == 0 || batch * info.dims[0] != value->dims[0] ||
            (*out_batch != 0 && *out_batch != batch)) {
            return kiln_fail(v->error, KILN_ERROR_ARGUMENT,
                             "the data of input '%s' are for another batch", info.name);
        }
        *out_batch = batch;
    }
    *out_batch = *out_batch == 0 ? 1 : *out_batch;
    return KILN_OK;
}

/* Memory that lives as long as the comparison. */
static void *make(comparison *c, size_t bytes) {
    if (c->made_count == c->made_capacity) {
        size_t capacity = c->made_capacity == 0 ? 8 : c->made_capacity * 2;
        void **grown = realloc(c->made, capacity * sizeof *grown);
        if (grown == NULL) {
            return NULL;
        }
        c->made = grown;
        c->made_capacity = capacity;
    }
    void *data = calloc(1, bytes + 1);
    if (data != NULL) {
        c->made[c->made_count++] = data;
    }
    return data;
}

/* Data for another batch: samples that are missing are given ones with their elements in reverse,
 * which keeps to the range that the network expects. */
static kiln_status fit_batch(comparison *c, const kiln_tensor_info *info, kiln_value *value) {
    size_t size = kiln_dtype_size(value->dtype);
    size_t sample = info->bytes / kiln_dtype_size(info->dtype) * size;
    uint32_t given = value->dims[0] / info->dims[0];
    if (value_bytes(value) != sample * given || given == c->batch) {
        return KILN_OK; /* of another shape: an error of the reference's or the session's */
    }
    uint8_t *data = make(c, sample * c->batch);
    if (data == NULL) {
        return kiln_fail(c->v->error, KILN_ERROR_MEMORY, "out of memory");
    }
    for (uint32_t k = 0; k < c->batch; k++) {
        const uint8_t *from = (const uint8_t *)value->data + k % given * sample;
        for (size_t e = 0; e < sample; e += size) {
            memcpy(data + k * sample + e, from + (k < given ? e : sample - size - e), size);
        }
    }
    value->dims[0] = info->dims[0] * c->batch;
    value->data = data;
    return KILN_OK;
}

/* The shapes and data of the model's inputs at this batch: those given, and those that the plan's
 * open batch leaves to be said. */
static kiln_status set_batch(comparison *c) {
    const verification *v = c->v;
    size_t inputs = kiln_plan_input_count(v->plan);
    c->shapes = calloc(v->given_count + inputs + 1, sizeof *c->shapes);
    if (c->shapes == NULL) {
        return kiln_fail(v->error, KILN_ERROR_MEMORY, "out of memory");
    }
    if (v->given_count > 0) {
        memcpy(c->shapes, v->given, v->given_count * sizeof *c->shapes);
    }
    c->shape_count = v->given_count;
    kiln_status status = KILN_OK;
    for (size_t k = 0; k < inputs && status == KILN_OK; k++) {
        kiln_tensor_info info;
        const kiln_value *value = given_for(v, k, &info);
        kiln_value *shape =
            value != NULL ? &c->shapes[value - v->given] : &c->shapes[c->shape_count];
        if (!info.batched) {
            continue;
        }
        if (value != NULL && value->data != NULL) {
            status = fit_batch(c, &info, shape);
            continue;
        }
        c->shape_count += value == NULL;
        *shape = (kiln_value){.name = info.name, .dtype = info.dtype, .rank = info.rank};
        memcpy(shape->dims, info.dims, sizeof info.dims);
        shape->dims[0] *= c->batch;
    }
    return status;
}

/* ---- Noise --------------------------------------------------------------------------------- */

/* splitmix64 (Steele, Lea, Flood 2014). */
static uint64_t next_random(uint64_t *inout_state) {
    uint64_t z = (*inout_state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

double next_noise(uint64_t *inout_state) {
    return (double)(next_random(inout_state) >> 11) * 0x1p-52 - 1;
}

void move_floats(float *to, const float *from, size_t count, uint64_t *inout_state) {
    for (size_t k = 0; k < count; k++) {
        to[k] = (float)((double)from[k] * (1 + 0x1p-20 * next_noise(inout_state)));
    }
}

/* Makes noise: uniform in [-1, 1]; of bytes all values, as images have; other integers 0 or 1. */
static double noise_for(kiln_dtype dtype, double noise) {
    return kiln_dtype_is_float(dtype) ? noise
           : dtype == KILN_U8         ? floor(noise * 128) + 128
           : dtype == KILN_I8         ? floor(noise * 128)
                                      : (double)(noise < 0);
}

static kiln_status make_noise(comparison *c, const tensor *t, kiln_value *out_value) {
    size_t count = (size_t)tensor_elements(t);
    uint64_t state = c->v->options->seed + c->made_count * 977;
    void *data = make(c, count * kiln_dtype_size(t->dtype));
    if (data == NULL) {
        return kiln_fail(c->v->error, KILN_ERROR_MEMORY, "out of memory");
    }
    for (size_t k = 0; k < count; k++) {
        kiln_element_put_number(t->dtype, data, k, noise_for(t->dtype, next_noise(&state)));
    }
    *out_value = (kiln_value){.name = t->name, .dtype = t->dtype, .rank = t->rank, .data = data};
    for (uint32_t k = 0; k < t->rank; k++) {
        out_value->dims[k] = (uint32_t)t->dims[k];
    }
    return KILN_OK;
}

/* Converts arrays, which may hold other floats than the input's, or other integers. */
static bool is_convertible(kiln_dtype from, kiln_dtype to) {
    bool logical = from == KILN_BOOL || to == KILN_BOOL;
    return !logical && kiln_dtype_is_float(from) == kiln_dtype_is_float(to);
}

static kiln_status convert_value(comparison *c, const tensor *t, kiln_value *inout_value) {
    kiln_value from = *inout_value;
    if (!is_convertible(from.dtype, t->dtype)) {
        return kiln_fail(c->v->error, KILN_ERROR_ARGUMENT, "input '%s' is of type %s, its data %s",
                         t->name, kiln_dtype_name(t->dtype), kiln_dtype_name(from.dtype));
    }
    inout_value->dtype = t->dtype;
    void *data = make(c, value_bytes(inout_value));
    if (data == NULL) {
        return kiln_fail(c->v->error, KILN_ERROR_MEMORY, "out of memory");
    }
    size_t count = value_bytes(inout_value) / kiln_dtype_size(t->dtype);
    for (size_t k = 0; k < count; k++) {
        kiln_element_convert(from.dtype, from.data, t->dtype, data, k);
    }
    inout_value->data = data;
    return KILN_OK;
}

/* Refuses doubles that f32, in which they are computed, does not hold. */
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

static kiln_status take_value(comparison *c, const tensor *t, const kiln_value *value,
                              kiln_value *out_value) {
    *out_value = *value;
    out_value->name = t->name;
    if (value->dtype == KILN_U16 && t->dtype == KILN_BF16) { /* its bits */
        out_value->dtype = KILN_BF16;
    }
    kiln_status status = out_value->dtype == t->dtype ? KILN_OK : convert_value(c, t, out_value);
    return status == KILN_OK ? check_doubles(c->v, out_value) : status;
}

/* ---- Pairing ------------------------------------------------------------------------------- */

static kiln_status pair_input(comparison *c, size_t k) {
    const tensor *t = c->reference->inputs[k];
    const kiln_value *value = find_value(c->shapes, c->shape_count, t->name);
    if (value == NULL && k < c->shape_count && c->shapes[k].name[0] == '\0') {
        value = &c->shapes[k];
    }
    if (value == NULL || value->data == NULL) {
        return make_noise(c, t, &c->inputs[k]);
    }
    return take_value(c, t, value, &c->inputs[k]);
}

/* Inputs that were bound when compiling are constants of the reference too. */
kiln_status comparison_import(comparison *c) {
    kiln_status status = set_batch(c);
    if (status == KILN_OK) {
        kiln_compile_options options = verification_options(c->v, c->shapes, c->shape_count);
        status = import_model(c->v->onnx_path, &options, false, c->v->error, &c->reference);
    }
    if (status != KILN_OK) {
        return status;
    }
    size_t folded = 0;
    status = pass_fold_constants(c->reference, &folded);
    if (status == KILN_OK) {
        status = graph_refresh(c->reference);
    }
    if (status != KILN_OK) {
        return status;
    }
    graph_clear_marks(c->reference);
    c->inputs = calloc(c->reference->input_count + 1, sizeof *c->inputs);
    if (c->inputs == NULL) {
        return kiln_fail(c->v->error, KILN_ERROR_MEMORY, "out of memory");
    }
    for (size_t k = 0; k < c->reference->input_count && status == KILN_OK; k++) {
        status = pair_input(c, k);
        c->input_count++;
    }
    return status;
}

/* ---- Freeing ------------------------------------------------------------------------------- */

void comparison_free(comparison *c) {
    for (size_t k = 0; k < c->made_count; k++) {
        free(c->made[k]);
    }
    for (size_t k = 0; c->out != NULL && k < c->plan_outputs; k++) {
        free(c->out[k].data);
        free(c->output_spread != NULL ? c->output_spread[k] : NULL);
    }
    for (size_t k = 0; k < c->record_count; k++) {
        free(c->records[k].data);
    }
    free(c->made);
    free(c->shapes);
    free(c->inputs);
    free(c->in);
    free(c->out);
    free(c->output_spread);
    free(c->records);
    graph_free(c->reference);
}

void verification_free(verification *v) {
    for (size_t k = 0; v->loaded != NULL && k < MAX_FILES; k++) {
        kiln_value_free(v->loaded[k]);
    }
    free(v->loaded);
    free(v->given);
    kiln_plan_close(v->plan);
}
