/* A plan in the making: records that are appended, constants by pointer. For plans that are cut
 * from others and for heads; the compiler's own writer makes plans of graphs. */
#ifndef KILN_RUNTIME_PARTS_H
#define KILN_RUNTIME_PARTS_H

#include "runtime/runtime.h"

typedef struct part_buffer {
    uint8_t *data;
    size_t size, capacity;
} part_buffer;

typedef struct plan_parts {
    part_buffer sections[KILN_SECTION_COUNT]; /* WEIGHTS stays empty */
    const void **constants;                   /* by tensor: its stored bytes, or NULL */
    size_t constant_capacity;
    uint32_t batchable;
    bool failed; /* out of memory; told once, by parts_finish */
} plan_parts;

void parts_free(plan_parts *p);
size_t parts_count(const plan_parts *p, kiln_plan_section_kind kind, size_t record_bytes);
void parts_append(plan_parts *p, kiln_plan_section_kind kind, const void *data, size_t size);
uint32_t parts_string(plan_parts *p, const char *text);
/* Returns the index. `constant` is borrowed until the plan has been written; NULL for others. */
uint32_t parts_tensor(plan_parts *p, const kiln_plan_tensor_record *record, const void *constant);
kiln_plan_tensor_record *parts_tensor_at(plan_parts *p, uint32_t index);
void parts_step(plan_parts *p, const kiln_plan_step *like, const char *name, const char *origin,
                const void *params, size_t params_bytes, const uint32_t *operands);
void parts_metadata(plan_parts *p, const char *key, const char *value);
void parts_preprocess(plan_parts *p, const kiln_preprocess *preprocess);

/* Tensors of a head: f32, row-major, [1][size], batched if the plan is. */
uint32_t parts_arena_tensor(plan_parts *p, const char *name, uint32_t size);
uint32_t parts_output_tensor(plan_parts *p, const char *name, uint32_t size);
/* rank 1: [a]; rank 2: [a][b]. Computes the checksum. */
uint32_t parts_constant(plan_parts *p, const char *name, uint32_t rank, uint32_t a, uint32_t b,
                        const float *data);
/* out = in, a dense row a sample. */
void parts_copy_rows(plan_parts *p, const char *name, uint32_t in, uint32_t out, uint32_t size);

/* Sets the storages' step ranges, places those without a place (offset UINT64_MAX), and writes the
 * file's bytes, weights last, through `write`. With `borrowed`, weights are not written: constants
 * are those of that plan, at their offsets. */
typedef kiln_status (*parts_sink)(void *context, const void *data, size_t size, kiln_error *error);
kiln_status parts_finish(plan_parts *p, const kiln_plan *borrowed, parts_sink write, void *context,
                         kiln_error *error);

/* cut.c: kiln_plan_cut at a tensor by index. */
kiln_status plan_cut_at(const kiln_plan *plan, uint32_t tensor, kiln_plan **out_plan,
                        kiln_error *error);

/* graft.c: the steps of `plan` that make `tensor`, and what they need; returns the new index of
 * `tensor`. */
uint32_t graft_steps(plan_parts *p, const kiln_plan *plan, uint32_t tensor);
/* The cut: a tensor or layer by name; NULL: what feeds the final dense layers. */
kiln_status graft_find_cut(const kiln_plan *plan, const char *name, uint32_t *out_tensor,
                           kiln_error *error);
/* [1][features] of the cut tensor (pooled over positions, if it has several). */
kiln_status graft_features(plan_parts *p, uint32_t tensor, uint32_t *out_tensor,
                           uint32_t *out_count, kiln_error *error);
/* The step before `before` that last wrote what `tensor` reads; false: none. */
bool graft_producer(const kiln_plan_view *v, uint32_t tensor, size_t before, size_t *out_step);

#endif
