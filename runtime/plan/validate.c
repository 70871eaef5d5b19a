/* The one function that looks at an untrusted plan: plan_validate. Everything else trusts what
 * passed here. In order: header and sections, strings, tensors, storages, steps. */
#include "runtime/base/files.h"
#include "runtime/plan/layout.h"
#include "runtime/plan/plan.h"

#define XXH_INLINE_ALL
#include <string.h>
#include <xxhash.h>

#define MAX_ELEMENTS ((uint64_t)1 << 40)

static kiln_status fail(kiln_error *error, const char *what) {
    return kiln_fail(error, KILN_ERROR_FORMAT, "damaged plan: %s", what);
}

/* ---- Header and sections ------------------------------------------------------------------- */

static kiln_status check_header(const kiln_plan *plan, kiln_error *error) {
    const kiln_plan_header *h = (const kiln_plan_header *)(const void *)plan->records;
    if (plan->size < sizeof *h || memcmp(h->magic, KILN_PLAN_MAGIC, sizeof h->magic) != 0) {
        return kiln_fail(error, KILN_ERROR_FORMAT, "not a Kiln plan%s",
                         file_instead((kiln_span){plan->bytes, plan->size}));
    }
    if (h->version != KILN_PLAN_VERSION) {
        return kiln_fail(error, KILN_ERROR_FORMAT, "plan format version %u; this runtime reads %u",
                         h->version, KILN_PLAN_VERSION);
    }
    if (h->header_bytes != sizeof *h ||
        h->checksum != XXH3_64bits(h, offsetof(kiln_plan_header, checksum))) {
        return fail(error, "the header's checksum does not match");
    }
    if (h->file_bytes != plan->size) {
        return kiln_fail(error, KILN_ERROR_FORMAT,
                         "damaged plan: %llu bytes where its header says %llu",
                         (unsigned long long)plan->size, (unsigned long long)h->file_bytes);
    }
    bool arena = h->arena_bytes % KILN_ARENA_ALIGNMENT == 0 && h->arena_bytes <= MAX_ELEMENTS * 8;
    return arena && h->batchable <= 1 ? KILN_OK : fail(error, "the header's arena");
}

static const size_t record_bytes[KILN_SECTION_COUNT] = {
    [KILN_SECTION_STRINGS] = 1,
    [KILN_SECTION_STORAGES] = sizeof(kiln_plan_storage),
    [KILN_SECTION_TENSORS] = sizeof(kiln_plan_tensor_record),
    [KILN_SECTION_OPERANDS] = sizeof(uint32_t),
    [KILN_SECTION_PARAMS] = 1,
    [KILN_SECTION_STEPS] = sizeof(kiln_plan_step),
    [KILN_SECTION_INPUTS] = sizeof(uint32_t),
    [KILN_SECTION_OUTPUTS] = sizeof(uint32_t),
    [KILN_SECTION_METADATA] = sizeof(kiln_plan_pair),
    [KILN_SECTION_LABELS] = sizeof(uint32_t),
    [KILN_SECTION_PREPROCESS] = sizeof(kiln_plan_preprocess_record),
    [KILN_SECTION_BANDS] = sizeof(kiln_plan_band),
    [KILN_SECTION_WEIGHTS] = 1,
};

static kiln_status check_sections(const kiln_plan *plan, kiln_error *error) {
    const kiln_plan_header *h = (const kiln_plan_header *)(const void *)plan->records;
    uint64_t end = sizeof *h;
    for (int k = 0; k < KILN_SECTION_COUNT; k++) {
        const kiln_plan_section *s = &h->sections[k];
        bool sound = s->offset % KILN_PLAN_SECTION_ALIGNMENT == 0 && s->offset >= end &&
                     s->offset <= plan->size && s->bytes <= plan->size - s->offset &&
                     s->bytes % record_bytes[k] == 0 && s->bytes / record_bytes[k] < UINT32_MAX;
        if (k == KILN_SECTION_WEIGHTS) {
            sound = s->offset >= end && s->offset <= plan->size &&
                    s->bytes == plan->size - s->offset && s->checksum == 0 &&
                    s->offset % KILN_PLAN_PAGE_ALIGNMENT == 0;
        }
        if (!sound) {
            return fail(error, "a section lies outside the file");
        }
        if (k != KILN_SECTION_WEIGHTS &&
            s->checksum != XXH3_64bits(plan->bytes + s->offset, (size_t)s->bytes)) {
            return fail(error, "a section's checksum does not match");
        }
        end = s->offset + s->bytes;
    }
    bool one = h->sections[KILN_SECTION_PREPROCESS].bytes <= sizeof(kiln_plan_preprocess_record);
    return one ? KILN_OK : fail(error, "several preprocess records");
}

static const void *section_data(const kiln_plan *plan, int kind, size_t *out_count) {
    const kiln_plan_section *s = &plan->view.header->sections[kind];
    *out_count = (size_t)(s->bytes / record_bytes[kind]);
    return (kind == KILN_SECTION_WEIGHTS ? plan->bytes : plan->records) + s->offset;
}

static void set_view(kiln_plan *plan) {
    kiln_plan_view *v = &plan->view;
    size_t bytes;
    v->header = (const kiln_plan_header *)(const void *)plan->records;
    v->strings = section_data(plan, KILN_SECTION_STRINGS, &bytes);
    v->storages = section_data(plan, KILN_SECTION_STORAGES, &v->storage_count);
    v->tensors = section_data(plan, KILN_SECTION_TENSORS, &v->tensor_count);
    v->operands = section_data(plan, KILN_SECTION_OPERANDS, &v->operand_count);
    v->params = section_data(plan, KILN_SECTION_PARAMS, &bytes);
    v->steps = section_data(plan, KILN_SECTION_STEPS, &v->step_count);
    v->inputs = section_data(plan, KILN_SECTION_INPUTS, &v->input_count);
    v->outputs = section_data(plan, KILN_SECTION_OUTPUTS, &v->output_count);
    v->metadata = section_data(plan, KILN_SECTION_METADATA, &v->metadata_count);
    v->labels = section_data(plan, KILN_SECTION_LABELS, &v->label_count);
    v->bands = section_data(plan, KILN_SECTION_BANDS, &v->band_count);
    v->weights = plan->weights_of != NULL ? plan->weights_of->view.weights
                                          : section_data(plan, KILN_SECTION_WEIGHTS, &bytes);
}

static uint64_t section_bytes(const kiln_plan *plan, int kind) {
    bool borrowed = kind == KILN_SECTION_WEIGHTS && plan->weights_of != NULL;
    plan = borrowed ? plan->weights_of : plan;
    return plan->view.header->sections[kind].bytes;
}

/* ---- Strings, tensors ------------------------------------------------------------ */

static kiln_status check_strings(const kiln_plan *plan, kiln_error *error) {
    const kiln_plan_view *v = &plan->view;
    uint64_t size = section_bytes(plan, KILN_SECTION_STRINGS);
    bool sound = size >= 1 && v->strings[0] == '\0' && v->strings[size - 1] == '\0';
    for (size_t k = 0; k < v->metadata_count && sound; k++) {
        sound = v->metadata[k].key < size && v->metadata[k].value < size;
    }
    for (size_t k = 0; k < v->label_count && sound; k++) {
        sound = v->labels[k] < size;
    }
    for (size_t k = 0; k < v->tensor_count && sound; k++) {
        sound = v->tensors[k].name < size;
    }
    for (size_t k = 0; k < v->step_count && sound; k++) {
        sound = v->steps[k].name < size && v->steps[k].origin < size;
    }
    return sound ? KILN_OK : fail(error, "a string lies outside the strings");
}

static bool check_dims(const kiln_plan_tensor_record *t, uint64_t *out_elements) {
    uint64_t elements = 1;
    for (uint32_t k = 0; k < KILN_MAX_RANK; k++) {
        if ((t->dims[k] != 0) != (k < t->rank)) {
            return false;
        }
        if (k < t->rank) {
            if (t->dims[k] > INT32_MAX || elements > MAX_ELEMENTS / t->dims[k]) {
                return false;
            }
            elements *= t->dims[k];
        }
    }
    *out_elements = elements;
    return true;
}

static bool check_tensor(const kiln_plan *plan, const kiln_plan_tensor_record *t) {
    const kiln_plan_view *v = &plan->view;
    uint64_t elements;
    size_t size = kiln_dtype_size((kiln_dtype)t->dtype);
    if (t->rank > KILN_MAX_RANK || size == 0 || t->layout > KILN_CHANNELS_LAST ||
        t->place > KILN_PLACE_OUTPUT || t->batched > 1 || !check_dims(t, &elements) ||
        (t->layout == KILN_CHANNELS_LAST && t->rank < 3) ||
        (t->batched && (t->rank == 0 || v->header->batchable == 0))) {
        return false;
    }
    uint64_t row = layout_inner(t->layout, t->rank, t->dims);
    if (t->rolling_rows != 0) { /* a picture in the arena: so many rows of it */
        if (t->place != KILN_PLACE_ARENA || t->layout != KILN_CHANNELS_LAST || t->rank != 4 ||
            t->dims[0] != 1 || t->offset != 0 || t->rolling_rows > t->dims[2]) {
            return false;
        }
        elements = elements / t->dims[2] * t->rolling_rows;
    }
    uint64_t reach = (elements / row - 1) * t->row_stride + row; /* elements from first to last */
    if (!stored_soundly(t) || t->row_stride < row || t->offset % size != 0) {
        return false;
    }
    if (t->place == KILN_PLACE_ARENA) {
        uint64_t bytes = t->storage < v->storage_count ? v->storages[t->storage].bytes : 0;
        /* With a batch of B the storage is B times as large, and rows go on at the same stride. */
        bool batches = t->batched == 0 || elements / row * t->row_stride <= bytes / size;
        return batches && t->offset <= bytes && reach <= (bytes - t->offset) / size;
    }
    bool dense = t->row_stride == row && t->storage == KILN_PLAN_NONE;
    if (t->place == KILN_PLACE_CONSTANT) {
        uint64_t bytes = kiln_plan_tensor_bytes(t);
        uint64_t room = section_bytes(plan, KILN_SECTION_WEIGHTS);
        return dense && t->batched == 0 && t->layout == KILN_ROW_MAJOR &&
               t->offset % KILN_PLAN_WEIGHT_ALIGNMENT == 0 &&
               room >= KILN_PLAN_WEIGHT_ALIGNMENT && /* the margin behind the last */
               t->offset <= room - KILN_PLAN_WEIGHT_ALIGNMENT &&
               bytes <= room - KILN_PLAN_WEIGHT_ALIGNMENT - t->offset;
    }
    return dense && t->offset == 0 && t->layout == KILN_ROW_MAJOR;
}

static kiln_status check_tensors(const kiln_plan *plan, kiln_error *error) {
    const kiln_plan_view *v = &plan->view;
    for (size_t k = 0; k < v->tensor_count; k++) {
        if (!check_tensor(plan, &v->tensors[k])) {
            return kiln_fail(error, KILN_ERROR_FORMAT, "damaged plan: tensor %zu ('%.80s')", k,
                             v->strings + v->tensors[k].name);
        }
    }
    for (size_t k = 0; k < v->input_count; k++) {
        if (v->inputs[k] >= v->tensor_count || v->tensors[v->inputs[k]].place != KILN_PLACE_INPUT) {
            return fail(error, "the list of inputs");
        }
    }
    for (size_t k = 0; k < v->output_count; k++) {
        if (v->outputs[k] >= v->tensor_count ||
            v->tensors[v->outputs[k]].place != KILN_PLACE_OUTPUT) {
            return fail(error, "the list of outputs");
        }
    }
    return KILN_OK;
}

kiln_status plan_validate(kiln_plan *plan, kiln_error *error) {
    kiln_status (*const records[])(const kiln_plan *, kiln_error *) = {
        check_strings, plan_validate_storages, check_tensors, plan_validate_steps,
        plan_validate_bands};
    kiln_status status = check_header(plan, error);
    if (status == KILN_OK) {
        status = check_sections(plan, error);
    }
    if (status != KILN_OK) {
        return status;
    }
    set_view(plan);
    for (size_t k = 0; k < sizeof records / sizeof *records && status == KILN_OK; k++) {
        status = records[k](plan, error);
    }
    return status;
}
