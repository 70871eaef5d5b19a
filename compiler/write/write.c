/* The plan file: weights are streamed first, behind the room that the records need, then the
 * records and the header go in front of them. */
#include "compiler/write/writing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define F16_MINIMUM_ELEMENTS 1024 /* smaller weights are kept as they are */

typedef struct plan_writing {
    program *p;
    const kiln_compile_options *options;
    file_writer *out;
    kiln_error *error;
    uint32_t *tensor_index; /* plan's index of a program tensor, or NONE: not in use */
    uint8_t *stored_dtype;  /* by program tensor */
    plan_builder builder;
    string_table strings;
    weight_writer weights;
} plan_writing;

/* ---- What is in use ------------------------------------------------------------------------ */

static bool narrows_weights(kiln_kernel kernel) {
    return kernel == KILN_KERNEL_CONV_2D || kernel == KILN_KERNEL_DECONV_2D ||
           kernel == KILN_KERNEL_FULLY_CONNECTED || kernel == KILN_KERNEL_CONV_ND;
}

static kiln_status number_tensors(plan_writing *w) {
    program *p = w->p;
    w->tensor_index = malloc((p->tensor_count + 1) * sizeof *w->tensor_index);
    w->stored_dtype = malloc(p->tensor_count + 1);
    if (w->tensor_index == NULL || w->stored_dtype == NULL) {
        return kiln_fail(w->error, KILN_ERROR_MEMORY, "out of memory");
    }
    for (size_t t = 0; t < p->tensor_count; t++) {
        w->tensor_index[t] = KILN_PLAN_NONE;
        w->stored_dtype[t] = (uint8_t)p->tensors[t].dtype;
    }
    for (size_t k = 0; k < p->input_count; k++) {
        w->tensor_index[p->inputs[k]] = 0;
    }
    for (size_t k = 0; k < p->output_count; k++) {
        w->tensor_index[p->outputs[k]] = 0;
    }
    for (size_t s = 0; s < p->step_count; s++) {
        const program_step *step = &p->steps[s];
        for (uint32_t k = 0; k < step->input_count + step->output_count; k++) {
            if (step->operands[k] != KILN_PLAN_NONE) {
                w->tensor_index[step->operands[k]] = 0;
            }
        }
        if (w->options->weights == KILN_F16 && narrows_weights(step->kernel) &&
            program_elements(&p->tensors[step->operands[1]]) >= F16_MINIMUM_ELEMENTS) {
            w->stored_dtype[step->operands[1]] = KILN_F16;
        }
    }
    uint32_t next = 0;
    for (size_t t = 0; t < p->tensor_count; t++) {
        if (w->tensor_index[t] == 0) {
            w->tensor_index[t] = next++;
        }
    }
    return KILN_OK;
}

/* ---- Sections ------------------------------------------------------------------------------ */

static void add_tensors(plan_writing *w) {
    for (size_t t = 0; t < w->p->tensor_count; t++) {
        const program_tensor *tensor = &w->p->tensors[t];
        if (w->tensor_index[t] == KILN_PLAN_NONE) {
            continue;
        }
        bool constant = tensor->place == KILN_PLACE_CONSTANT;
        kiln_plan_tensor_record record = program_record(tensor);
        record.name = string_table_add(&w->strings, tensor->name);
        record.stored_dtype = w->stored_dtype[t];
        record.stored_axis = tensor->stored_axis;
        record.storage = tensor->place == KILN_PLACE_ARENA ? tensor->storage : KILN_PLAN_NONE;
        record.offset = constant ? tensor->weights_offset : tensor->slice_offset;
        record.checksum = constant ? tensor->checksum : 0;
        builder_append(&w->builder, KILN_SECTION_TENSORS, &record, sizeof record);
    }
}

static kiln_status add_steps(plan_writing *w) {
    for (size_t s = 0; s < w->p->step_count; s++) {
        const program_step *step = &w->p->steps[s];
        if (step->input_count > UINT8_MAX || step->output_count > UINT8_MAX) {
            return kiln_fail(w->error, KILN_ERROR_UNSUPPORTED, "layer '%s': %u operands",
                             step->name, step->input_count + step->output_count);
        }
        kiln_plan_step record = {.kernel = (uint16_t)step->kernel,
                                 .input_count = (uint8_t)step->input_count,
                                 .output_count = (uint8_t)step->output_count,
                                 .flags = step->flags,
                                 .name = string_table_add(&w->strings, step->name)};
        record.origin = string_table_add(&w->strings, step->origin);
        uint32_t operands[2 * UINT8_MAX];
        for (uint32_t k = 0; k < step->input_count + step->output_count; k++) {
            uint32_t id = step->operands[k];
            operands[k] = id == KILN_PLAN_NONE ? KILN_PLAN_NONE : w->tensor_index[id];
        }
        builder_step(&w->builder, &record, step->params, step->params_bytes, operands);
    }
    return KILN_OK;
}

static void add_storages(plan_writing *w) {
    for (size_t k = 0; k < w->p->storage_count; k++) {
        const program_storage *s = &w->p->storages[k];
        kiln_plan_storage record = {s->offset, s->bytes, s->first_step, s->last_step};
        builder_append(&w->builder, KILN_SECTION_STORAGES, &record, sizeof record);
    }
}

static void add_bands(plan_writing *w) {
    builder_append(&w->builder, KILN_SECTION_BANDS, w->p->bands,
                   w->p->band_count * sizeof *w->p->bands);
}

static void add_pair(plan_writing *w, const char *key, const char *value) {
    if (value != NULL && value[0] != '\0') {
        kiln_plan_pair pair = {.key = string_table_add(&w->strings, key)};
        pair.value = string_table_add(&w->strings, value);
        builder_append(&w->builder, KILN_SECTION_METADATA, &pair, sizeof pair);
    }
}

/* What was asked for, for those who change algorithms later: kiln_tune. */
static const char *const convolutions[KILN_CONVOLUTION_COUNT] = {
    [KILN_CONVOLUTION_AUTO] = "auto",
    [KILN_CONVOLUTION_EXACT] = "exact",
    [KILN_CONVOLUTION_WINOGRAD_2] = "winograd2",
    [KILN_CONVOLUTION_WINOGRAD_4] = "winograd4",
    [KILN_CONVOLUTION_WINOGRAD_6] = "winograd6",
    [KILN_CONVOLUTION_DIRECT] = "direct"};

static void add_descriptions(plan_writing *w) {
    const graph *g = w->p->source;
    const char *slash = strrchr(g->file, '/');
    char opset[24];
    snprintf(opset, sizeof opset, "%lld", (long long)g->opset);
    add_pair(w, "compiler", "kiln " KILN_VERSION);
    add_pair(w, "source", slash != NULL ? slash + 1 : g->file);
    add_pair(w, "producer", g->producer);
    add_pair(w, "opset", opset);
    if ((size_t)w->options->convolution < KILN_CONVOLUTION_COUNT) {
        add_pair(w, "convolution", convolutions[w->options->convolution]);
    }
    for (size_t k = 0; k < w->options->label_count; k++) {
        uint32_t label = string_table_add(&w->strings, w->options->labels[k]);
        builder_append(&w->builder, KILN_SECTION_LABELS, &label, sizeof label);
    }
    builder_preprocess(&w->builder, &w->options->preprocess);
    for (size_t k = 0; k < w->p->input_count; k++) {
        uint32_t index = w->tensor_index[w->p->inputs[k]];
        builder_append(&w->builder, KILN_SECTION_INPUTS, &index, sizeof index);
    }
    for (size_t k = 0; k < w->p->output_count; k++) {
        uint32_t index = w->tensor_index[w->p->outputs[k]];
        builder_append(&w->builder, KILN_SECTION_OUTPUTS, &index, sizeof index);
    }
}

/* Everything but the tensors' weight offsets and checksums is known before the weights are written,
 * and those do not change a section's size. */
static kiln_status fill_sections(plan_writing *w) {
    for (int k = 0; k < KILN_SECTION_COUNT; k++) {
        bool strings = k == KILN_SECTION_STRINGS; /* they are found again */
        w->builder.sections[k].size = strings ? w->builder.sections[k].size : 0;
    }
    (void)string_table_add(&w->strings, "");
    add_tensors(w);
    add_storages(w);
    add_bands(w);
    add_descriptions(w);
    kiln_status status = add_steps(w);
    return status == KILN_OK && builder_failed(&w->builder)
               ? kiln_fail(w->error, KILN_ERROR_MEMORY, "out of memory")
               : status;
}

/* ---- Writing ------------------------------------------------------------------------------- */

/* As integers where that is what they were, whatever else was asked for. */
static kiln_status write_constant(plan_writing *w, size_t t) {
    program_tensor *tensor = &w->p->tensors[t];
    stored_integers integers;
    bool small = integers_of_constant(tensor, &integers);
    if (small) {
        w->stored_dtype[t] = (uint8_t)integers.dtype;
        tensor->stored_axis = integers.axis;
    }
    kiln_status status = weight_writer_add(&w->weights, tensor, (kiln_dtype)w->stored_dtype[t],
                                           small ? &integers : NULL);
    free(integers.bytes);
    return status;
}

static kiln_status write_weights(plan_writing *w) {
    w->weights.start = w->builder.header.sections[KILN_SECTION_WEIGHTS].offset;
    for (size_t t = 0; t < w->p->tensor_count; t++) {
        program_tensor *tensor = &w->p->tensors[t];
        if (w->tensor_index[t] != KILN_PLAN_NONE && tensor->place == KILN_PLACE_CONSTANT) {
            kiln_status status = write_constant(w, t);
            if (status != KILN_OK) {
                return status;
            }
        }
    }
    kiln_status status = weight_writer_finish(&w->weights);
    /* A constant that is stored already was written behind the others to be compared. */
    uint64_t end = w->weights.start + builder_weight_bytes(&w->builder);
    return status == KILN_OK ? file_cut(w->out, end, w->error) : status;
}

/* A sink: the bytes in front of the weights. */
typedef struct front {
    file_writer *out;
    uint64_t position;
} front;

static kiln_status write_front(void *context, const void *data, size_t size, kiln_error *error) {
    front *f = context;
    kiln_status status = file_write_at(f->out, data, size, f->position, error);
    f->position += size;
    return status;
}

static kiln_status write_file(plan_writing *w, kiln_compile_report *inout_report) {
    front records = {w->out, 0};
    kiln_plan_header *header = &w->builder.header;
    header->arena_bytes = w->p->arena_bytes;
    header->lower_bound_bytes = w->p->lower_bound_bytes;
    header->no_reuse_bytes = w->p->no_reuse_bytes;
    header->batchable = w->p->batchable;
    builder_lay_out(&w->builder);
    kiln_status status = write_weights(w);
    if (status == KILN_OK) {
        status = fill_sections(w);
    }
    if (status == KILN_OK) {
        status = builder_write(&w->builder, builder_weight_bytes(&w->builder), write_front,
                               &records, w->error);
    }
    return status == KILN_OK ? check_written(w->p, w->out->descriptor, header->file_bytes,
                                             w->options, inout_report, w->error)
                             : status;
}

kiln_status write_plan(program *p, file_writer *out, const kiln_compile_options *options,
                       kiln_compile_report *inout_report, kiln_error *error) {
    plan_writing w = {.p = p, .options = options, .out = out, .error = error};
    w.strings.builder = &w.builder;
    w.weights = (weight_writer){.out = out, .builder = &w.builder, .error = error};
    /* What an earlier try has left there is no part of this one. */
    kiln_status status = file_cut(out, 0, error);
    if (status == KILN_OK) {
        status = number_tensors(&w);
    }
    if (status == KILN_OK) {
        status = fill_sections(&w);
    }
    if (status == KILN_OK) {
        status = write_file(&w, inout_report);
    }
    if (status == KILN_OK) {
        inout_report->plan_bytes = w.builder.header.file_bytes;
        inout_report->weights_bytes = w.builder.constant_bytes;
    }
    builder_free(&w.builder);
    string_table_free(&w.strings);
    weight_writer_free(&w.weights);
    free(w.tensor_index);
    free(w.stored_dtype);
    return status;
}
