/* The steps of a plan as kernels see them, and the memory that runs of them take besides weights:
 * for sessions, and for those who ask before there is one. */
#ifndef KILN_RUNTIME_PLAN_CALLS_H
#define KILN_RUNTIME_PLAN_CALLS_H

#include "runtime/kernels/kernel.h"
#include "runtime/plan/bands.h"
#include "runtime/plan/plan.h"

/* Describes all steps for runs of up to `batch` samples; operands have no data yet. The arrays are
 * in the plan's order: operands, out_calls, and out_bands, which may be NULL. */
void describe_calls(const kiln_plan_view *v, const kernel_host *host, uint32_t batch,
                    operand *operands, kernel_call *out_calls, band_steps *out_bands);

/* Finds where in the arena each call has its scratch (out_offsets, by step, which may be NULL), and
 * returns how large the arena must be with that (memory.c). */
kiln_status place_scratch(const kiln_plan *plan, const kernel_call *calls, uint32_t batch,
                          uint64_t *out_offsets, uint64_t *out_room, kiln_error *error);

#endif
