/* Adding tensors and steps to the program: the functions with which operators lower themselves. */
#include "compiler/lower/lowering.h"
#include "runtime/plan/layout.h"

#include <string.h>

/* ---- Growing arrays in the graph's arena --------------------------------------------------- */

static bool grow(lowering *l, void **inout_array, size_t count, size_t *inout_capacity,
                 size_t element) {
    if (count < *inout_capacity) {
        return true;
    }
    size_t capacity = *inout_capacity == 0 ? 64 : *inout_capacity * 2;
    void *array = graph_allocate(l->g, capacity * element);
    if (array == NULL) {
        return false;
    }
    if (count > 0) {
        memcpy(array, *inout_array, count * element);
    }
    *inout_array = array;
    *inout_capacity = capacity;
    return true;
}

/* ---- Tensors ------------------------------------------------------------------------------- */

uint32_t lower_fail(lowering *l, kiln_status status) {
    if (l->status == KILN_OK) {
        l->status = status;
    }
    return KILN_PLAN_NONE;
}

/* The batch stands only in front (passes/move_batch_first.c); elsewhere a plan cannot say it. */
static kiln_status plan_dims(lowering *l, program_tensor *t, uint32_t rank, const int64_t *dims) {
    t->rank = (uint8_t)rank;
    for (uint32_t k = 0; k < rank; k++) {
        int64_t dim = dims[k];
        bool has_batch = l->g->batch_symbolic && dim % GRAPH_BATCH == 0 && dim > 0;
        if (has_batch && k == 0) {
            t->batched = 1;
            dim /= GRAPH_BATCH;
        } else if (has_batch) {
            return graph_fail(l->g, KILN_ERROR_UNSUPPORTED,
                              "the network mixes the batch with other dimensions");
        }
        if (dim <= 0 || dim > INT32_MAX) {
            return graph_fail(l->g, KILN_ERROR_UNSUPPORTED,
                              "a tensor dimension of %lld; supported: 1 to 2147483647",
                              (long long)dim);
        }
        t->dims[k] = (uint32_t)dim;
    }
    return KILN_OK;
}

uint32_t lowering_add_tensor(lowering *l, const char *name, kiln_dtype dtype, uint32_t rank,
                             const int64_t *dims, uint8_t layout, uint8_t place) {
    program *p = l->p;
    void *tensors = p->tensors, *memories = l->memories;
    bool room = grow(l, &tensors, p->tensor_count, &p->tensor_capacity, sizeof *p->tensors) &&
                grow(l, &memories, p->tensor_count, &l->memory_capacity, sizeof *l->memories);
    if (!room) {
        return lower_fail(l, KILN_ERROR_MEMORY);
    }
    p->tensors = tensors;
    l->memories = memories;
    uint32_t id = (uint32_t)p->tensor_count;
    program_tensor *t = &p->tensors[id];
    *t = (program_tensor){.name = name,
                          .dtype = dtype,
                          .layout = rank >= 3 ? layout : KILN_ROW_MAJOR,
                          .place = place,
                          .storage = KILN_PLAN_NONE};
    kiln_status status = plan_dims(l, t, rank, dims);
    if (status != KILN_OK) {
        return lower_fail(l, status);
    }
    t->row_stride = program_inner(t);
    l->memories[id] = (memory){.root = id, .row_stride = t->row_stride, .same_outer = true};
    p->tensor_count++;
    return id;
}

static void set_view(program_constant *constant, tensor *source, uint32_t rank, const int64_t *dims,
                     const int64_t *strides) {
    constant->source = source;
    constant->rank = rank;
    int64_t dense = 1;
    for (uint32_t k = rank; k-- > 0;) {
        constant->dims[k] = dims[k];
        constant->strides[k] = strides != NULL ? strides[k] : dense;
        dense *= dims[k];
    }
}

uint32_t lower_tensor(lowering *l, tensor *t) {
    if (t == NULL) {
        return KILN_PLAN_NONE;
    }
    if (t->mark != 0) {
        return (uint32_t)(t->mark - 1);
    }
    uint8_t place = KILN_PLACE_ARENA;
    if (tensor_is_constant(t)) {
        place = KILN_PLACE_CONSTANT;
    } else if (t->is_input) {
        place = KILN_PLACE_INPUT;
    }
    uint32_t id = lowering_add_tensor(l, t->name, t->dtype, t->rank, t->dims, t->layout, place);
    if (id == KILN_PLAN_NONE) {
        return id;
    }
    if (place == KILN_PLACE_CONSTANT) {
        set_view(&l->p->tensors[id].constant, t, t->rank, t->dims, NULL);
    }
    t->mark = id + 1;
    return id;
}

uint32_t lower_input(lowering *l, const node *n, size_t k) {
    return k < n->input_count ? lower_tensor(l, n->inputs[k]) : KILN_PLAN_NONE;
}

uint32_t lower_output(lowering *l, const node *n, size_t k) {
    return k < n->output_count ? lower_tensor(l, n->outputs[k]) : KILN_PLAN_NONE;
}

uint32_t lower_constant_view(lowering *l, tensor *source, uint32_t rank, const int64_t *dims,
                             const int64_t *strides) {
    uint32_t id = lowering_add_tensor(l, source->name, source->dtype, rank, dims, KILN_ROW_MAJOR,
                                      KILN_PLACE_CONSTANT);
    if (id == KILN_PLAN_NONE) {
        return id;
    }
    set_view(&l->p->tensors[id].constant, source, rank, dims, strides);
    return id;
}

uint32_t lower_constant_data(lowering *l, const char *name, kiln_dtype dtype, uint32_t rank,
                             const int64_t *dims, const void *data) {
    uint32_t id =
        lowering_add_tensor(l, name, dtype, rank, dims, KILN_ROW_MAJOR, KILN_PLACE_CONSTANT);
    if (id == KILN_PLAN_NONE) {
        return id;
    }
    size_t bytes = (size_t)program_bytes(&l->p->tensors[id]);
    void *copy = graph_allocate(l->g, bytes);
    if (copy == NULL) {
        return lower_fail(l, KILN_ERROR_MEMORY);
    }
    memcpy(copy, data, bytes);
    l->p->tensors[id].constant.data = copy;
    return id;
}

uint32_t lower_temporary(lowering *l, kiln_dtype dtype, uint32_t rank, const int64_t *dims,
                         uint8_t layout) {
    return lowering_add_tensor(l, NULL, dtype, rank, dims, layout, KILN_PLACE_ARENA);
}

/* Makes `view` share the memory of `base`. It can follow its base to a wider stride only when
 * their inner dims agree; one number a sample has no dim beside the batch, and is dense. */
static void share_memory(lowering *l, uint32_t view, uint32_t base) {
    const program_tensor *v = &l->p->tensors[view], *b = &l->p->tensors[base];
    l->memories[view] =
        (memory){.root = l->memories[base].root,
                 .row_stride = v->row_stride,
                 .same_outer = program_inner(v) == program_inner(b) &&
                               !(v->batched && v->rank < 2) && l->memories[base].same_outer};
}

/* ---- Steps --------------------------------------------------------------------------------- */

kiln_status lowering_add_step(lowering *l, const program_step *step) {
    program *p = l->p;
    void *steps = p->steps;
    if (!grow(l, &steps, p->step_count, &p->step_capacity, sizeof *p->steps)) {
        return l->status = KILN_ERROR_MEMORY;
    }
    p->steps = steps;
    p->steps[p->step_count++] = *step;
    return KILN_OK;
}

/* Kernels but COPY and CAST read arena memory only: an input that one of them wants is brought in
 * once. */
static uint32_t bring_in(lowering *l, const node *n, uint32_t id) {
    program_tensor input = l->p->tensors[id];
    size_t index = 0;
    while (index < l->g->input_count && l->p->inputs[index] != id) {
        index++;
    }
    if (index == l->g->input_count) {
        return lower_fail(l, node_fail(l->g, n, KILN_ERROR_INTERNAL,
                                       "reads '%s', which is no input of the graph", input.name));
    }
    tensor *source = l->g->inputs[index];
    if (source->mark != (size_t)id + 1) {
        return (uint32_t)(source->mark - 1); /* already, for another operand */
    }
    uint32_t copy = lower_temporary(l, input.dtype, source->rank, source->dims, KILN_ROW_MAJOR);
    int64_t strides[KILN_MAX_RANK], stride = 1;
    for (uint32_t k = source->rank; k-- > 0;) {
        strides[k] = stride;
        stride *= input.dims[k];
    }
    if (copy == KILN_PLAN_NONE || lower_copy(l, n, id, copy, strides, 0) != KILN_OK) {
        return KILN_PLAN_NONE;
    }
    source->mark = copy + 1;
    return copy;
}

uint32_t lower_reshaped(lowering *l, uint32_t tensor_id, uint32_t rank, const int64_t *dims) {
    if (l->status != KILN_OK) {
        return KILN_PLAN_NONE;
    }
    if (tensor_id == KILN_PLAN_NONE) {
        return lower_fail(l, node_fail(l->g, l->current, KILN_ERROR_INTERNAL,
                                       "gives an operand that is not there other dims"));
    }
    if (l->p->tensors[tensor_id].place == KILN_PLACE_INPUT) {
        tensor_id = bring_in(l, l->current, tensor_id);
        if (tensor_id == KILN_PLAN_NONE) {
            return tensor_id;
        }
    }
    const program_tensor base = l->p->tensors[tensor_id];
    uint32_t id = lowering_add_tensor(l, NULL, base.dtype, rank, dims, KILN_ROW_MAJOR, base.place);
    if (id != KILN_PLAN_NONE && base.place == KILN_PLACE_CONSTANT) {
        l->p->tensors[id].name = base.name;
        l->p->tensors[id].constant = base.constant;
    } else if (id != KILN_PLAN_NONE) {
        share_memory(l, id, tensor_id);
    }
    return id;
}

kiln_status lower_step(lowering *l, const node *n, kiln_kernel kernel, const void *params,
                       size_t params_bytes, size_t input_count, const uint32_t *inputs,
                       size_t output_count, const uint32_t *outputs) {
    if (l->status != KILN_OK) {
        return l->status;
    }
    program_step step = {.kernel = kernel,
                         .name = n->name,
                         .origin = n->origin,
                         .input_count = (uint32_t)input_count,
                         .output_count = (uint32_t)output_count,
                         .params_bytes = params_bytes};
    step.operands = graph_allocate(l->g, (input_count + output_count + 1) * sizeof(uint32_t));
    step.params = graph_allocate(l->g, params_bytes);
    if (step.operands == NULL || step.params == NULL) {
        return l->status = KILN_ERROR_MEMORY;
    }
    memcpy(step.params, params, params_bytes);
    bool reads_anywhere = kernel == KILN_KERNEL_COPY || kernel == KILN_KERNEL_CAST;
    for (size_t k = 0; k < input_count; k++) {
        uint32_t id = inputs[k];
        if (id != KILN_PLAN_NONE && l->p->tensors[id].place == KILN_PLACE_INPUT &&
            !reads_anywhere) {
            id = bring_in(l, n, id);
        }
        step.operands[k] = id;
    }
    for (size_t k = 0; k < output_count; k++) {
        step.operands[input_count + k] = outputs[k];
    }
    return l->status != KILN_OK ? l->status : lowering_add_step(l, &step);
}

void lower_flag_step(lowering *l, uint32_t flags) {
    if (l->status == KILN_OK) {
        l->p->steps[l->p->step_count - 1].flags |= flags;
    }
}

kiln_status lower_copy(lowering *l, const node *n, uint32_t x, uint32_t output,
                       const int64_t *input_strides, int64_t input_start) {
    if (l->status != KILN_OK) {
        return l->status;
    }
    const program_tensor *y = &l->p->tensors[output];
    kiln_copy_params params = {.rank = y->rank, .batched = y->batched, .input_start = input_start};
    program_physical_dims(y, params.dims);
    int64_t stride = 1;
    for (uint32_t k = y->rank; k-- > 0;) {
        params.output_strides[k] = stride;
        params.input_strides[k] = input_strides[k];
        stride *= params.dims[k];
    }
    if (y->rank == 0) {
        params.rank = 1;
        params.dims[0] = 1;
    }
    return lower_step(l, n, KILN_KERNEL_COPY, &params, sizeof params, 1, &x, 1, &output);
}

/* Copies all elements in physical order, whatever the dims: one run a sample. */
static kiln_status copy_flat(lowering *l, const node *n, uint32_t x, uint32_t y) {
    const program_tensor *t = &l->p->tensors[y];
    int64_t elements = (int64_t)program_elements(t);
    if (elements > UINT32_MAX) {
        return node_fail(l->g, n, KILN_ERROR_UNSUPPORTED, "a tensor of %lld elements",
                         (long long)elements);
    }
    kiln_copy_params params = {.rank = 2, .batched = t->batched, .dims = {1, (uint32_t)elements}};
    params.input_strides[0] = params.output_strides[0] = elements;
    params.input_strides[1] = params.output_strides[1] = 1;
    return lower_step(l, n, KILN_KERNEL_COPY, &params, sizeof params, 1, &x, 1, &y);
}

kiln_status lower_alias(lowering *l, const node *n, tensor *view, tensor *base) {
    uint32_t from = lower_tensor(l, base), to = lower_tensor(l, view);
    if (l->status != KILN_OK) {
        return l->status;
    }
    if (l->p->tensors[from].place != KILN_PLACE_ARENA) {
        return copy_flat(l, n, from, to);
    }
    share_memory(l, to, from);
    return KILN_OK;
}

graph *lower_graph(const lowering *l) {
    return l->g;
}

kiln_status lower_status(const lowering *l) {
    return l->status;
}
