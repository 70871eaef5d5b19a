/* Plans made of parts of others: the steps that make a tensor of a plan, as a plan of its own, and
 * steps behind them. For cutting plans and for training, which puts a new head on a cut one. */
#ifndef KILN_RUNTIME_PLAN_SUB_PLAN_H
#define KILN_RUNTIME_PLAN_SUB_PLAN_H

#include "runtime/plan/builder.h"

/* A sub-plan of all zeros is empty; builder_begin of its builder says where memory comes from. */
typedef struct sub_plan {
    plan_builder builder;
    const void **constants; /* by tensor: its stored bytes, borrowed until the sub-plan is finished;
                               or NULL */
    size_t constant_capacity;
    bool failed; /* out of memory; told once, by sub_plan_finish */
} sub_plan;

void sub_plan_free(sub_plan *p);
bool sub_plan_failed(const sub_plan *p);

/* ---- Records (sub_plan.c) ------------------------------------------------------------------ */

/* Returns the new tensor's index. `constant` is its stored bytes; NULL: it is none. */
uint32_t sub_plan_tensor(sub_plan *p, const kiln_plan_tensor_record *record, const void *constant);
/* The record of a tensor; the pointer is valid until a tensor is added. */
kiln_plan_tensor_record *sub_plan_tensor_at(sub_plan *p, uint32_t index);
/* Adds a step like `like`, but for its strings. */
void sub_plan_step(sub_plan *p, const kiln_plan_step *like, const char *name, const char *origin,
                   const void *params, size_t params_bytes, const uint32_t *operands);
void sub_plan_metadata(sub_plan *p, const char *key, const char *value);

/* Adds a tensor of a head: f32, row-major, [1][size], batched if the plan is. */
uint32_t sub_plan_arena_tensor(sub_plan *p, const char *name, uint32_t size);
uint32_t sub_plan_output_tensor(sub_plan *p, const char *name, uint32_t size);
/* Adds the view of [1][count * group] as [1][count][group]. */
uint32_t sub_plan_grouped(sub_plan *p, uint32_t tensor, uint32_t count, uint32_t group);
/* Adds a constant of dims [a], with rank 1, or [a][b], with rank 2, and computes its checksum. */
uint32_t sub_plan_constant(sub_plan *p, const char *name, uint32_t rank, uint32_t a, uint32_t b,
                           const float *data);
/* Adds a step that copies a dense vector a sample from `in` to `out`. */
void sub_plan_copy(sub_plan *p, const char *name, uint32_t in, uint32_t out, uint32_t size);

/* ---- Steps of another plan (sub_plan_steps.c) ---------------------------------------------- */

/* Adds the steps of `plan` that make `tensor`, and what they need; returns the new index of
 * `tensor`. The sub-plan is empty before. */
uint32_t sub_plan_take(sub_plan *p, const kiln_plan *plan, uint32_t tensor);
/* Finds the step before `before` that last wrote what `tensor` reads; false where there is none. */
bool plan_producer(const kiln_plan_view *v, uint32_t tensor, size_t before, size_t *out_step);

/* ---- Cutting (sub_plan_cut.c) -------------------------------------------------------------- */

/* Finds where to cut: at a tensor or layer by name; where that is NULL, at what feeds the final
 * dense layers. */
kiln_status plan_find_cut(const kiln_plan *plan, const char *name, uint32_t *out_tensor,
                          kiln_error *error);
/* Makes [1][features] of a sub-plan's tensor, whose positions are averaged if there are several. */
kiln_status sub_plan_features(sub_plan *p, uint32_t tensor, uint32_t *out_tensor,
                              uint32_t *out_count, kiln_error *error);
/* kiln_plan_cut at a tensor by index. */
kiln_status plan_cut_at(const kiln_plan *plan, uint32_t tensor, kiln_plan **out_plan,
                        kiln_error *error);

/* ---- Finishing (sub_plan_finish.c) --------------------------------------------------------- */

/* A storage that has no place yet. */
#define SUB_PLAN_UNPLACED UINT64_MAX

/* Sets the storages' step ranges, places those without a place, and writes the file's bytes,
 * weights last, through `write`. With `borrowed`, weights are not written: constants are those of
 * that plan, at their offsets. */
kiln_status sub_plan_finish(sub_plan *p, const kiln_plan *borrowed, plan_sink write, void *context,
                            kiln_error *error);

#endif
