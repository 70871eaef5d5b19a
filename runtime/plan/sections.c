/* The table of sections: a new one is a row here, its record and its place in kiln_plan_view in
 * plan_format.h, and a file that validates it. Rows are validated in order. */
#include "runtime/plan/plan.h"

#define RECORDS(type, data, count)                                                                 \
    sizeof(type), offsetof(kiln_plan_view, data), offsetof(kiln_plan_view, count)

const plan_section_row plan_sections[KILN_SECTION_COUNT] = {
    [KILN_SECTION_STRINGS] = {RECORDS(char, strings, string_bytes), plan_validate_strings},
    [KILN_SECTION_STORAGES] = {RECORDS(kiln_plan_storage, storages, storage_count),
                               plan_validate_storages},
    [KILN_SECTION_TENSORS] = {RECORDS(kiln_plan_tensor_record, tensors, tensor_count),
                              plan_validate_tensors},
    [KILN_SECTION_OPERANDS] = {RECORDS(uint32_t, operands, operand_count), NULL},
    [KILN_SECTION_PARAMS] = {RECORDS(uint8_t, params, param_bytes), NULL},
    [KILN_SECTION_STEPS] = {RECORDS(kiln_plan_step, steps, step_count), plan_validate_steps},
    [KILN_SECTION_INPUTS] = {RECORDS(uint32_t, inputs, input_count), NULL},
    [KILN_SECTION_OUTPUTS] = {RECORDS(uint32_t, outputs, output_count), NULL},
    [KILN_SECTION_METADATA] = {RECORDS(kiln_plan_pair, metadata, metadata_count), NULL},
    [KILN_SECTION_LABELS] = {RECORDS(uint32_t, labels, label_count), NULL},
    [KILN_SECTION_PREPROCESS] = {RECORDS(kiln_plan_preprocess_record, preprocess, preprocess_count),
                                 plan_validate_preprocess},
    [KILN_SECTION_BANDS] = {RECORDS(kiln_plan_band, bands, band_count), plan_validate_bands},
    [KILN_SECTION_WEIGHTS] = {RECORDS(uint8_t, weights, weight_bytes), NULL},
};
