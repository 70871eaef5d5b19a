/* Opening plans: from a path, a descriptor or memory; and what can be asked of one. */
#include "runtime/base/allocator.h"
#include "runtime/base/files.h"
#include "runtime/base/memory.h"
#include "runtime/base/options.h"
#include "runtime/plan/choices.h"
#include "runtime/plan/packed.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- Opening ------------------------------------------------------------------------------- */

/* What sessions of the plan share and write to. */
static kiln_status make_shared_state(kiln_plan *plan, const kiln_plan_options *options,
                                     kiln_error *error) {
    plan_log log = {options->log, options->log_context};
    plan->verified = memory_zeros(&plan->allocator, plan->view.tensor_count + 1, 1);
    if (plan->verified == NULL) {
        return memory_fail(error);
    }
    return plan->weights_of == NULL
               ? packed_create(plan, options->prepacked_path, log, &plan->packed, error)
               : KILN_OK;
}

/* Records are read where they lie, and hold numbers of 8 bytes, so they are copied where the plan
 * begins between two multiples of 8. (Constants of such numbers are copied by sessions, in
 * load_constant.) */
static kiln_status align_records(kiln_plan *plan, kiln_error *error) {
    plan->records = plan->bytes;
    if ((uintptr_t)plan->bytes % 8 == 0) {
        return KILN_OK;
    }
    uint64_t end = plan->header.sections[KILN_SECTION_WEIGHTS].offset;
    size_t bytes = end < plan->size ? (size_t)end : plan->size;
    plan->records = plan->copy = memory_aligned(&plan->allocator, bytes);
    if (plan->copy == NULL) {
        return memory_fail(error);
    }
    memcpy(plan->copy, plan->bytes, bytes);
    return KILN_OK;
}

/* A plan without bytes yet; NULL: there is no memory. */
static kiln_plan *begin_plan(const kiln_plan_options *options) {
    kiln_plan *plan = memory_zeros(options->allocator, 1, sizeof *plan);
    if (plan != NULL) {
        plan->allocator = options->allocator != NULL ? *options->allocator : *default_allocator();
        plan->skip_weight_checksums = options->skip_weight_checksums;
    }
    return plan;
}

/* Hands out a plan that was begun, or closes it where that failed. */
static kiln_status end_plan(kiln_plan *plan, kiln_status status, kiln_plan **out_plan) {
    if (status == KILN_OK) {
        *out_plan = plan;
    } else {
        kiln_plan_close(plan);
    }
    return status;
}

/* Looks at the bytes of a plan that was begun, and ends it. */
static kiln_status take_bytes(kiln_plan *plan, const void *bytes, size_t size,
                              const kiln_plan_options *options, kiln_plan **out_plan,
                              kiln_error *error) {
    plan->bytes = bytes;
    plan->size = size;
    kiln_status status = plan_read_header(plan, error);
    if (status == KILN_OK) {
        status = align_records(plan, error);
    }
    if (status == KILN_OK) {
        status = plan_validate(plan, error);
    }
    if (status == KILN_OK) {
        status = choices_of_section(plan, error);
    }
    if (status == KILN_OK) {
        status = make_shared_state(plan, options, error);
    }
    return end_plan(plan, status, out_plan);
}

kiln_status plan_open_owned(void *bytes, size_t size, const kiln_plan *weights_of,
                            kiln_plan **out_plan, kiln_error *error) {
    const kiln_plan_options options = {.allocator = &weights_of->allocator};
    kiln_plan *plan = begin_plan(&options);
    if (plan == NULL) {
        memory_free(bytes);
        return memory_fail(error);
    }
    plan->weights_of = weights_of;
    plan->owned = bytes;
    return take_bytes(plan, bytes, size, &options, out_plan, error);
}

kiln_status plan_open_chosen(const kiln_plan *of, const uint8_t *choice, kiln_plan **out_plan,
                             kiln_error *error) {
    const kiln_plan_options options = {.allocator = &of->allocator};
    kiln_plan *plan = begin_plan(&options);
    if (plan == NULL) {
        return memory_fail(error);
    }
    plan->bytes = of->bytes;
    plan->size = of->size;
    plan->view = of->view;
    plan->view.choices = NULL;
    plan->header = of->header;
    plan->records = of->records;
    plan->weights_of = of;
    kiln_status status = choices_set(plan, choice, error);
    if (status == KILN_OK) {
        status = make_shared_state(plan, &options, error);
    }
    return end_plan(plan, status, out_plan);
}

kiln_status kiln_plan_open_memory(kiln_span bytes, const kiln_plan_options *options,
                                  kiln_plan **out_plan, kiln_error *error) {
    kiln_plan_options used;
    if (out_plan != NULL) {
        *out_plan = NULL;
    }
    if (out_plan == NULL || bytes.data == NULL ||
        (uintptr_t)bytes.data % KILN_PLAN_ALIGNMENT != 0) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT,
                         "a plan in memory needs data aligned to %u bytes", KILN_PLAN_ALIGNMENT);
    }
    kiln_status status = OPTIONS_TAKE(kiln_plan_options, options, &used, error);
    if (status != KILN_OK) {
        return status;
    }
    kiln_plan *plan = begin_plan(&used);
    return plan != NULL ? take_bytes(plan, bytes.data, bytes.size, &used, out_plan, error)
                        : memory_fail(error);
}

static kiln_status read_all(int descriptor, uint64_t offset, uint8_t *out, size_t size,
                            kiln_error *error) {
    for (size_t done = 0; done < size;) {
        ssize_t got = pread(descriptor, out + done, size - done, (off_t)(offset + done));
        if (got < 0 && errno != EINTR) {
            return kiln_fail(error, KILN_ERROR_IO, "cannot read: %s", strerror(errno));
        }
        if (got == 0) {
            return kiln_fail(error, KILN_ERROR_IO, "the file has become shorter");
        }
        done += got > 0 ? (size_t)got : 0;
    }
    return KILN_OK;
}

static kiln_status read_plan(kiln_plan *plan, int descriptor, uint64_t offset, size_t length,
                             kiln_error *error) {
    plan->copy = memory_aligned(&plan->allocator, length);
    return plan->copy != NULL
               ? read_all(descriptor, offset, plan->copy, length, error)
               : kiln_fail(error, KILN_ERROR_MEMORY, "no memory for a plan of %zu bytes", length);
}

/* Maps [offset, offset + length) of a file; the mapping begins at the page below. */
static kiln_status map_plan(kiln_plan *plan, int descriptor, uint64_t offset, size_t length,
                            kiln_error *error) {
    size_t before = (size_t)(offset % (uint64_t)sysconf(_SC_PAGESIZE));
    void *mapping =
        mmap(NULL, length + before, PROT_READ, MAP_PRIVATE, descriptor, (off_t)(offset - before));
    if (mapping == MAP_FAILED) {
        return errno == ENOMEM ? memory_fail(error)
                               : kiln_fail(error, KILN_ERROR_IO, "cannot map: %s", strerror(errno));
    }
    plan->mapping = mapping;
    plan->mapping_size = length + before;
    return KILN_OK;
}

static kiln_status take_plan(int descriptor, uint64_t offset, uint64_t length,
                             const kiln_plan_options *options, kiln_plan **out_plan,
                             kiln_error *error) {
    kiln_plan_options used;
    kiln_status status = OPTIONS_TAKE(kiln_plan_options, options, &used, error);
    if (status != KILN_OK) {
        return status;
    }
    if (length == 0 || length > SIZE_MAX / 2 || offset > INT64_MAX - length) {
        return kiln_fail(error, KILN_ERROR_FORMAT, "not a plan: empty file");
    }
    kiln_plan *plan = begin_plan(&used);
    if (plan == NULL) {
        return memory_fail(error);
    }
    size_t size = (size_t)length;
    status = (used.read_into_memory ? read_plan : map_plan)(plan, descriptor, offset, size, error);
    if (status != KILN_OK) {
        return end_plan(plan, status, out_plan);
    }
    const uint8_t *bytes = plan->mapping != NULL
                               ? (const uint8_t *)plan->mapping + plan->mapping_size - size
                               : plan->copy;
    return take_bytes(plan, bytes, size, &used, out_plan, error);
}

kiln_status kiln_plan_open_fd(int descriptor, uint64_t offset, uint64_t length,
                              const kiln_plan_options *options, kiln_plan **out_plan,
                              kiln_error *error) {
    struct stat file;
    if (out_plan != NULL) {
        *out_plan = NULL;
    }
    if (out_plan == NULL || offset % KILN_PLAN_ALIGNMENT != 0) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT, "the plan's offset must be a multiple of %u",
                         KILN_PLAN_ALIGNMENT);
    }
    if (fstat(descriptor, &file) != 0) {
        return kiln_fail(error, KILN_ERROR_IO, "descriptor %d: %s", descriptor, strerror(errno));
    }
    /* Reading past a file's end through a mapping is a signal, not an error: check here. */
    if (!S_ISREG(file.st_mode) || offset > (uint64_t)file.st_size ||
        length > (uint64_t)file.st_size - offset) {
        return kiln_fail(error, KILN_ERROR_FORMAT,
                         "descriptor %d: no regular file of %llu bytes from offset %llu",
                         descriptor, (unsigned long long)length, (unsigned long long)offset);
    }
    return take_plan(descriptor, offset, length, options, out_plan, error);
}

kiln_status kiln_plan_open(const char *path, const kiln_plan_options *options, kiln_plan **out_plan,
                           kiln_error *error) {
    int descriptor;
    size_t size;
    if (out_plan != NULL) {
        *out_plan = NULL;
    }
    if (path == NULL || out_plan == NULL) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT, "kiln_plan_open: no path");
    }
    kiln_status status = file_open(path, &descriptor, &size, error);
    if (status != KILN_OK) {
        return status;
    }
    kiln_error detail = {0};
    status = take_plan(descriptor, 0, size, options, out_plan, &detail);
    (void)close(descriptor);
    return status == KILN_OK ? KILN_OK : kiln_fail(error, status, "%s: %s", path, detail.message);
}

void kiln_plan_close(kiln_plan *plan) {
    if (plan == NULL) {
        return;
    }
    packed_destroy(plan->packed);
    memory_free(plan->verified);
    if (plan->mapping != NULL) {
        (void)munmap(plan->mapping, plan->mapping_size);
    }
    memory_free(plan->copy);
    memory_free(plan->owned);
    memory_free(plan->choices);
    memory_free(plan);
}

/* ---- Asking -------------------------------------------------------------------------------- */

void tensor_info(const kiln_plan_view *view, uint32_t tensor, kiln_tensor_info *out_info) {
    const kiln_plan_tensor_record *record = &view->tensors[tensor];
    *out_info = (kiln_tensor_info){.name = view->strings + record->name,
                                   .dtype = (kiln_dtype)record->dtype,
                                   .rank = record->rank,
                                   .batched = record->batched != 0};
    memcpy(out_info->dims, record->dims, record->rank * sizeof *record->dims);
    uint64_t elements = kiln_plan_tensor_elements(record);
    out_info->bytes = (size_t)(elements * kiln_dtype_size(out_info->dtype));
}

size_t kiln_plan_input_count(const kiln_plan *plan) {
    return plan->view.input_count;
}

size_t kiln_plan_output_count(const kiln_plan *plan) {
    return plan->view.output_count;
}

kiln_status kiln_plan_input(const kiln_plan *plan, size_t index, kiln_tensor_info *out_info) {
    if (index >= plan->view.input_count) {
        return KILN_ERROR_ARGUMENT;
    }
    tensor_info(&plan->view, plan->view.inputs[index], out_info);
    return KILN_OK;
}

kiln_status kiln_plan_output(const kiln_plan *plan, size_t index, kiln_tensor_info *out_info) {
    if (index >= plan->view.output_count) {
        return KILN_ERROR_ARGUMENT;
    }
    tensor_info(&plan->view, plan->view.outputs[index], out_info);
    return KILN_OK;
}

kiln_status kiln_plan_tensor(const kiln_plan *plan, const char *name, kiln_tensor_info *out_info,
                             kiln_error *error) {
    for (uint32_t t = 0; t < plan->view.tensor_count; t++) {
        const kiln_plan_tensor_record *record = &plan->view.tensors[t];
        if (record->place == KILN_PLACE_ARENA && name[0] != '\0' &&
            strcmp(plan->view.strings + record->name, name) == 0) {
            tensor_info(&plan->view, t, out_info);
            return KILN_OK;
        }
    }
    return kiln_fail(error, KILN_ERROR_ARGUMENT, "the plan has no intermediate tensor '%s'", name);
}

bool kiln_plan_is_batchable(const kiln_plan *plan) {
    return plan->view.header->batchable != 0;
}

size_t kiln_plan_label_count(const kiln_plan *plan) {
    return plan->view.label_count;
}

const char *kiln_plan_label(const kiln_plan *plan, size_t index) {
    return index < plan->view.label_count ? plan->view.strings + plan->view.labels[index] : NULL;
}

const char *kiln_plan_metadata(const kiln_plan *plan, const char *key) {
    for (size_t k = 0; k < plan->view.metadata_count; k++) {
        if (strcmp(plan->view.strings + plan->view.metadata[k].key, key) == 0) {
            return plan->view.strings + plan->view.metadata[k].value;
        }
    }
    return NULL;
}

void kiln_plan_preprocess(const kiln_plan *plan, kiln_preprocess *out_preprocess) {
    *out_preprocess = (kiln_preprocess){.crop_fraction = 0.875f, .scale = {1, 1, 1, 1}};
    if (plan->view.preprocess_count == 0) {
        return;
    }
    const kiln_plan_preprocess_record *record = plan->view.preprocess;
    out_preprocess->present = true;
    out_preprocess->bgr = record->bgr != 0;
    out_preprocess->resize = record->resize;
    out_preprocess->crop_fraction = record->crop_fraction;
    memcpy(out_preprocess->scale, record->scale, sizeof record->scale);
    memcpy(out_preprocess->bias, record->bias, sizeof record->bias);
}

void kiln_plan_inspect(const kiln_plan *plan, kiln_plan_view *out_view) {
    *out_view = plan->view;
}
