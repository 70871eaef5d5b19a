/* RESIZE_BILINEAR: rows of the output are shared by the threads; what its columns lie between is
 * computed once, when a session is created. */
#include "runtime/kernels/kernel.h"
#include "runtime/ukernels/ukernels.h"

#define MAX_SIZE ((size_t)1 << 23)

typedef struct resize {
    const ukernels *ukernels;
    image_dims in, out;
    bilinear_column columns[]; /* of the output */
} resize;

static const char *check(const kernel_call *call) {
    const kiln_resize_bilinear_params *p = call->params;
    const size_t *in = call->inputs[0].dims, *out = call->outputs[0].dims;
    return p->mode <= KILN_RESIZE_ASYMMETRIC && in[3] == out[3] && in[1] <= MAX_SIZE &&
                   in[2] <= MAX_SIZE && out[1] <= MAX_SIZE && out[2] <= MAX_SIZE
               ? NULL
               : "mode or sizes out of range";
}

/* The two of `in` that position k of `out` lies between, and where. */
typedef struct neighbours {
    size_t before, after;
    float part;
} neighbours;

static neighbours neighbours_of(uint32_t mode, size_t in, size_t out, size_t k) {
    double scale = mode == KILN_RESIZE_ALIGN_CORNERS && out > 1
                       ? (double)(in - 1) / (double)(out - 1)
                       : (double)in / (double)out;
    double at =
        mode == KILN_RESIZE_HALF_PIXEL ? ((double)k + 0.5) * scale - 0.5 : (double)k * scale;
    at = at < 0 ? 0 : at > (double)(in - 1) ? (double)(in - 1) : at;
    size_t before = (size_t)at;
    return (neighbours){before, before + 1 < in ? before + 1 : before,
                        (float)(at - (double)before)};
}

static kiln_status prepare(kernel_call *call, kiln_error *error) {
    const kiln_resize_bilinear_params *p = call->params;
    image_dims out;
    (void)operand_image(&call->outputs[0], &out);
    size_t bytes = sizeof(resize) + out.w * sizeof(bilinear_column);
    size_t stride = call->inputs[0].row_stride;
    resize *r = call->state = kernel_allocate(call, bytes, error);
    if (r == NULL) {
        return KILN_ERROR_MEMORY;
    }
    r->ukernels = ukernels_best();
    r->out = out;
    (void)operand_image(&call->inputs[0], &r->in);
    for (size_t k = 0; k < out.w; k++) {
        neighbours n = neighbours_of(p->mode, r->in.w, out.w, k);
        r->columns[k] = (bilinear_column){n.before * stride, n.after * stride, n.part};
    }
    return KILN_OK;
}

static void resize_rows(void *context, size_t begin, size_t end) {
    const kernel_call *call = context;
    const kiln_resize_bilinear_params *p = call->params;
    const operand *x = &call->inputs[0], *y = &call->outputs[0];
    const resize *r = call->state;
    for (size_t k = begin; k < end; k++) {
        size_t sample = k / r->out.h, row = k % r->out.h;
        neighbours n = neighbours_of(p->mode, r->in.h, r->out.h, row);
        bilinear_row task = {.upper = operand_image_row(x, sample, n.before),
                             .lower = operand_image_row(x, sample, n.after),
                             .part = n.part,
                             .columns = r->columns,
                             .count = r->out.w,
                             .channels = r->out.c,
                             .to = operand_image_row(y, sample, row),
                             .to_stride = y->row_stride};
        ukernels_bilinear(r->ukernels)(&task);
    }
}

static kiln_status run(kernel_call *call, kiln_error *error) {
    const resize *r = call->state;
    (void)error;
    kernel_parallel(call, operand_dim(&call->outputs[0], 0, call->run.batch) * r->out.h, 1, call,
                    resize_rows);
    return KILN_OK;
}

const kernel kernel_resize_bilinear = {
    KERNEL("resize_bilinear", kiln_resize_bilinear_params, NULL,
           KERNEL_INPUTS(1, 1, IS_F32 | IS_IMAGE | HAS_RANK(4)),
           KERNEL_OUTPUTS(1, 1, IS_F32 | IS_IMAGE | IS_BATCHED_LIKE_X | HAS_RANK(4)),
           KERNEL_STRIDED(1, 1)),
    .check = check,
    .prepare = prepare,
    .run = run,
};
