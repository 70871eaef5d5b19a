/* Cutting a plan: where, and the part before as a plan of its own on the other's weights. */
#include "runtime/base/memory.h"
#include "runtime/plan/layout.h"
#include "runtime/plan/plan.h"
#include "runtime/plan/sub_plan.h"

#include <math.h>
#include <string.h>

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
    if (!plan_producer(v, scores, before, &pool) ||
        (v->steps[pool].kernel != KILN_KERNEL_GLOBAL_AVERAGE_POOL &&
         v->steps[pool].kernel != KILN_KERNEL_AVERAGE_POOL_2D) ||
        !plan_producer(v, first_input(v, pool), pool, &conv) ||
        v->steps[conv].kernel != KILN_KERNEL_CONV_2D) {
        return false;
    }
    const kiln_plan_tensor_record *w = &v->tensors[v->operands[v->steps[conv].first_operand + 1]];
    *out_tensor = first_input(v, conv);
    return w->dims[1] == 1 && w->dims[2] == 1;
}

/* Goes backwards from the output, through what is element-wise, to the first of the final dense
 * layers; where there is none, to what such a layer would read. */
static void find_features(const kiln_plan_view *v, uint32_t *out_tensor) {
    uint32_t at = v->outputs[v->output_count - 1], dense = KILN_PLAN_NONE, plain = at;
    size_t step = v->step_count;
    bool classifier = false;
    while (plan_producer(v, at, step, &step)) {
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

kiln_status plan_find_cut(const kiln_plan *plan, const char *name, uint32_t *out_tensor,
                          kiln_error *error) {
    const kiln_plan_view *v = &plan->view;
    if (name != NULL && !find_by_name(v, name, out_tensor)) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT,
                         "the plan has no layer '%s' to cut at (kiln inspect lists them)", name);
    }
    if (name == NULL && v->output_count == 0) {
        return kiln_fail(error, KILN_ERROR_UNSUPPORTED, "the plan has no output to cut before");
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

kiln_status sub_plan_features(sub_plan *p, uint32_t tensor, uint32_t *out_tensor,
                              uint32_t *out_count, kiln_error *error) {
    kiln_plan_tensor_record t = *sub_plan_tensor_at(p, tensor);
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
        *out_tensor = sub_plan_arena_tensor(p, "features", (uint32_t)channels);
        uint32_t operands[2] = {tensor, *out_tensor};
        sub_plan_step(p, &pool, "pooled features", "GlobalAveragePool", &params, sizeof params,
                      operands);
        return KILN_OK;
    }
    /* Makes a view of the same memory as one vector. */
    t.name = builder_string(&p->builder, "features");
    t.rank = 2;
    t.layout = KILN_ROW_MAJOR;
    memset(t.dims, 0, sizeof t.dims);
    t.dims[0] = 1;
    t.dims[1] = t.row_stride = (uint32_t)channels;
    *out_tensor = sub_plan_tensor(p, &t, NULL);
    return KILN_OK;
}

/* ---- Plans that were cut ------------------------------------------------------------------- */

kiln_status plan_cut_at(const kiln_plan *plan, uint32_t tensor, kiln_plan **out_plan,
                        kiln_error *error) {
    uint32_t features = 0, count = 0;
    sub_plan p = {0};
    const kiln_plan *owner = plan->weights_of != NULL ? plan->weights_of : plan;
    byte_buffer bytes = {.allocator = &owner->allocator};
    kiln_preprocess preprocess;
    builder_begin(&p.builder, &plan->allocator);
    uint32_t taken = sub_plan_take(&p, plan, tensor);
    kiln_status status = sub_plan_failed(&p)
                             ? memory_fail(error)
                             : sub_plan_features(&p, taken, &features, &count, error);
    if (status == KILN_OK) {
        uint32_t output = sub_plan_output_tensor(&p, "features", count);
        sub_plan_copy(&p, "features", features, output, count);
        kiln_plan_preprocess(plan, &preprocess);
        builder_preprocess(&p.builder, &preprocess);
        status = sub_plan_finish(&p, owner, buffer_write, &bytes, error);
    }
    sub_plan_free(&p);
    if (status != KILN_OK) {
        buffer_free(&bytes);
        return status;
    }
    return plan_open_owned(bytes.data, bytes.size, owner, out_plan, error);
}

kiln_status kiln_plan_cut(const kiln_plan *plan, const char *cut, kiln_plan **out_plan,
                          kiln_error *error) {
    uint32_t tensor;
    if (plan == NULL || out_plan == NULL) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT, "kiln_plan_cut: no plan");
    }
    *out_plan = NULL;
    kiln_status status = plan_find_cut(plan, cut, &tensor, error);
    return status == KILN_OK ? plan_cut_at(plan, tensor, out_plan, error) : status;
}
