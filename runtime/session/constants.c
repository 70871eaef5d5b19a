/* A session's constants: checked against their checksums, widened from what they are stored as,
 * given back once packed.
 */
#include "runtime/base/checksum.h"
#include "runtime/session/session.h"

#include <string.h>
#include <sys/mman.h>

#define RELEASE_BYTES ((size_t)1 << 14) /* constants that are smaller are not worth a call */
/* Reading a page brings in its neighbours, which may be another constant's that has been given
 * back: Linux's fault_around_bytes. */
#define RELEASE_UNIT ((uintptr_t)1 << 16)

static kiln_status verify_constant(kiln_session *s, uint32_t tensor, kiln_error *error) {
    const kiln_plan_view *v = &s->plan->view;
    const kiln_plan_tensor_record *t = &v->tensors[tensor];
    if (!atomic_load(&s->plan->verified[tensor]) && !s->plan->skip_weight_checksums) {
        size_t bytes = (size_t)kiln_plan_tensor_bytes(t);
        if (checksum(v->weights + t->offset, bytes) != t->checksum) {
            return kiln_fail(error, KILN_ERROR_FORMAT,
                             "damaged plan: the checksum of weights '%.80s' does not match",
                             v->strings + t->name);
        }
    }
    atomic_store(&s->plan->verified[tensor], 1);
    return KILN_OK;
}

#define WIDEN_TASK ((size_t)1 << 16) /* elements */

typedef struct widening {
    const kiln_plan_view *view;
    const kiln_plan_tensor_record *from;
    float *to;
} widening;

static void widen_range(void *context, size_t begin, size_t count) {
    const widening *w = context;
    kiln_plan_widen(w->view, w->from, begin, count, w->to + begin);
}

static kiln_status widen(kiln_session *s, uint32_t tensor, kiln_error *error) {
    const kiln_plan_view *v = &s->plan->view;
    const kiln_plan_tensor_record *t = &v->tensors[tensor];
    widened *w = &s->widened[tensor];
    size_t count = (size_t)kiln_plan_tensor_elements(t); /* each takes a byte of the plan or more */
    bool fits = count <= SIZE_MAX / 2 / sizeof(float);
    w->data = fits ? memory_aligned(&s->allocator, count * sizeof(float)) : NULL;
    if (w->data == NULL) {
        return memory_fail(error);
    }
    widening job = {v, t, w->data};
    thread_pool_ranges(s->host.pool, widen_range, &job, count, WIDEN_TASK);
    return KILN_OK;
}

/* Numbers of 8 bytes of a plan that does not begin at a multiple of 8. */
static kiln_status align_constant(kiln_session *s, uint32_t tensor, kiln_error *error) {
    const kiln_plan_view *v = &s->plan->view;
    const kiln_plan_tensor_record *t = &v->tensors[tensor];
    widened *w = &s->widened[tensor];
    size_t bytes = (size_t)kiln_plan_tensor_bytes(t);
    w->data = memory_aligned(&s->allocator, bytes);
    if (w->data == NULL) {
        return memory_fail(error);
    }
    memcpy(w->data, v->weights + t->offset, bytes);
    return KILN_OK;
}

kiln_status load_constant(kiln_session *s, operand *o, bool as_stored, kiln_error *error) {
    const kiln_plan_view *v = &s->plan->view;
    uint32_t tensor = (uint32_t)(o->record - v->tensors);
    kiln_status status = verify_constant(s, tensor, error);
    bool read_so = as_stored && o->record->stored_dtype == KILN_F16;
    bool narrow = o->record->stored_dtype != o->record->dtype && !read_so;
    const uint8_t *stored = v->weights + o->record->offset;
    bool moved = (uintptr_t)stored % kiln_dtype_size((kiln_dtype)o->record->stored_dtype) != 0;
    if (status == KILN_OK && (narrow || moved) && s->widened[tensor].data == NULL) {
        status = narrow ? widen(s, tensor, error) : align_constant(s, tensor, error);
    }
    if (status != KILN_OK) {
        return status;
    }
    /* Kernels only read constants; the operand's pointer is not const for the others' sake. */
    memcpy(&o->data,
           narrow || moved ? (const void *)&s->widened[tensor].data : (const void *)&stored,
           sizeof o->data);
    return KILN_OK;
}

kiln_status load_constants(kiln_session *s, kernel_call *call, bool packs, kiln_error *error) {
    const kernel *kernel = call->kernel;
    kiln_status status = KILN_OK;
    for (uint32_t k = 0; k < call->input_count && status == KILN_OK; k++) {
        if (call->inputs[k].constant && !(k == 1 && packs)) {
            bool as_stored = k < 8 && (kernel->reads_f16 >> k & 1) != 0;
            status = load_constant(s, &call->inputs[k], as_stored, error);
            widened *w = &s->widened[call->inputs[k].record - s->plan->view.tensors];
            w->kept = w->kept || !kernel->packs_constants;
        }
    }
    return status;
}

/* Gives back the pages of a constant, and those that came with them: what is not packed yet, or is
 * read as it lies, comes again when it is read. */
static void give_back(const kiln_plan *plan, const uint8_t *data, size_t bytes) {
    uintptr_t first = (uintptr_t)plan->mapping, last = first + plan->mapping_size;
    uintptr_t begin = (uintptr_t)data / RELEASE_UNIT * RELEASE_UNIT;
    uintptr_t end = ((uintptr_t)data + bytes + RELEASE_UNIT - 1) / RELEASE_UNIT * RELEASE_UNIT;
    begin = begin < first ? first : begin;
    end = end > last ? last : end;
    if (plan->mapping != NULL && bytes >= RELEASE_BYTES) {
        (void)madvise((void *)begin, end - begin, MADV_DONTNEED);
    }
}

/* After packing, the plan's pages are not needed again: so that the weights are in memory once. */
void drop_constants(kiln_session *s, kernel_call *call) {
    const kiln_plan_view *v = &s->plan->view;
    for (uint32_t k = 0; k < call->input_count; k++) {
        operand *o = &call->inputs[k];
        if (!o->constant || o->data == NULL) {
            continue;
        }
        widened *w = &s->widened[o->record - v->tensors];
        if (!w->kept) {
            memory_free(w->data);
            *w = (widened){0};
        }
        o->data = NULL;
        give_back(s->plan, v->weights + o->record->offset,
                  (size_t)kiln_plan_tensor_bytes(o->record));
    }
}
