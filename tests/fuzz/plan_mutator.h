/* Changes of plan files that reach behind their checksums: for mutate.c and fuzz_plan.c. */
#ifndef KILN_TESTS_PLAN_MUTATOR_H
#define KILN_TESTS_PLAN_MUTATOR_H

#include <stddef.h>
#include <stdint.h>

/* Makes the header and all checksums but those of weights fit the bytes. */
void plan_repair(uint8_t *bytes, size_t size);
/* A word of what bands rest on becomes a little more or less, or another small number: rolling
 * rows, bands, kernels' strides and paddings, operands. */
void plan_change_schedule(uint64_t *state, uint8_t *bytes, size_t size);
/* The file becomes one of the version before, or gets optional sections. */
void plan_change_container(uint64_t *state, uint8_t *bytes, size_t size);
/* Any word of any record. */
void plan_change_record(uint64_t *state, uint8_t *bytes, size_t size);

#endif
