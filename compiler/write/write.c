/* The plan file: weights are streamed first, behind the room that the records need, then the
 * records and the header go in front of them. */
#include "compiler/write/writing.h"

#define XXH_INLINE_ALL
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define F16_MINIMUM_ELEMENTS 1024 /* smaller weights are kept as they are */

typedef struct plan_writing {
    program *p;
    const kiln_compile_options *options;
    file_writer *out;
    kiln_error *error;
    uint32_t *tensor_index; /* plan's index of a program tensor, or NONE: not in use */
    uint8_t *stored_dtype;  /* by program tensor */
    byte_buffer sections[KILN_SECTION_COUNT];
    string_table strings;
    kiln_plan_header header;
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
        buffer_append(&w->sections[KILN_SECTION_TENSORS], &record, sizeof record);
    }
}

static kiln_status add_steps(plan_writing *w) {
    byte_buffer *operands = &w->sections[KILN_SECTION_OPERANDS];
    byte_buffer *params = &w->sections[KILN_SECTION_PARAMS];
    for (size_t s = 0; s < w->p->step_count; s++) {
        const program_step *step = &w->p->steps[s];
        if (step->input_count > UINT8_MAX || step->output_count > UINT8_MAX) {
            return kiln_fail(w->error, KILN_ERROR_UNSUPPORTED, "layer '%s': %u operands",
                             step->name, step->input_count + step->output_count);
        }
        buffer_pad(params, 8);
        kiln_plan_step record = {.kernel = (uint16_t)step->kernel,
                                 .input_count = (uint8_t)step->input_count,
                                 .output_count = (uint8_t)step->output_count,
                                 .flags = step->flags,
                                 .name = string_table_add(&w->strings, step->name),
                                 .origin = string_table_add(&w->strings, step->origin),
                                 .first_operand = (uint32_t)(operands->size / sizeof(uint32_t)),
                                 .params_offset = (uint32_t)params->size,
                                 .params_bytes = (uint32_t)step->params_bytes};
        buffer_append(params, step->params, step->params_bytes);
        for (uint32_t k = 0; k < step->input_count + step->output_count; k++) {
            uint32_t id = step->operands[k];
            uint32_t index = id == KILN_PLAN_NONE ? KILN_PLAN_NONE : w->tensor_index[id];
            buffer_append(operands, &index, sizeof index);
        }
        buffer_append(&w->sections[KILN_SECTION_STEPS], &record, sizeof record);
    }
    return KILN_OK;
}

static void add_storages(plan_writing *w) {
    for (size_t k = 0; k < w->p->storage_count; k++) {
        const program_storage *s = &w->p->storages[k];
        kiln_plan_storage record = {s->offset, s->bytes, s->first_step, s->last_step};
        buffer_append(&w->sections[KILN_SECTION_STORAGES], &record, sizeof record);
    }
}

static void add_bands(plan_writing *w) {
    for (size_t k = 0; k < w->p->band_count; k++) {
        const program_band *b = &w->p->bands[k];
        kiln_plan_band record = {b->first_step, b->last_step, b->rows, 0};
        buffer_append(&w->sections[KILN_SECTION_BANDS], &record, sizeof record);
    }
}

static void add_pair(plan_writing *w, const char *key, const char *value) {
    if (value != NULL && value[0] != '\0') {
        kiln_plan_pair pair = {string_table_add(&w->strings, key),
                               string_table_add(&w->strings, value)};
        buffer_append(&w->sections[KILN_SECTION_METADATA], &pair, sizeof pair);
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
        buffer_append(&w->sections[KILN_SECTION_LABELS], &label, sizeof label);
    }
    const kiln_preprocess *from = &w->options->preprocess;
    if (from->present) {
        kiln_plan_preprocess_record record = {
            .bgr = from->bgr, .resize = from->resize, .crop_fraction = from->crop_fraction};
        memcpy(record.scale, from->scale, sizeof record.scale);
        memcpy(record.bias, from->bias, sizeof record.bias);
        buffer_append(&w->sections[KILN_SECTION_PREPROCESS], &record, sizeof record);
    }
    for (size_t k = 0; k < w->p->input_count; k++) {
        uint32_t index = w->tensor_index[w->p->inputs[k]];
        buffer_append(&w->sections[KILN_SECTION_INPUTS], &index, sizeof index);
    }
    for (size_t k = 0; k < w->p->output_count; k++) {
        uint32_t index = w->tensor_index[w->p->outputs[k]];
        buffer_append(&w->sections[KILN_SECTION_OUTPUTS], &index, sizeof index);
    }
}

/* Everything but the tensors' weight offsets and checksums is known before the weights are written,
 * and those do not change a section's size. */
static kiln_status fill_sections(plan_writing *w) {
    for (int k = 0; k < KILN_SECTION_COUNT; k++) {
        w->sections[k].size = 0;
    }
    add_tensors(w);
    add_storages(w);
    add_bands(w);
    add_descriptions(w);
    kiln_status status = add_steps(w);
    if (status != KILN_OK) {
        return status;
    }
    byte_buffer *strings = &w->sections[KILN_SECTION_STRINGS];
    string_table_add(&w->strings, "");
    buffer_append(strings, w->strings.bytes.data, w->strings.bytes.size);
    bool failed = w->strings.bytes.failed;
    for (int k = 0; k < KILN_SECTION_COUNT; k++) {
        failed = failed || w->sections[k].failed;
    }
    return failed ? kiln_fail(w->error, KILN_ERROR_MEMORY, "out of memory") : KILN_OK;
}

static void lay_out_sections(plan_writing *w) {
    uint64_t offset = sizeof(kiln_plan_header);
    for (int k = 0; k < KILN_SECTION_COUNT; k++) {
        uint64_t alignment =
            k == KILN_SECTION_WEIGHTS ? KILN_PLAN_PAGE_ALIGNMENT : KILN_PLAN_SECTION_ALIGNMENT;
        offset = (offset + alignment - 1) / alignment * alignment;
        w->header.sections[k].offset = offset;
        w->header.sections[k].bytes = w->sections[k].size;
        offset += w->sections[k].size;
    }
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
    w->weights.start = w->header.sections[KILN_SECTION_WEIGHTS].offset;
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
    return status == KILN_OK ? file_cut(w->out, w->weights.start + w->weights.position, w->error)
                             : status;
}

static kiln_status write_records(plan_writing *w) {
    kiln_plan_header *header = &w->header;
    memcpy(header->magic, KILN_PLAN_MAGIC, sizeof header->magic);
    header->version = KILN_PLAN_VERSION;
    header->header_bytes = sizeof *header;
    header->arena_bytes = w->p->arena_bytes;
    header->lower_bound_bytes = w->p->lower_bound_bytes;
    header->no_reuse_bytes = w->p->no_reuse_bytes;
    header->batchable = w->p->batchable;
    header->sections[KILN_SECTION_WEIGHTS].bytes = w->weights.position;
    header->file_bytes = w->weights.start + w->weights.position;
    byte_buffer front = {0};
    for (int k = 0; k < KILN_SECTION_WEIGHTS; k++) {
        header->sections[k].checksum = XXH3_64bits(w->sections[k].data, w->sections[k].size);
    }
    header->checksum = XXH3_64bits(header, offsetof(kiln_plan_header, checksum));
    buffer_append(&front, header, sizeof *header);
    for (int k = 0; k < KILN_SECTION_WEIGHTS; k++) {
        buffer_pad(&front, KILN_PLAN_SECTION_ALIGNMENT);
        buffer_append(&front, w->sections[k].data, w->sections[k].size);
    }
    kiln_status status = KILN_OK;
    if (front.failed) {
        status = kiln_fail(w->error, KILN_ERROR_MEMORY, "out of memory");
    } else {
        status = file_write_at(w->out, front.data, front.size, 0, w->error);
    }
    buffer_free(&front);
    return status;
}

static kiln_status write_file(plan_writing *w, kiln_compile_report *inout_report) {
    kiln_status status = write_weights(w);
    if (status == KILN_OK) {
        status = fill_sections(w);
    }
    if (status == KILN_OK) {
        status = write_records(w);
    }
    return status == KILN_OK ? check_written(w->p, w->out->descriptor, w->header.file_bytes,
                                             w->options, inout_report, w->error)
                             : status;
}

kiln_status write_plan(program *p, file_writer *out, const kiln_compile_options *options,
                       kiln_compile_report *inout_report, kiln_error *error) {
    plan_writing w = {.p = p, .options = options, .out = out, .error = error};
    w.weights = (weight_writer){.out = out, .error = error};
    /* What an earlier try has left there is no part of this one. */
    kiln_status status = file_cut(out, 0, error);
    if (status == KILN_OK) {
        status = number_tensors(&w);
    }
    if (status == KILN_OK) {
        status = fill_sections(&w);
    }
    if (status == KILN_OK) {
        lay_out_sections(&w);
        status = write_file(&w, inout_report);
    }
    if (status == KILN_OK) {
        inout_report->plan_bytes = w.header.file_bytes;
        inout_report->weights_bytes = w.weights.position - KILN_PLAN_WEIGHT_ALIGNMENT;
    }
    for (int k = 0; k < KILN_SECTION_COUNT; k++) {
        buffer_free(&w.sections[k]);
    }
    string_table_free(&w.strings);
    weight_writer_free(&w.weights);
    free(w.tensor_index);
    free(w.stored_dtype);
    return status;
}
