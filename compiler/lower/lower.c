/* Graph to program: operators lower themselves one by one; then memory is shared where copies can
 * be avoided, and what is left of it becomes storages with lifetimes. */
#include "compiler/lower/lowering.h"

#include <string.h>

static kiln_status lower_nodes(lowering *l) {
    graph *g = l->g;
    for (size_t k = 0; k < g->node_count; k++) {
        node *n = g->nodes[k];
        l->current = n;
        kiln_status status = n->op->lower(l, n);
        if (status == KILN_OK) {
            status = l->status;
        }
        if (status != KILN_OK) {
            return node_explain(g, n, status);
        }
    }
    return KILN_OK;
}

static kiln_status lower_inputs(lowering *l) {
    graph *g = l->g;
    l->p->inputs = graph_allocate(g, (g->input_count + 1) * sizeof *l->p->inputs);
    if (l->p->inputs == NULL) {
        return KILN_ERROR_MEMORY;
    }
    for (size_t k = 0; k < g->input_count; k++) {
        l->p->inputs[k] = lower_tensor(l, g->inputs[k]);
    }
    l->p->input_count = g->input_count;
    return l->status;
}

/* Each output is copied from the arena (or a constant, or an input) to the caller's buffer in ONNX
 * order. */
static kiln_status lower_outputs(lowering *l) {
    graph *g = l->g;
    l->p->outputs = graph_allocate(g, (g->output_count + 1) * sizeof *l->p->outputs);
    if (l->p->outputs == NULL) {
        return KILN_ERROR_MEMORY;
    }
    for (size_t k = 0; k < g->output_count && l->status == KILN_OK; k++) {
        tensor *t = g->outputs[k];
        node copy = {.name = t->name, .origin = "output"};
        uint32_t from = lower_tensor(l, t);
        uint32_t to = lowering_add_tensor(l, t->name, t->dtype, t->rank, t->dims, KILN_ROW_MAJOR,
                                          KILN_PLACE_OUTPUT);
        if (l->status != KILN_OK) {
            break;
        }
        int64_t dims[KILN_MAX_RANK], strides[KILN_MAX_RANK], stride = 1;
        physical_dims(t, dims);
        for (uint32_t position = t->rank; position-- > 0;) {
            strides[logical_axis(t, position)] = stride;
            int64_t dim = dims[position];
            stride *= g->batch_symbolic && position == 0 && dim % GRAPH_BATCH == 0
                          ? dim / GRAPH_BATCH
                          : dim;
        }
        l->p->outputs[k] = to;
        l->status = lower_copy(l, &copy, from, to, strides, 0);
    }
    l->p->output_count = g->output_count;
    return l->status;
}

static void count_copies(program *p) {
    for (size_t s = 0; s < p->step_count; s++) {
        const program_step *step = &p->steps[s];
        if (step->kernel != KILN_KERNEL_COPY) {
            continue;
        }
        bool boundary = p->tensors[step->operands[0]].place == KILN_PLACE_INPUT ||
                        p->tensors[step->operands[1]].place == KILN_PLACE_OUTPUT;
        p->boundary_copies += boundary;
        p->copies += !boundary;
    }
}

/* The batch may be open in the model and in nothing that a run computes. */
static bool is_batchable(const program *p) {
    for (size_t k = 0; k < p->tensor_count; k++) {
        if (p->tensors[k].batched != 0) {
            return true;
        }
    }
    return false;
}

kiln_status lower_graph_to_program(graph *g, const kiln_compile_options *options,
                                   program **out_program) {
    graph_clear_marks(g);
    lowering l = {.g = g, .options = options, .p = graph_allocate(g, sizeof *l.p)};
    if (l.p == NULL) {
        return KILN_ERROR_MEMORY;
    }
    l.p->source = g;
    kiln_status (*const steps[])(lowering *) = {lower_inputs, lower_nodes, lower_outputs,
                                                lowering_share_concats, lowering_mark_final_dense};
    for (size_t k = 0; k < sizeof steps / sizeof *steps; k++) {
        kiln_status status = steps[k](&l);
        if (status != KILN_OK) {
            return status;
        }
    }
    l.p->batchable = is_batchable(l.p);
    count_copies(l.p);
    lowering_choose_algorithms(&l);
    kiln_status status = KILN_OK;
    kiln_status (*const fusions[])(lowering *) = {lowering_fuse_residuals, lowering_fold_scales,
                                                  lowering_fuse_functions, lowering_fuse_pools,
                                                  lowering_read_roots,     lowering_choose_bands};
    for (size_t k = 0; k < sizeof fusions / sizeof *fusions && !options->no_fusion; k++) {
        status = status == KILN_OK ? fusions[k](&l) : status;
    }
    if (status == KILN_OK) {
        status = lowering_share_in_place(&l);
    }
    if (status == KILN_OK) {
        status = lowering_make_storages(&l);
    }
    *out_program = l.p;
    return status;
}
