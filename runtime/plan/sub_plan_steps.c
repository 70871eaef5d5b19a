/* Taking over the steps of another plan that make a tensor. */
#include "runtime/base/memory.h"
#include "runtime/plan/plan.h"
#include "runtime/plan/sub_plan.h"

#include <string.h>

/* ---- What made a tensor -------------------------------------------------------------------- */

static bool same_memory(const kiln_plan_tensor_record *a, const kiln_plan_tensor_record *b) {
    return a->place == b->place && a->storage == b->storage &&
           (a->place == KILN_PLACE_ARENA || a == b);
}

/* Views of one storage are tensors of their own: memory decides, not the index. */
bool plan_producer(const kiln_plan_view *v, uint32_t tensor, size_t before, size_t *out_step) {
    for (size_t s = before; s-- > 0;) {
        const kiln_plan_step *step = &v->steps[s];
        const uint32_t *outputs = v->operands + step->first_operand + step->input_count;
        for (uint32_t k = 0; k < step->output_count; k++) {
            if (outputs[k] != KILN_PLAN_NONE &&
                same_memory(&v->tensors[outputs[k]], &v->tensors[tensor])) {
                *out_step = s;
                return true;
            }
        }
    }
    return false;
}

/* The number of steps after which `tensor` is complete and not yet overwritten in place. */
static size_t steps_until(const kiln_plan_view *v, uint32_t tensor) {
    size_t until = 0;
    for (size_t s = 0; s < v->step_count; s++) {
        const kiln_plan_step *step = &v->steps[s];
        const uint32_t *operands = v->operands + step->first_operand;
        for (uint32_t k = 0; k < (uint32_t)step->input_count + step->output_count; k++) {
            bool reads = k < step->input_count;
            if (operands[k] == tensor && reads && until == 0) {
                return s;
            }
            until = operands[k] == tensor && !reads ? s + 1 : until;
        }
    }
    return until;
}

/* ---- Steps --------------------------------------------------------------------------------- */

typedef struct taking {
    sub_plan *p;
    const kiln_plan_view *v;
    uint8_t *step_kept, *storage_needed;
    uint32_t *tensors, *storages; /* the new index of each old tensor and storage, or NONE */
} taking;

static bool needs_output(const taking *job, const kiln_plan_step *step) {
    for (uint32_t k = 0; k < step->output_count; k++) {
        uint32_t t = job->v->operands[step->first_operand + step->input_count + k];
        if (t != KILN_PLAN_NONE && job->v->tensors[t].place == KILN_PLACE_ARENA &&
            job->storage_needed[job->v->tensors[t].storage]) {
            return true;
        }
    }
    return false;
}

static void mark_steps(taking *job, uint32_t tensor) {
    job->storage_needed[job->v->tensors[tensor].storage] = 1;
    for (size_t s = steps_until(job->v, tensor); s-- > 0;) {
        const kiln_plan_step *step = &job->v->steps[s];
        if (!needs_output(job, step)) {
            continue;
        }
        job->step_kept[s] = 1;
        for (uint32_t k = 0; k < step->input_count; k++) {
            uint32_t t = job->v->operands[step->first_operand + k];
            if (t != KILN_PLAN_NONE && job->v->tensors[t].place == KILN_PLACE_ARENA) {
                job->storage_needed[job->v->tensors[t].storage] = 1;
            }
        }
    }
}

static uint32_t keep_tensor(taking *job, uint32_t old) {
    if (old == KILN_PLAN_NONE || job->tensors[old] != KILN_PLAN_NONE) {
        return old == KILN_PLAN_NONE ? old : job->tensors[old];
    }
    kiln_plan_tensor_record record = job->v->tensors[old];
    record.name = builder_string(&job->p->builder, job->v->strings + record.name);
    if (record.place == KILN_PLACE_ARENA) {
        uint32_t *storage = &job->storages[record.storage];
        if (*storage == KILN_PLAN_NONE) {
            *storage = (uint32_t)builder_count(&job->p->builder, KILN_SECTION_STORAGES,
                                               sizeof(kiln_plan_storage));
            builder_append(&job->p->builder, KILN_SECTION_STORAGES,
                           &job->v->storages[record.storage], sizeof(kiln_plan_storage));
        }
        record.storage = *storage;
    }
    bool constant = record.place == KILN_PLACE_CONSTANT;
    job->tensors[old] =
        sub_plan_tensor(job->p, &record, constant ? job->v->weights + record.offset : NULL);
    return job->tensors[old];
}

static void keep_step(taking *job, const kiln_plan_step *step) {
    uint32_t operands[UINT8_MAX * 2];
    for (uint32_t k = 0; k < (uint32_t)step->input_count + step->output_count; k++) {
        operands[k] = keep_tensor(job, job->v->operands[step->first_operand + k]);
    }
    sub_plan_step(job->p, step, job->v->strings + step->name, job->v->strings + step->origin,
                  job->v->params + step->params_offset, step->params_bytes, operands);
}

/* A band of which the last steps are cut off goes on row by row: its rolling rows are enough for
 * that. */
static void keep_bands(taking *job) {
    uint32_t kept = 0, step = 0;
    for (size_t b = 0; b < job->v->band_count; b++) {
        kiln_plan_band band = job->v->bands[b];
        for (; step < band.first_step; step++) {
            kept += job->step_kept[step];
        }
        uint32_t first = kept, count = band.last_step - band.first_step + 1;
        for (; step <= band.last_step; step++) {
            kept += job->step_kept[step];
        }
        band.first_step = first;
        band.last_step = kept - 1;
        band.rows = kept - first == count ? band.rows : 1;
        if (kept - first > 1) {
            builder_append(&job->p->builder, KILN_SECTION_BANDS, &band, sizeof band);
        }
    }
}

uint32_t sub_plan_take(sub_plan *p, const kiln_plan *plan, uint32_t tensor) {
    const kiln_plan_view *v = &plan->view;
    taking job = {p,
                  v,
                  memory_zeros(p->builder.allocator, v->step_count + 1, 1),
                  memory_zeros(p->builder.allocator, v->storage_count + 1, 1),
                  memory_take(p->builder.allocator, (v->tensor_count + 1) * sizeof(uint32_t)),
                  memory_take(p->builder.allocator, (v->storage_count + 1) * sizeof(uint32_t))};
    uint32_t result = 0;
    p->builder.header.batchable = v->header->batchable;
    p->failed = sub_plan_failed(p) || job.step_kept == NULL || job.storage_needed == NULL ||
                job.tensors == NULL || job.storages == NULL;
    if (!p->failed) {
        memset(job.tensors, 0xff, v->tensor_count * sizeof(uint32_t));
        memset(job.storages, 0xff, v->storage_count * sizeof(uint32_t));
        for (size_t k = 0; k < v->input_count; k++) {
            uint32_t index = keep_tensor(&job, v->inputs[k]);
            builder_append(&p->builder, KILN_SECTION_INPUTS, &index, sizeof index);
        }
        mark_steps(&job, tensor);
        for (size_t s = 0; s < v->step_count; s++) {
            if (job.step_kept[s]) {
                keep_step(&job, &v->steps[s]);
            }
        }
        keep_bands(&job);
        builder_keep_optional(&p->builder, plan);
        result = keep_tensor(&job, tensor);
    }
    memory_free(job.step_kept);
    memory_free(job.storage_needed);
    memory_free(job.tensors);
    memory_free(job.storages);
    return result;
}
