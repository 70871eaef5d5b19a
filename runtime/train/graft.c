/* Cutting a plan: which steps make a tensor, and which tensor to cut at. */
#include "runtime/plan/layout.h"
#include "runtime/train/parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- What made a tensor -------------------------------------------------------------------- */

static bool same_memory(const kiln_plan_tensor_record *a, const kiln_plan_tensor_record *b) {
    return a->place == b->place && a->storage == b->storage &&
           (a->place == KILN_PLACE_ARENA || a == b);
}

/* Views of one storage are tensors of their own: memory decides, not the index. */
bool graft_producer(const kiln_plan_view *v, uint32_t tensor, size_t before, size_t *out_step) {
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

typedef struct grafting {
    plan_parts *p;
    const kiln_plan_view *v;
    uint8_t *step_kept, *storage_needed;
    uint32_t *tensors, *storages; /* new indices by old, or NONE */
} grafting;

static bool needs_output(const grafting *g, const kiln_plan_step *step) {
    for (uint32_t k = 0; k < step->output_count; k++) {
        uint32_t t = g->v->operands[step->first_operand + step->input_count + k];
        if (t != KILN_PLAN_NONE && g->v->tensors[t].place == KILN_PLACE_ARENA &&
            g->storage_needed[g->v->tensors[t].storage]) {
            return true;
        }
    }
    return false;
}

static void mark_steps(grafting *g, uint32_t tensor) {
    g->storage_needed[g->v->tensors[tensor].storage] = 1;
    for (size_t s = steps_until(g->v, tensor); s-- > 0;) {
        const kiln_plan_step *step = &g->v->steps[s];
        if (!needs_output(g, step)) {
            continue;
        }
        g->step_kept[s] = 1;
        for (uint32_t k = 0; k < step->input_count; k++) {
            uint32_t t = g->v->operands[step->first_operand + k];
            if (t != KILN_PLAN_NONE && g->v->tensors[t].place == KILN_PLACE_ARENA) {
                g->storage_needed[g->v->tensors[t].storage] = 1;
            }
        }
    }
}

static uint32_t keep_tensor(grafting *g, uint32_t old) {
    if (old == KILN_PLAN_NONE || g->tensors[old] != KILN_PLAN_NONE) {
        return old == KILN_PLAN_NONE ? old : g->tensors[old];
    }
    kiln_plan_tensor_record record = g->v->tensors[old];
    record.name = parts_string(g->p, g->v->strings + record.name);
    if (record.place == KILN_PLACE_ARENA) {
        uint32_t *storage = &g->storages[record.storage];
        if (*storage == KILN_PLAN_NONE) {
            *storage =
                (uint32_t)parts_count(g->p, KILN_SECTION_STORAGES, sizeof(kiln_plan_storage));
            parts_append(g->p, KILN_SECTION_STORAGES, &g->v->storages[record.storage],
                         sizeof(kiln_plan_storage));
        }
        record.storage = *storage;
    }
    bool constant = record.place == KILN_PLACE_CONSTANT;
    g->tensors[old] = parts_tensor(g->p, &record, constant ? g->v->weights + record.offset : NULL);
    return g->tensors[old];
}

static void keep_step(grafting *g, const kiln_plan_step *step) {
    uint32_t operands[UINT8_MAX * 2];
    for (uint32_t k = 0; k < (uint32_t)step->input_count + step->output_count; k++) {
        operands[k] = keep_tensor(g, g->v->operands[step->first_operand + k]);
    }
    parts_step(g->p, step, g->v->strings + step->name, g->v->strings + step->origin,
               g->v->params + step->params_offset, step->params_bytes, operands);
}

/* A band of which the last steps are cut off goes on row by row: its windows hold at least those.
 */
static void keep_bands(grafting *g) {
    uint32_t kept = 0, step = 0;
    for (size_t b = 0; b < g->v->band_count; b++) {
        kiln_plan_band band = g->v->bands[b];
        for (; step < band.first_step; step++) {
            kept += g->step_kept[step];
        }
        uint32_t first = kept, count = band.last_step - band.first_step + 1;
        for (; step <= band.last_step; step++) {
            kept += g->step_kept[step];
        }
        band.first_step = first;
        band.last_step = kept - 1;
        band.rows = kept - first == count ? band.rows : 1;
        if (kept - first > 1) {
            parts_append(g->p, KILN_SECTION_BANDS, &band, sizeof band);
        }
    }
}

uint32_t graft_steps(plan_parts *p, const kiln_plan *plan, uint32_t tensor) {
    const kiln_plan_view *v = &plan->view;
    grafting g = {p,
                  v,
                  calloc(v->step_count + 1, 1),
                  calloc(v->storage_count + 1, 1),
                  malloc((v->tensor_count + 1) * sizeof(uint32_t)),
                  malloc((v->storage_count + 1) * sizeof(uint32_t))};
    uint32_t result = 0;
    p->batchable = v->header->batchable;
    p->failed = p->failed || g.step_kept == NULL || g.storage_needed == NULL || g.tensors == NULL ||
                g.storages == NULL;
    if (!p->failed) {
        memset(g.tensors, 0xff, v->tensor_count * sizeof(uint32_t));
        memset(g.storages, 0xff, v->storage_count * sizeof(uint32_t));
        for (size_t k = 0; k < v->input_count; k++) {
            uint32_t index = keep_tensor(&g, v->inputs[k]);
            parts_append(p, KILN_SECTION_INPUTS, &index, sizeof index);
        }
        mark_steps(&g, tensor);
        for (size_t s = 0; s < v->step_count; s++) {
            if (g.step_kept[s]) {
                keep_step(&g, &v->steps[s]);
            }
        }
        keep_bands(&g);
        result = keep_tensor(&g, tensor);
    }
    free(g.step_kept);
    free(g.storage_needed);
    free(g.tensors);
    free(g.storages);
    return result;
}

/* ---- Where to cut -------------------------------------------------------------------------- */

static bool find_by_name(const kiln_plan_view *v, const char *name, uint32_t *out_tensor) {
    for (uint32_t t = 0; t < v->tensor_count; t++) {
        if (v->tensors[t].place == KILN_PLACE_ARENA &&
            strcmp(v->strings + v->tensors[t].name, name) == 0) {
            *out_tensor = t;
            return true;
        }
    }
    for (size_t s = 0; s < v->step_count; s++) {
        const kiln_plan_step *step = &v->steps[s];
        uint32_t t = v->operands[step->first_operand + step->input_count];
        if (strcmp(v->strings + step->name, name) == 0 && t != KILN_PLAN_NONE &&
            v->tensors[t].place == KILN_PLACE_ARENA) {
            *out_tensor = t;
            return true;
        }
    }
    return false;
}

static uint32_t first_input(const kiln_plan_view *v, size_t step) {
    return v->operands[v->steps[step].first_operand];
}

static bool is_element_wise(uint16_t kernel) {
    return kernel == KILN_KERNEL_COPY || kernel == KILN_KERNEL_CAST ||
           kernel == KILN_KERNEL_UNARY || kernel == KILN_KERNEL_SOFTMAX ||
           kernel == KILN_KERNEL_LP_NORM;
}

/* A classifier without dense layers: 1x1 convolution, average over positions, softmax. */
static bool pooled_convolution(const kiln_plan_view *v, uint32_t scores, size_t before,
                               uint32_t *out_tensor) {
    size_t pool, conv;
    if (!graft_producer(v, scores, before, &pool) ||
        (v->steps[pool].kernel != KILN_KERNEL_GLOBAL_AVERAGE_POOL &&
         v->steps[pool].kernel != KILN_KERNEL_AVERAGE_POOL_2D) ||
        !graft_producer(v, first_input(v, pool), pool, &conv) ||
        v->steps[conv].kernel != KILN_KERNEL_CONV_2D) {
        return false;
    }
    const kiln_plan_tensor_record *w = &v->tensors[v->operands[v->steps[conv].first_operand + 1]];
    *out_tensor = first_input(v, conv);
    return w->dims[1] == 1 && w->dims[2] == 1;
}

/* Backwards from the output, through what is element-wise, to the first of the final dense layers;
 * without any, to what the last of them would read. */
static void find_features(const kiln_plan_view *v, uint32_t *out_tensor) {
    uint32_t at = v->outputs[v->output_count - 1], dense = KILN_PLAN_NONE, plain = at;
    size_t step = v->step_count;
    bool classifier = false;
    while (graft_producer(v, at, step, &step)) {
        const kiln_plan_step *s = &v->steps[step];
        bool final = (s->flags & KILN_STEP_FINAL_DENSE) != 0;
        if (!final && !is_element_wise(s->kernel)) {
            break;
        }
        at = first_input(v, step);
        dense = final ? at : dense;
        classifier = classifier || s->kernel == KILN_KERNEL_SOFTMAX;
        bool unchanged = s->kernel == KILN_KERNEL_COPY || s->kernel == KILN_KERNEL_CAST ||
                         s->kernel == KILN_KERNEL_SOFTMAX;
        plain = unchanged && dense == KILN_PLAN_NONE ? at : plain;
    }
    *out_tensor = dense != KILN_PLAN_NONE ? dense : plain;
    if (dense == KILN_PLAN_NONE && classifier) {
        uint32_t pooled;
        if (pooled_convolution(v, plain, step + 1, &pooled)) {
            *out_tensor = pooled;
        }
    }
}

kiln_status graft_find_cut(const kiln_plan *plan, const char *name, uint32_t *out_tensor,
                           kiln_error *error) {
    const kiln_plan_view *v = &plan->view;
    if (name != NULL && !find_by_name(v, name, out_tensor)) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT,
                         "the plan has no layer '%s' to cut at (kiln inspect lists them)", name);
    }
    if (name == NULL) {
        find_features(v, out_tensor);
    }
    const kiln_plan_tensor_record *t = &v->tensors[*out_tensor];
    bool sample = t->rank >= 2 && t->dims[0] == 1 && (t->batched || !v->header->batchable);
    if (t->place != KILN_PLACE_ARENA || t->dtype != KILN_F32 || !sample) {
        return kiln_fail(error, KILN_ERROR_UNSUPPORTED,
                         "cannot cut at '%s': features are f32, one row or image a sample",
                         v->strings + t->name);
    }
    if (t->rolling_rows != 0) {
        return kiln_fail(error, KILN_ERROR_UNSUPPORTED,
                         "cannot cut at '%s': only some of its rows are in memory at a time; "
                         "compile with --memory speed",
                         v->strings + t->name);
    }
    return KILN_OK;
}

kiln_status graft_features(plan_parts *p, uint32_t tensor, uint32_t *out_tensor,
                           uint32_t *out_count, kiln_error *error) {
    kiln_plan_tensor_record t = *parts_tensor_at(p, tensor);
    uint64_t positions = 1, channels = t.dims[1];
    for (uint32_t k = 2; k < t.rank; k++) {
        positions *= t.dims[k];
    }
    if (positions > 1 && (t.layout != KILN_CHANNELS_LAST || t.rank < 3)) {
        return kiln_fail(error, KILN_ERROR_UNSUPPORTED,
                         "cannot pool the layer to cut at: %u dimensions, not an image",
                         (unsigned)t.rank);
    }
    *out_count = (uint32_t)channels;
    bool dense = t.row_stride == layout_inner(t.layout, t.rank, t.dims);
    if (positions > 1 || !dense) {
        static const kiln_plan_step pool = {
            .kernel = KILN_KERNEL_GLOBAL_AVERAGE_POOL, .input_count = 1, .output_count = 1};
        if (positions == 1) {
            return kiln_fail(error, KILN_ERROR_UNSUPPORTED,
                             "cannot cut at a slice of a wider layer; cut at the whole");
        }
        kiln_global_pool_params params = {-INFINITY, INFINITY};
        *out_tensor = parts_arena_tensor(p, "features", (uint32_t)channels);
        uint32_t operands[2] = {tensor, *out_tensor};
        parts_step(p, &pool, "pooled features", "GlobalAveragePool", &params, sizeof params,
                   operands);
        return KILN_OK;
    }
    /* A view of the same memory as one row. */
    t.name = parts_string(p, "features");
    t.rank = 2;
    t.layout = KILN_ROW_MAJOR;
    memset(t.dims, 0, sizeof t.dims);
    t.dims[0] = 1;
    t.dims[1] = t.row_stride = (uint32_t)channels;
    *out_tensor = parts_tensor(p, &t, NULL);
    return KILN_OK;
}
