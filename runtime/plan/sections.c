/* The table of sections, made of their list in plan_format.h. */
#include "runtime/plan/plan.h"

#define CHECKED(records) plan_validate_##records
#define WITH_OTHERS(records) NULL
#define ROW(NAME, type, records, count, since, check)                                              \
    [KILN_SECTION_##NAME] = {sizeof(type), offsetof(kiln_plan_view, records),                      \
                             offsetof(kiln_plan_view, count), since, check(records)},

const plan_section_row plan_sections[KILN_SECTION_COUNT] = {KILN_EACH_SECTION(ROW)};
