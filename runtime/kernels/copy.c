/* COPY: n-dimensional strided copies. Loops are sorted so that writes go forward, merged where they
 * run on, and run by copy_loops.c. */
#include "runtime/kernels/copy.h"
#include "runtime/kernels/strided.h"

#include <string.h>

/* ---- Check --------------------------------------------------------------------------------- */

/* Whether all positions that are read lie in x, and, where loop 0 runs over the batch, in one
 * sample for the loops after it. */
static bool stays_inside(const kiln_copy_params *p, const strided *loops, const operand *x) {
    int64_t stride = loops->strides[0], elements = (int64_t)x->elements;
    if (!p->batched || !x->batched) {
        return !(p->batched && stride != 0) && strided_stays_inside(loops, 0, x->elements);
    }
    return stride > 0 && elements % stride == 0 && elements / stride == (int64_t)p->dims[0] &&
           strided_stays_inside(loops, 1, (uint64_t)stride);
}

/* Whether each loop stays in a row or steps by whole rows, as it must where rows are strided. */
static bool follows_rows(const operand *o, const strided *s) {
    int64_t row = (int64_t)o->inner, reach = s->start % row;
    for (uint32_t k = 0; k < s->rank && !operand_is_dense(o); k++) {
        int64_t stride = s->strides[k], steps = (int64_t)s->sizes[k] - 1;
        if (steps > 0 && stride % row != 0) {
            if (stride < 0 || stride > row / steps) {
                return false;
            }
            reach += stride * steps;
        }
    }
    return reach < row;
}

static const char *check(const kernel_call *call) {
    const kiln_copy_params *p = call->params;
    const operand *x = &call->inputs[0], *y = &call->outputs[0];
    strided reads = {.rank = p->rank, .start = p->input_start};
    bool sound = p->rank >= 1 && p->rank <= KILN_MAX_RANK && p->batched <= 1 &&
                 y->batched == (p->batched != 0) && (!x->batched || p->batched);
    for (uint32_t k = 0; sound && k < p->rank; k++) {
        reads.sizes[k] = p->dims[k];
        reads.strides[k] = p->input_strides[k];
        sound = p->dims[k] > 0;
    }
    strided writes = reads;
    writes.start = p->output_start;
    for (uint32_t k = 0; sound && k < p->rank; k++) {
        writes.strides[k] = p->output_strides[k];
    }
    if (!sound || !strided_takes_each(&writes, y->elements) || !stays_inside(p, &reads, x)) {
        return "the loops do not fit the tensors";
    }
    if (p->batched && (int64_t)p->dims[0] * p->output_strides[0] != (int64_t)y->elements) {
        return "loop 0 does not step by samples";
    }
    return follows_rows(x, &reads) && follows_rows(y, &writes) ? NULL
                                                               : "a loop crosses strided rows";
}

/* ---- Plan ---------------------------------------------------------------------------------- */

/* Turns a position counted in dense elements into one counted in elements of memory. */
static ptrdiff_t to_memory(const operand *o, int64_t position) {
    if (operand_is_dense(o)) {
        return (ptrdiff_t)position;
    }
    int64_t row = (int64_t)o->inner;
    return (ptrdiff_t)(position % row == 0 ? position / row * (int64_t)o->row_stride : position);
}

static void sort_loops(copy_plan *plan) {
    for (uint32_t k = 1; k < plan->rank; k++) {
        copy_loop loop = plan->loops[k];
        uint32_t at = k;
        while (at > 0 && plan->loops[at - 1].out < loop.out) {
            plan->loops[at] = plan->loops[at - 1];
            at--;
        }
        plan->loops[at] = loop;
    }
}

static void merge_loops(copy_plan *plan) {
    uint32_t rank = 0;
    for (uint32_t k = 0; k < plan->rank; k++) {
        copy_loop loop = plan->loops[k];
        copy_loop *last = rank > 0 ? &plan->loops[rank - 1] : NULL;
        if (last != NULL && last->in == loop.in * (ptrdiff_t)loop.count &&
            last->out == loop.out * (ptrdiff_t)loop.count) {
            *last = (copy_loop){last->count * loop.count, loop.in, loop.out};
        } else {
            plan->loops[rank++] = loop;
        }
    }
    plan->rank = rank;
}

static void make_plan(const kernel_call *call, copy_plan *plan) {
    const kiln_copy_params *p = call->params;
    const operand *x = &call->inputs[0], *y = &call->outputs[0];
    /* In a band, some rows of an image are copied at a time. */
    bool by_rows = y->rank == 4 && y->layout == KILN_CHANNELS_LAST &&
                   (call->run.begin_row != 0 || call->run.end_row != y->dims[1]);
    plan->size = kiln_dtype_size(x->dtype);
    plan->rank = 0;
    for (uint32_t k = 0; k < p->rank; k++) {
        size_t count = p->dims[k] * (size_t)(k == 0 && p->batched ? call->run.batch : 1);
        count = k == 1 && by_rows ? call->run.end_row - call->run.begin_row : count;
        if (count > 1) {
            plan->loops[plan->rank++] = (copy_loop){count, to_memory(x, p->input_strides[k]),
                                                    to_memory(y, p->output_strides[k])};
        }
    }
    sort_loops(plan);
    merge_loops(plan);
    while (plan->rank < 2) {
        memmove(plan->loops + 1, plan->loops, plan->rank * sizeof *plan->loops);
        plan->loops[0] = (copy_loop){1, 0, 0};
        plan->rank++;
    }
    int64_t row = (int64_t)x->inner, start = p->input_start;
    ptrdiff_t begin = to_memory(x, start - start % row) + (ptrdiff_t)(start % row);
    plan->x = (const uint8_t *)x->data + begin * (ptrdiff_t)plan->size;
    plan->y = y->data;
    if (by_rows) {
        plan->x += (ptrdiff_t)call->run.begin_row * to_memory(x, p->input_strides[1]) *
                   (ptrdiff_t)plan->size;
        plan->y += (call->run.begin_row - y->first_row) * y->dims[2] * y->row_stride * plan->size;
    }
}

/* Rows can be copied alone where loop 1 runs over the rows of an image. The rule does not tell
 * which rows of the input they come from, so the input has to be whole. */
static uint32_t copy_rows_of_image(const kernel_call *call, uint32_t input, row_rule *out_rule) {
    const kiln_copy_params *p = call->params;
    const operand *y = &call->outputs[0];
    (void)input;
    *out_rule = (row_rule){0};
    bool plain = p->rank == 4 && y->rank == 4;
    int64_t stride = 1;
    for (uint32_t k = 4; k-- > 0 && plain;) {
        plain = p->dims[k] == y->dims[k] && (p->output_strides[k] == stride || p->dims[k] == 1);
        stride *= p->dims[k];
    }
    return plain && p->dims[1] > 1 && call->inputs[0].place == KILN_PLACE_INPUT ? 1 : 0;
}

#define GRAIN 4096 /* elements that a task copies */

static kiln_status run(kernel_call *call, kiln_error *error) {
    (void)error;
    copy_plan plan;
    make_plan(call, &plan);
    size_t units = 1;
    for (uint32_t k = 0; k + 1 < plan.rank; k++) {
        units *= plan.loops[k].count;
    }
    size_t grain = 1 + GRAIN / plan.loops[plan.rank - 1].count;
    kernel_parallel(call, units, grain, &plan, copy_units);
    return KILN_OK;
}

const kernel kernel_copy = {
    KERNEL("copy", kiln_copy_params, NULL, KERNEL_INPUTS(1, 1, 0),
           KERNEL_OUTPUTS(1, 1, IS_TYPED_LIKE_X), KERNEL_STRIDED(1, 1)),
    .check = check,
    .run = run,
    .rows = copy_rows_of_image,
};
