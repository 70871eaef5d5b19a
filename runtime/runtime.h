/* What the runtime's files share beside plans. */
#ifndef KILN_RUNTIME_H
#define KILN_RUNTIME_H

#include "runtime/kernels/kernel.h"
#include "runtime/plan/plan.h"

/* Fills one operand from a tensor record, data excepted. NULL: an absent one. */
void operand_describe(const kiln_plan_tensor_record *record, operand *out_operand);
/* One step as kernels see it; operands points to room for all of its operands. */
void call_describe(const kiln_plan_view *view, size_t step, operand *operands,
                   kernel_call *out_call);
const kiln_allocator *default_allocator(void);

#endif
