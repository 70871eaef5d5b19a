/* Who uses a tensor, and which tensors lie in whose memory. */
#include "compiler/lower/lowering.h"

bool step_is_pseudo(const program_step *step) {
    return (int)step->kernel >= KILN_KERNEL_COUNT;
}

void use_table_add_tenant(lowering *l, use_table *table, uint32_t t, uint32_t root) {
    l->memories[t].root = root;
    table->next_tenant[t] = table->tenant[root];
    table->tenant[root] = t;
}

static void list_tenants(lowering *l, use_table *table) {
    for (uint32_t t = 0; t < l->p->tensor_count; t++) {
        table->tenant[t] = KILN_PLAN_NONE;
    }
    for (uint32_t t = 0; t < l->p->tensor_count; t++) {
        use_table_add_tenant(l, table, t, l->memories[t].root);
    }
}

kiln_status use_table_build(lowering *l, use_table *out_table) {
    const program *p = l->p;
    size_t total = 0;
    for (size_t s = 0; s < p->step_count; s++) {
        total += p->steps[s].input_count + p->steps[s].output_count;
    }
    out_table->first = graph_allocate(l->g, (p->tensor_count + 2) * sizeof *out_table->first);
    out_table->uses = graph_allocate(l->g, (total + 1) * sizeof *out_table->uses);
    out_table->tenant = graph_allocate(l->g, (p->tensor_count + 1) * sizeof(uint32_t));
    out_table->next_tenant = graph_allocate(l->g, (p->tensor_count + 1) * sizeof(uint32_t));
    if (out_table->first == NULL || out_table->uses == NULL || out_table->tenant == NULL ||
        out_table->next_tenant == NULL) {
        return KILN_ERROR_MEMORY;
    }
    list_tenants(l, out_table);
    /* A counting sort by tensor: next[t] becomes the start of t's uses and, once they are filled
     * in, their end. */
    size_t *next = out_table->first + 1;
    for (size_t s = 0; s < p->step_count; s++) {
        const program_step *step = &p->steps[s];
        for (uint32_t k = 0; k < step->input_count + step->output_count; k++) {
            if (step->operands[k] != KILN_PLAN_NONE) {
                next[step->operands[k] + 1]++;
            }
        }
    }
    for (size_t t = 1; t <= p->tensor_count; t++) {
        next[t] += next[t - 1];
    }
    for (uint32_t s = 0; s < p->step_count; s++) {
        const program_step *step = &p->steps[s];
        for (uint32_t k = 0; k < step->input_count + step->output_count; k++) {
            uint32_t id = step->operands[k];
            if (id != KILN_PLAN_NONE) {
                bool is_output = k >= step->input_count;
                out_table->uses[next[id]++] =
                    (tensor_use){s, (uint8_t)(is_output ? k - step->input_count : k), is_output};
            }
        }
    }
    return KILN_OK;
}

bool use_table_is_alone(const use_table *table, uint32_t id) {
    return table->tenant[id] == id && table->next_tenant[id] == KILN_PLAN_NONE;
}

uint32_t use_table_maker_for_one(const lowering *l, const use_table *table, uint32_t id) {
    size_t begin = table->first[id], end = table->first[id + 1];
    bool fits = l->p->tensors[id].place == KILN_PLACE_ARENA && end - begin == 2 &&
                table->uses[begin].is_output && use_table_is_alone(table, id);
    return fits ? table->uses[begin].step : KILN_PLAN_NONE;
}

bool lowering_is_dense(const lowering *l, uint32_t id) {
    return l->memories[id].offset == 0 &&
           l->memories[id].row_stride == program_inner(&l->p->tensors[id]);
}

/* Does the step that reads the tensor alone read the memory of which it is a view? Then the step
 * that makes that; else NONE. */
static uint32_t find_maker_of_viewed(const lowering *l, const use_table *table, uint32_t id) {
    const program *p = l->p;
    uint32_t maker = KILN_PLAN_NONE, reads = 0;
    for (uint32_t t = table->tenant[l->memories[id].root]; t != KILN_PLAN_NONE;
         t = table->next_tenant[t]) {
        for (size_t u = table->first[t]; u < table->first[t + 1]; u++) {
            const tensor_use *use = &table->uses[u];
            bool whole = lowering_is_dense(l, t) &&
                         program_elements(&p->tensors[t]) == program_elements(&p->tensors[id]);
            if (!whole || (use->is_output ? maker != KILN_PLAN_NONE : t != id)) {
                return KILN_PLAN_NONE;
            }
            maker = use->is_output ? use->step : maker;
            reads += !use->is_output;
        }
    }
    return reads == 1 && lowering_is_dense(l, id) ? maker : KILN_PLAN_NONE;
}

uint32_t use_table_maker_of_viewed(const lowering *l, const use_table *table, uint32_t x,
                                   uint32_t y) {
    const program_tensor *tensors = l->p->tensors;
    bool viewed = tensors[x].place == KILN_PLACE_ARENA && l->memories[x].root != x &&
                  tensors[y].place == KILN_PLACE_ARENA && l->memories[y].root == y;
    return viewed ? find_maker_of_viewed(l, table, x) : KILN_PLAN_NONE;
}

void use_table_share_viewed(lowering *l, use_table *table, uint32_t x, uint32_t y) {
    uint32_t root = l->memories[x].root, next;
    for (uint32_t t = table->tenant[root]; t != KILN_PLAN_NONE; t = table->next_tenant[t]) {
        l->p->tensors[t].name = NULL;
    }
    for (uint32_t t = table->tenant[y]; t != KILN_PLAN_NONE; t = next) {
        next = table->next_tenant[t];
        l->memories[t].same_outer = l->memories[t].same_outer && l->memories[x].same_outer;
        use_table_add_tenant(l, table, t, root);
    }
    table->tenant[y] = KILN_PLAN_NONE;
}

static bool copy_allows_strides(const program *p, const program_step *step, bool is_output) {
    const kiln_copy_params *params = step->params;
    const int64_t *strides = is_output ? params->output_strides : params->input_strides;
    int64_t start = is_output ? params->output_start : params->input_start;
    int64_t inner = program_inner(&p->tensors[step->operands[is_output ? 1 : 0]]);
    int64_t reach = start % inner;
    for (uint32_t k = 0; k < params->rank; k++) {
        if (params->dims[k] > 1 && strides[k] % inner != 0) {
            if (strides[k] < 0) {
                return false;
            }
            reach += strides[k] * (params->dims[k] - 1);
        }
    }
    return reach < inner;
}

bool uses_allow_strides(const lowering *l, const use_table *table, uint32_t tensor_id) {
    const program *p = l->p;
    for (size_t u = table->first[tensor_id]; u < table->first[tensor_id + 1]; u++) {
        const tensor_use *use = &table->uses[u];
        const program_step *step = &p->steps[use->step];
        if (step_is_pseudo(step)) {
            /* A copy of its columns, should there be one, runs over several inner dims at once. */
            if (!((const lower_columns *)step->params)->last_axis) {
                return false;
            }
            continue;
        }
        const kiln_kernel_traits *traits = kiln_kernel_describe(step->kernel);
        uint32_t mask = use->is_output ? traits->strided_outputs : traits->strided_inputs;
        if (use->operand >= 8 || (mask >> use->operand & 1) == 0) {
            return false;
        }
        if (step->kernel == KILN_KERNEL_COPY && !copy_allows_strides(p, step, use->is_output)) {
            return false;
        }
    }
    return true;
}
