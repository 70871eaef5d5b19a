/* Building plan files: records, the layout of the container, checksums. */
#include "runtime/plan/builder.h"
#include "runtime/base/checksum.h"
#include "runtime/base/files.h"
#include "runtime/base/memory.h"
#include "runtime/plan/plan.h"

#include <string.h>

/* ---- Records ------------------------------------------------------------------------------- */

void builder_begin(plan_builder *out_builder, const kiln_allocator *allocator) {
    plan_builder *b = out_builder;
    *b = (plan_builder){.allocator = allocator, .optional.allocator = allocator};
    for (int k = 0; k < KILN_SECTION_COUNT; k++) {
        b->sections[k].allocator = allocator;
    }
}

void builder_free(plan_builder *b) {
    for (int k = 0; k < KILN_SECTION_COUNT; k++) {
        buffer_free(&b->sections[k]);
    }
    buffer_free(&b->optional);
}

bool builder_failed(const plan_builder *b) {
    bool failed = b->optional.failed;
    for (int k = 0; k < KILN_SECTION_COUNT; k++) {
        failed = failed || b->sections[k].failed;
    }
    return failed;
}

size_t builder_count(const plan_builder *b, kiln_plan_section_kind kind, size_t record_bytes) {
    return b->sections[kind].size / record_bytes;
}

void builder_append(plan_builder *b, kiln_plan_section_kind kind, const void *data, size_t size) {
    buffer_append(&b->sections[kind], data, size);
}

uint32_t builder_string(plan_builder *b, const char *text) {
    byte_buffer *strings = &b->sections[KILN_SECTION_STRINGS];
    if (strings->size == 0) {
        buffer_append(strings, "", 1);
    }
    if (text == NULL || text[0] == '\0') {
        return 0;
    }
    size_t at = strings->size, length = strlen(text);
    if (at > UINT32_MAX - 1 || length > UINT32_MAX - 1 - at) {
        strings->failed = true;
    }
    buffer_append(strings, text, length + 1);
    return strings->failed ? 0 : (uint32_t)at;
}

void builder_step(plan_builder *b, const kiln_plan_step *like, const void *params,
                  size_t params_bytes, const uint32_t *operands) {
    kiln_plan_step step = *like;
    buffer_pad(&b->sections[KILN_SECTION_PARAMS], 8);
    step.first_operand = (uint32_t)builder_count(b, KILN_SECTION_OPERANDS, sizeof *operands);
    step.params_offset = (uint32_t)b->sections[KILN_SECTION_PARAMS].size;
    step.params_bytes = (uint32_t)params_bytes;
    builder_append(b, KILN_SECTION_PARAMS, params, params_bytes);
    builder_append(b, KILN_SECTION_OPERANDS, operands,
                   ((size_t)step.input_count + step.output_count) * sizeof *operands);
    builder_append(b, KILN_SECTION_STEPS, &step, sizeof step);
}

void builder_preprocess(plan_builder *b, const kiln_preprocess *from) {
    if (from->present) {
        kiln_plan_preprocess_record record = {
            .bgr = from->bgr, .resize = from->resize, .crop_fraction = from->crop_fraction};
        memcpy(record.scale, from->scale, sizeof record.scale);
        memcpy(record.bias, from->bias, sizeof record.bias);
        builder_append(b, KILN_SECTION_PREPROCESS, &record, sizeof record);
    }
}

static uint64_t align(uint64_t value, uint64_t alignment) {
    return (value + alignment - 1) / alignment * alignment;
}

/* Takes away the optional section that has the tag, where there is one; those behind it move up. */
static void drop_optional(plan_builder *b, const char *tag) {
    byte_buffer *bytes = &b->optional;
    for (size_t at = 0, next; at < bytes->size && !bytes->failed; at = next) {
        kiln_plan_optional record;
        memcpy(&record, bytes->data + at, sizeof record);
        next = (size_t)align(at + sizeof record + record.bytes, KILN_PLAN_SECTION_ALIGNMENT);
        next = next < bytes->size ? next : bytes->size;
        if (strncmp(record.tag, tag, sizeof record.tag) == 0) {
            memmove(bytes->data + at, bytes->data + next, bytes->size - next);
            bytes->size -= next - at;
            b->header.optional_count--;
            return;
        }
    }
}

void builder_optional(plan_builder *b, const char *tag, kiln_span content) {
    drop_optional(b, tag);
    if (content.size == 0) {
        return;
    }
    kiln_plan_optional record = {.bytes = content.size,
                                 .checksum = checksum(content.data, content.size)};
    size_t length = strlen(tag);
    memcpy(record.tag, tag, length < sizeof record.tag ? length : sizeof record.tag);
    record.record_checksum = checksum(&record, offsetof(kiln_plan_optional, record_checksum));
    buffer_pad(&b->optional, KILN_PLAN_SECTION_ALIGNMENT);
    buffer_append(&b->optional, &record, sizeof record);
    buffer_append(&b->optional, content.data, content.size);
    b->header.optional_count++;
}

void builder_keep_optional(plan_builder *b, const kiln_plan *plan) {
    kiln_span bytes = plan_optional_bytes(plan);
    buffer_pad(&b->optional, KILN_PLAN_SECTION_ALIGNMENT);
    buffer_append(&b->optional, bytes.data, bytes.size);
    b->header.optional_count += plan->header.optional_count;
}

void builder_copy(plan_builder *b, const kiln_plan *plan) {
    builder_begin(b, &plan->allocator);
    b->header = plan->header;
    b->header.optional_count = 0;
    builder_keep_optional(b, plan);
    for (int k = 0; k < KILN_SECTION_WEIGHTS; k++) {
        const kiln_plan_section *s = &b->header.sections[k];
        builder_append(b, (kiln_plan_section_kind)k, plan->records + s->offset, (size_t)s->bytes);
    }
}

/* ---- Layout -------------------------------------------------------------------------------- */

uint64_t builder_constant(plan_builder *b, uint64_t bytes) {
    uint64_t offset = b->constant_bytes;
    b->constant_bytes = align(offset + bytes, KILN_PLAN_WEIGHT_ALIGNMENT);
    return offset;
}

uint64_t builder_weight_bytes(const plan_builder *b) {
    return b->constant_bytes + KILN_PLAN_WEIGHT_ALIGNMENT;
}

void builder_lay_out(plan_builder *b) {
    uint64_t offset = sizeof b->header;
    for (int k = 0; k < KILN_SECTION_WEIGHTS; k++) {
        offset = align(offset, KILN_PLAN_SECTION_ALIGNMENT);
        b->header.sections[k] = (kiln_plan_section){.offset = offset, .bytes = b->sections[k].size};
        offset += b->sections[k].size;
    }
    offset = align(offset, KILN_PLAN_SECTION_ALIGNMENT) + b->optional.size;
    b->header.sections[KILN_SECTION_WEIGHTS] =
        (kiln_plan_section){.offset = align(offset, KILN_PLAN_PAGE_ALIGNMENT)};
}

/* ---- Writing ------------------------------------------------------------------------------- */

static void complete_header(plan_builder *b, uint64_t weight_bytes) {
    kiln_plan_header *h = &b->header;
    memcpy(h->magic, KILN_PLAN_MAGIC, sizeof h->magic);
    h->version = KILN_PLAN_VERSION;
    h->header_bytes = sizeof *h;
    h->sections[KILN_SECTION_WEIGHTS].bytes = weight_bytes;
    h->file_bytes = h->sections[KILN_SECTION_WEIGHTS].offset + weight_bytes;
    for (int k = 0; k < KILN_SECTION_WEIGHTS; k++) {
        h->sections[k].checksum = checksum(b->sections[k].data, b->sections[k].size);
    }
    h->checksum = checksum(h, offsetof(kiln_plan_header, checksum));
}

kiln_status builder_to_file(void *context, const void *data, size_t size, kiln_error *error) {
    return file_write(context, data, size, error);
}

kiln_status builder_zeros(plan_sink write, void *context, uint64_t count, kiln_error *error) {
    static const uint8_t zeros[256];
    kiln_status status = KILN_OK;
    for (uint64_t done = 0, next; done < count && status == KILN_OK; done += next) {
        next = count - done < sizeof zeros ? count - done : sizeof zeros;
        status = write(context, zeros, (size_t)next, error);
    }
    return status;
}

/* A file being written, whose gaps write_at fills with zeros. */
typedef struct writing {
    plan_sink write;
    void *context;
    uint64_t written;
    kiln_error *error;
} writing;

static kiln_status write_at(writing *w, uint64_t offset, const void *data, size_t size) {
    kiln_status status = builder_zeros(w->write, w->context, offset - w->written, w->error);
    if (status == KILN_OK && size > 0) {
        status = w->write(w->context, data, size, w->error);
    }
    w->written = offset + size;
    return status;
}

kiln_status builder_write(plan_builder *b, uint64_t weight_bytes, plan_sink write, void *context,
                          kiln_error *error) {
    writing w = {write, context, 0, error};
    if (builder_failed(b)) {
        return memory_fail(error);
    }
    complete_header(b, weight_bytes);
    kiln_status status = write_at(&w, 0, &b->header, sizeof b->header);
    for (int k = 0; k < KILN_SECTION_WEIGHTS && status == KILN_OK; k++) {
        status =
            write_at(&w, b->header.sections[k].offset, b->sections[k].data, b->sections[k].size);
    }
    if (status == KILN_OK && b->optional.size > 0) {
        uint64_t offset = align(w.written, KILN_PLAN_SECTION_ALIGNMENT);
        status = write_at(&w, offset, b->optional.data, b->optional.size);
    }
    return status == KILN_OK
               ? write_at(&w, b->header.sections[KILN_SECTION_WEIGHTS].offset, NULL, 0)
               : status;
}
