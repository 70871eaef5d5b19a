/* The steps of a plan as kernels see them, and the memory that runs of them take besides weights:
 * for sessions, and for those who ask before there is one. */
#ifndef KILN_RUNTIME_PLAN_CALLS_H
#define KILN_RUNTIME_PLAN_CALLS_H

#include "runtime/kernels/kernel.h"
#include "runtime/plan/bands.h"
#include "runtime/plan/plan.h"

/* All steps, for runs of up to `batch` samples: operands without data. By the plan's numbers:
 * operands, out_calls, and out_bands (NULL: unwanted). */
void describe_calls(const kiln_plan_view *v, const kernel_host *host, uint32_t batch,
                    operand *operands, kernel_call *out_calls, band_steps *out_bands);

/* Where in the arena each call has its scratch (out_offsets, by step; NULL: unwanted), and how
 * large the arena must be with that (memory.c). */
kiln_status place_scratch(const kiln_plan *plan, const kernel_call *calls, uint32_t batch,
                          uint64_t *out_offsets, uint64_t *out_room, kiln_error *error);

#endif
