/* Adding records to a sub-plan. */
#include "runtime/plan/sub_plan.h"
#include "runtime/base/checksum.h"
#include "runtime/base/memory.h"

void sub_plan_free(sub_plan *p) {
    builder_free(&p->builder);
    memory_free(p->constants);
    *p = (sub_plan){.failed = false};
}

bool sub_plan_failed(const sub_plan *p) {
    return p->failed || builder_failed(&p->builder);
}

kiln_plan_tensor_record *sub_plan_tensor_at(sub_plan *p, uint32_t index) {
    return (kiln_plan_tensor_record *)(void *)p->builder.sections[KILN_SECTION_TENSORS].data +
           index;
}

uint32_t sub_plan_tensor(sub_plan *p, const kiln_plan_tensor_record *record, const void *constant) {
    size_t index = builder_count(&p->builder, KILN_SECTION_TENSORS, sizeof *record);
    if (index == p->constant_capacity) {
        size_t capacity = index == 0 ? 64 : index * 2;
        const void **grown =
            memory_grow(p->builder.allocator, p->constants, capacity * sizeof *grown);
        if (grown == NULL) {
            p->failed = true;
            return 0;
        }
        p->constants = grown;
        p->constant_capacity = capacity;
    }
    builder_append(&p->builder, KILN_SECTION_TENSORS, record, sizeof *record);
    p->constants[index] = constant;
    return sub_plan_failed(p) ? 0 : (uint32_t)index;
}

void sub_plan_step(sub_plan *p, const kiln_plan_step *like, const char *name, const char *origin,
                   const void *params, size_t params_bytes, const uint32_t *operands) {
    kiln_plan_step step = *like;
    step.name = builder_string(&p->builder, name);
    step.origin = builder_string(&p->builder, origin);
    builder_step(&p->builder, &step, params, params_bytes, operands);
}

void sub_plan_metadata(sub_plan *p, const char *key, const char *value) {
    kiln_plan_pair pair = {.key = builder_string(&p->builder, key)};
    pair.value = builder_string(&p->builder, value);
    builder_append(&p->builder, KILN_SECTION_METADATA, &pair, sizeof pair);
}

/* ---- A head's tensors ---------------------------------------------------------------------- */

static kiln_plan_tensor_record vector_record(sub_plan *p, const char *name, uint8_t place,
                                             uint32_t size) {
    return (kiln_plan_tensor_record){.name = builder_string(&p->builder, name),
                                     .dtype = KILN_F32,
                                     .stored_dtype = KILN_F32,
                                     .rank = 2,
                                     .place = place,
                                     .batched = p->builder.header.batchable != 0,
                                     .storage = KILN_PLAN_NONE,
                                     .row_stride = size,
                                     .dims = {1, size}};
}

uint32_t sub_plan_arena_tensor(sub_plan *p, const char *name, uint32_t size) {
    kiln_plan_tensor_record record = vector_record(p, name, KILN_PLACE_ARENA, size);
    uint64_t bytes = (uint64_t)size * sizeof(float);
    kiln_plan_storage storage = {.offset = SUB_PLAN_UNPLACED,
                                 .bytes = (bytes + KILN_ARENA_ALIGNMENT - 1) /
                                          KILN_ARENA_ALIGNMENT * KILN_ARENA_ALIGNMENT};
    record.storage = (uint32_t)builder_count(&p->builder, KILN_SECTION_STORAGES, sizeof storage);
    builder_append(&p->builder, KILN_SECTION_STORAGES, &storage, sizeof storage);
    return sub_plan_tensor(p, &record, NULL);
}

uint32_t sub_plan_output_tensor(sub_plan *p, const char *name, uint32_t size) {
    kiln_plan_tensor_record record = vector_record(p, name, KILN_PLACE_OUTPUT, size);
    uint32_t index = sub_plan_tensor(p, &record, NULL);
    builder_append(&p->builder, KILN_SECTION_OUTPUTS, &index, sizeof index);
    return index;
}

uint32_t sub_plan_grouped(sub_plan *p, uint32_t tensor, uint32_t count, uint32_t group) {
    kiln_plan_tensor_record view = *sub_plan_tensor_at(p, tensor);
    view.rank = 3;
    view.dims[1] = count;
    view.dims[2] = group;
    view.row_stride = group;
    return sub_plan_tensor(p, &view, NULL);
}

uint32_t sub_plan_constant(sub_plan *p, const char *name, uint32_t rank, uint32_t a, uint32_t b,
                           const float *data) {
    size_t bytes = (size_t)a * (rank == 2 ? b : 1) * sizeof(float);
    kiln_plan_tensor_record record = {.name = builder_string(&p->builder, name),
                                      .dtype = KILN_F32,
                                      .stored_dtype = KILN_F32,
                                      .rank = (uint8_t)rank,
                                      .place = KILN_PLACE_CONSTANT,
                                      .storage = KILN_PLAN_NONE,
                                      .row_stride = rank == 2 ? b : a,
                                      .dims = {a, rank == 2 ? b : 0},
                                      .checksum = checksum(data, bytes)};
    return sub_plan_tensor(p, &record, data);
}

void sub_plan_copy(sub_plan *p, const char *name, uint32_t in, uint32_t out, uint32_t size) {
    static const kiln_plan_step step = {
        .kernel = KILN_KERNEL_COPY, .input_count = 1, .output_count = 1};
    kiln_copy_params params = {.rank = 2,
                               .batched = p->builder.header.batchable != 0,
                               .dims = {1, size},
                               .input_strides = {size, 1},
                               .output_strides = {size, 1}};
    uint32_t operands[2] = {in, out};
    sub_plan_step(p, &step, name, "", &params, sizeof params, operands);
}
