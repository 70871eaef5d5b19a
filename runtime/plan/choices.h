/* What kiln_tune has found for a plan's convolutions: how each is computed fastest, by processor.
 * Kept in the optional section TUNED; an open plan has what is there for the processor at hand. In
 * these functions a choice is an array with a kiln_conv_algorithm of ours or KILN_CONV_BY_XNNPACK
 * for each step, NO_CHOICE for those that are not told. */
#ifndef KILN_RUNTIME_PLAN_CHOICES_H
#define KILN_RUNTIME_PLAN_CHOICES_H

#include "runtime/base/bytes.h"
#include "runtime/plan/plan.h"

#define NO_CHOICE UINT8_MAX

/* Gives an open plan a choice in the place of what it had. It fails where the plan would not be
 * valid with it, and the plan is then as it was. Before sessions. */
kiln_status choices_set(kiln_plan *plan, const uint8_t *choice, kiln_error *error);
/* The choice of the plan's section for a processor; false: it has none. */
bool choices_find(const kiln_plan *plan, const char *processor, uint8_t *out_choice);
/* Gives a plan that has just been validated what its section has for this processor. What does not
 * fit the plan is passed over: the section is optional. */
kiln_status choices_of_section(kiln_plan *plan, kiln_error *error);
/* How each convolution is computed now, as a choice. */
void choices_now(const kiln_plan *plan, uint8_t *out_choice);
/* Appends the content of the section with the choice for a processor in the place of what it had
 * for that; those for others stay. */
void choices_write(const kiln_plan *plan, const char *processor, const uint8_t *choice,
                   byte_buffer *out_content);

#endif
