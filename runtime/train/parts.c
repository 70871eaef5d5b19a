/* Appending records to a plan in the making. */
#include "runtime/train/parts.h"

#define XXH_INLINE_ALL
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

void parts_free(plan_parts *p) {
    for (int k = 0; k < KILN_SECTION_COUNT; k++) {
        free(p->sections[k].data);
    }
    free(p->constants);
    *p = (plan_parts){0};
}

size_t parts_count(const plan_parts *p, kiln_plan_section_kind kind, size_t record_bytes) {
    return p->sections[kind].size / record_bytes;
}

void parts_append(plan_parts *p, kiln_plan_section_kind kind, const void *data, size_t size) {
    part_buffer *b = &p->sections[kind];
    if (size > b->capacity - b->size) {
        size_t capacity = (b->size + size) * 2;
        uint8_t *grown = p->failed ? NULL : realloc(b->data, capacity);
        if (grown == NULL) {
            p->failed = true;
            return;
        }
        b->data = grown;
        b->capacity = capacity;
    }
    if (size > 0) {
        memcpy(b->data + b->size, data, size);
        b->size += size;
    }
}

uint32_t parts_string(plan_parts *p, const char *text) {
    const part_buffer *strings = &p->sections[KILN_SECTION_STRINGS];
    if (strings->size == 0) {
        parts_append(p, KILN_SECTION_STRINGS, "", 1);
    }
    if (text == NULL || text[0] == '\0') {
        return 0;
    }
    size_t at = strings->size;
    if (at > UINT32_MAX - 1 - strlen(text)) {
        p->failed = true;
        return 0;
    }
    parts_append(p, KILN_SECTION_STRINGS, text, strlen(text) + 1);
    return p->failed ? 0 : (uint32_t)at;
}

kiln_plan_tensor_record *parts_tensor_at(plan_parts *p, uint32_t index) {
    return (kiln_plan_tensor_record *)(void *)p->sections[KILN_SECTION_TENSORS].data + index;
}

uint32_t parts_tensor(plan_parts *p, const kiln_plan_tensor_record *record, const void *constant) {
    size_t index = parts_count(p, KILN_SECTION_TENSORS, sizeof *record);
    if (index == p->constant_capacity) {
        size_t capacity = index == 0 ? 64 : index * 2;
        const void **grown = realloc(p->constants, capacity * sizeof *grown);
        if (grown == NULL) {
            p->failed = true;
            return 0;
        }
        p->constants = grown;
        p->constant_capacity = capacity;
    }
    parts_append(p, KILN_SECTION_TENSORS, record, sizeof *record);
    p->constants[index] = constant;
    return p->failed ? 0 : (uint32_t)index;
}

void parts_step(plan_parts *p, const kiln_plan_step *like, const char *name, const char *origin,
                const void *params, size_t params_bytes, const uint32_t *operands) {
    static const uint8_t zeros[8];
    parts_append(p, KILN_SECTION_PARAMS, zeros, -p->sections[KILN_SECTION_PARAMS].size % 8);
    kiln_plan_step step = *like;
    step.name = parts_string(p, name);
    step.origin = parts_string(p, origin);
    step.first_operand = (uint32_t)parts_count(p, KILN_SECTION_OPERANDS, sizeof *operands);
    step.params_offset = (uint32_t)p->sections[KILN_SECTION_PARAMS].size;
    step.params_bytes = (uint32_t)params_bytes;
    parts_append(p, KILN_SECTION_PARAMS, params, params_bytes);
    parts_append(p, KILN_SECTION_OPERANDS, operands,
                 ((size_t)step.input_count + step.output_count) * sizeof *operands);
    parts_append(p, KILN_SECTION_STEPS, &step, sizeof step);
}

void parts_metadata(plan_parts *p, const char *key, const char *value) {
    kiln_plan_pair pair = {parts_string(p, key), parts_string(p, value)};
    parts_append(p, KILN_SECTION_METADATA, &pair, sizeof pair);
}

void parts_preprocess(plan_parts *p, const kiln_preprocess *from) {
    if (from->present) {
        kiln_plan_preprocess_record record = {
            .bgr = from->bgr, .resize = from->resize, .crop_fraction = from->crop_fraction};
        memcpy(record.scale, from->scale, sizeof record.scale);
        memcpy(record.bias, from->bias, sizeof record.bias);
        parts_append(p, KILN_SECTION_PREPROCESS, &record, sizeof record);
    }
}

/* ---- A head's tensors ---------------------------------------------------------------------- */

static kiln_plan_tensor_record row_record(plan_parts *p, const char *name, uint8_t place,
                                          uint32_t size) {
    return (kiln_plan_tensor_record){.name = parts_string(p, name),
                                     .dtype = KILN_F32,
                                     .stored_dtype = KILN_F32,
                                     .rank = 2,
                                     .place = place,
                                     .batched = p->batchable != 0,
                                     .storage = KILN_PLAN_NONE,
                                     .row_stride = size,
                                     .dims = {1, size}};
}

uint32_t parts_arena_tensor(plan_parts *p, const char *name, uint32_t size) {
    kiln_plan_tensor_record record = row_record(p, name, KILN_PLACE_ARENA, size);
    uint64_t bytes = (uint64_t)size * sizeof(float);
    kiln_plan_storage storage = {.offset = UINT64_MAX,
                                 .bytes = (bytes + KILN_ARENA_ALIGNMENT - 1) /
                                          KILN_ARENA_ALIGNMENT * KILN_ARENA_ALIGNMENT};
    record.storage = (uint32_t)parts_count(p, KILN_SECTION_STORAGES, sizeof storage);
    parts_append(p, KILN_SECTION_STORAGES, &storage, sizeof storage);
    return parts_tensor(p, &record, NULL);
}

uint32_t parts_output_tensor(plan_parts *p, const char *name, uint32_t size) {
    kiln_plan_tensor_record record = row_record(p, name, KILN_PLACE_OUTPUT, size);
    uint32_t index = parts_tensor(p, &record, NULL);
    parts_append(p, KILN_SECTION_OUTPUTS, &index, sizeof index);
    return index;
}

uint32_t parts_constant(plan_parts *p, const char *name, uint32_t rank, uint32_t a, uint32_t b,
                        const float *data) {
    size_t bytes = (size_t)a * (rank == 2 ? b : 1) * sizeof(float);
    kiln_plan_tensor_record record = {.name = parts_string(p, name),
                                      .dtype = KILN_F32,
                                      .stored_dtype = KILN_F32,
                                      .rank = (uint8_t)rank,
                                      .place = KILN_PLACE_CONSTANT,
                                      .storage = KILN_PLAN_NONE,
                                      .row_stride = rank == 2 ? b : a,
                                      .dims = {a, rank == 2 ? b : 0},
                                      .checksum = XXH3_64bits(data, bytes)};
    return parts_tensor(p, &record, data);
}

void parts_copy_rows(plan_parts *p, const char *name, uint32_t in, uint32_t out, uint32_t size) {
    static const kiln_plan_step step = {
        .kernel = KILN_KERNEL_COPY, .input_count = 1, .output_count = 1};
    kiln_copy_params params = {.rank = 2,
                               .batched = p->batchable != 0,
                               .dims = {1, size},
                               .input_strides = {size, 1},
                               .output_strides = {size, 1}};
    uint32_t operands[2] = {in, out};
    parts_step(p, &step, name, "", &params, sizeof params, operands);
}
