/* Pixels at the sides of the image, of whose windows some columns lie outside it, are products of
 * their own: of the columns that lie inside, down the rows. */
#include "runtime/kernels/gemm_windows.h"
#include "runtime/kernels/window.h"

#define FEW_ROWS ((size_t)8)    /* with fewer for each thread, rows are shared in parts */
#define LEAST_SPAN ((size_t)32) /* pixels at the sides take longer than gathering them */

typedef struct task {
    const kernel_call *call;
    const gemm_panels *panels;
    image_dims in, out;
    window_axis axes[3];
    size_t rows;                   /* of each sample */
    size_t whole_begin, whole_end; /* of the pixels in a row: columns of theirs all lie inside */
} task;

/* Some pixels, of an output row or down a column, under which the same taps of the kernel lie
 * inside the image. */
typedef struct span {
    size_t sample, y, x, count;
    bool down;
    window_taps rows, columns;
} span;

static task describe(const kernel_call *call) {
    const kiln_conv_params *p = call->params;
    const size_t *kernel = call->inputs[1].dims;
    task t = {.call = call, .rows = call->run.end_row - call->run.begin_row};
    (void)operand_image(&call->inputs[0], &t.in);
    (void)operand_image(&call->outputs[0], &t.out);
    window_axes_of(call, t.axes);
    size_t extent = (kernel[2] - 1) * p->dilation_width + 1, reach = t.in.w + p->padding_left;
    t.whole_begin = ((size_t)p->padding_left + p->stride_width - 1) / p->stride_width;
    t.whole_end = reach < extent ? 0 : (reach - extent) / p->stride_width + 1;
    t.whole_end = t.whole_end < t.out.w ? t.whole_end : t.out.w;
    return t;
}

bool gemm_windows_pay(const kernel_call *call) {
    const kiln_conv_params *p = call->params;
    const operand *x = &call->inputs[0];
    const size_t *kernel = call->inputs[1].dims;
    task t = describe(call);
    bool together = kernel[2] == 1 || (p->dilation_width == 1 && x->row_stride == x->inner);
    return together && t.whole_end >= t.whole_begin + LEAST_SPAN &&
           p->stride_width * x->row_stride % 512 != 0;
}

static void multiply(const task *t, const span *s) {
    const kiln_conv_params *p = t->call->params;
    const operand *x = &t->call->inputs[0], *y = &t->call->outputs[0];
    const operand *add = conv_addend(t->call);
    const size_t *kernel = t->call->inputs[1].dims;
    size_t nr = t->panels->ukernels->nr, depth = kernel[1] * kernel[2] * kernel[3];
    size_t tap = s->rows.begin * kernel[2] + s->columns.begin;
    size_t step = s->down ? p->stride_height * t->in.w : p->stride_width;
    size_t to_step = s->down ? t->out.w : 1; /* pixels to the span's next */
    gemm_windows w = {.a_stride = step * x->row_stride,
                      .a_step = p->dilation_height * t->in.w * x->row_stride,
                      .b_step = kernel[2] * kernel[3] * nr};
    if (s->rows.begin < s->rows.end && s->columns.begin < s->columns.end) {
        size_t row = window_position(&t->axes[1], s->y, s->rows.begin);
        size_t column = window_position(&t->axes[2], s->x, s->columns.begin);
        w.a = operand_image_row(x, s->sample, row) + column * x->row_stride;
        w.pieces = s->rows.end - s->rows.begin;
        w.kc = (s->columns.end - s->columns.begin) * kernel[3];
    }
    const finish *f = t->panels->finish;
    float *to = operand_image_row(y, s->sample, s->y) + s->x * y->row_stride;
    for (size_t panel = 0; panel < t->panels->count; panel++) {
        size_t first = panel * nr, left = t->panels->outputs - first;
        gemm_epilogue last = {
            .bias = t->panels->bias + first, .min = f->min, .max = f->max, .far = t->panels->far};
        if (add != NULL) {
            last.add = operand_image_row(add, s->sample, s->y) + s->x * add->row_stride + first;
            last.add_stride = to_step * add->row_stride;
        }
        w.b = t->call->packed + (panel * depth + tap * kernel[3]) * nr;
        t->panels->ukernels->gemm_windows(s->count, left < nr ? left : nr, &w, to + first,
                                          to_step * y->row_stride, &last);
    }
    finish_rows(f, to, s->count, to_step * y->row_stride, t->panels->outputs);
}

/* Some pixels of a row whose windows' columns all lie inside. */
static void run_pixels(void *context, size_t row, size_t begin, size_t count) {
    const task *t = context;
    span s = {.sample = row / t->rows,
              .y = t->call->run.begin_row + row % t->rows,
              .x = t->whole_begin + begin,
              .count = count};
    s.rows = window_taps_inside(&t->axes[1], s.y);
    s.columns = window_taps_inside(&t->axes[2], s.x);
    multiply(t, &s);
}

static bool same_taps(window_taps a, window_taps b) {
    return a.begin == b.begin && a.end == b.end;
}

/* The pixels at one side of some rows. */
static void run_column(const task *t, size_t x, size_t begin, size_t end) {
    for (size_t row = begin, next = 0; row < end; row = next) {
        size_t first = t->call->run.begin_row + row % t->rows;
        span s = {.sample = row / t->rows, .y = first, .x = x, .down = true};
        s.rows = window_taps_inside(&t->axes[1], first);
        s.columns = window_taps_inside(&t->axes[2], x);
        for (next = row + 1;
             next < end && next % t->rows > 0 &&
             same_taps(s.rows, window_taps_inside(&t->axes[1], first + next - row));) {
            next++;
        }
        s.count = next - row;
        multiply(t, &s);
    }
}

static void run_sides(void *context, size_t begin, size_t count) {
    const task *t = context;
    size_t whole = t->whole_end - t->whole_begin;
    for (size_t side = 0; side + whole < t->out.w; side++) {
        run_column(t, side < t->whole_begin ? side : side + whole, begin, begin + count);
    }
}

void gemm_windows_run(kernel_call *call, const gemm_panels *panels) {
    task t = describe(call);
    size_t threads = thread_pool_threads(call->host->pool);
    size_t rows = operand_dim(&call->outputs[0], 0, call->run.batch) * t.rows;
    size_t pixels = t.whole_end - t.whole_begin;
    bool few = rows < FEW_ROWS * threads && rows % threads != 0;
    t.panels = panels;
    thread_pool_grid_ranges(call->host->pool, run_pixels, &t, rows, pixels,
                            few ? (pixels + threads - 1) / threads : pixels);
    if (pixels < t.out.w) {
        thread_pool_ranges(call->host->pool, run_sides, &t, rows, (rows + threads - 1) / threads);
    }
}
