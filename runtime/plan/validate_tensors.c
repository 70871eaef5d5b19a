/* Strings, tensors and the lists of inputs and outputs of an untrusted plan. */
#include "runtime/plan/layout.h"
#include "runtime/plan/plan.h"

#define MAX_ELEMENTS ((uint64_t)1 << 40)

static kiln_status fail(kiln_error *error, const char *what) {
    return kiln_fail(error, KILN_ERROR_FORMAT, "damaged plan: %s", what);
}

kiln_status plan_validate_strings(const kiln_plan *plan, kiln_error *error) {
    const kiln_plan_view *v = &plan->view;
    size_t size = v->string_bytes;
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
    uint64_t inner = layout_inner(t->layout, t->rank, t->dims);
    if (t->rolling_rows != 0) { /* of an image in the arena so many rows are kept */
        if (t->place != KILN_PLACE_ARENA || t->layout != KILN_CHANNELS_LAST || t->rank != 4 ||
            t->dims[0] != 1 || t->offset != 0 || t->rolling_rows > t->dims[2]) {
            return false;
        }
        elements = elements / t->dims[2] * t->rolling_rows;
    }
    /* The elements from the first to the last, with what lies between rows. */
    uint64_t reach = (elements / inner - 1) * t->row_stride + inner;
    bool one_dim = t->batched != 0 && t->rank == 1; /* the batch alone, which is dense */
    if (!stored_soundly(t) || t->row_stride < inner || (one_dim && t->row_stride != inner) ||
        t->offset % size != 0) {
        return false;
    }
    if (t->place == KILN_PLACE_ARENA) {
        uint64_t bytes = t->storage < v->storage_count ? v->storages[t->storage].bytes : 0;
        /* With a batch of B the storage is B times as large, and goes on at the same stride. */
        bool batches = t->batched == 0 || elements / inner * t->row_stride <= bytes / size;
        return batches && t->offset <= bytes && reach <= (bytes - t->offset) / size;
    }
    bool dense = t->row_stride == inner && t->storage == KILN_PLAN_NONE;
    if (t->place == KILN_PLACE_CONSTANT) {
        uint64_t bytes = kiln_plan_tensor_bytes(t);
        uint64_t room = v->weight_bytes;
        return dense && t->batched == 0 && t->layout == KILN_ROW_MAJOR &&
               t->offset % KILN_PLAN_WEIGHT_ALIGNMENT == 0 &&
               room >= KILN_PLAN_WEIGHT_ALIGNMENT && /* a margin behind the last constant */
               t->offset <= room - KILN_PLAN_WEIGHT_ALIGNMENT &&
               bytes <= room - KILN_PLAN_WEIGHT_ALIGNMENT - t->offset;
    }
    return dense && t->offset == 0 && t->layout == KILN_ROW_MAJOR;
}

kiln_status plan_validate_tensors(const kiln_plan *plan, kiln_error *error) {
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
