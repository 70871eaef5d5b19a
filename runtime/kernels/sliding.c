/* Rows of the output are shared by the threads, and where they are few or long also ranges of
 * channels. A row at a time goes to a micro-kernel. */
#include "runtime/kernels/sliding.h"

/* The rows under a window should take no more, a part of an L2 cache. */
#define CACHE_BYTES ((size_t)192 << 10)
#define FAR_BYTES ((size_t)512 << 10) /* a larger image has left the L2 cache before it is read */

#define FEW_ROWS ((size_t)8) /* with fewer for each thread, channels are shared, too */

typedef struct task {
    const kernel_call *call;
    const ukernels *ukernels;
    const sliding_shape *shape;
    image_dims in, out;
    size_t outputs; /* of each channel */
    size_t rows;    /* rows of each sample that are wanted */
    size_t chunk;   /* channels of a task */
    bool pairs;     /* the micro-kernel takes two rows where all of their windows' rows exist */
    bool far;
} task;

/* The first kernel row at or below `row` of the image, when kernel row 0 lies at `top`. */
static size_t kernel_row_at(int64_t top, int64_t row, size_t dilation, size_t kernel_height) {
    if (row <= top) {
        return 0;
    }
    size_t k = ((size_t)(row - top) + dilation - 1) / dilation;
    return k < kernel_height ? k : kernel_height;
}

/* Do the windows of rows y and y + 1 lie in the image, but for a row above it and one below? */
static bool is_pair(const task *t, size_t y) {
    const sliding_shape *s = t->shape;
    size_t top = y * s->stride_height, rows = s->stride_height + s->kernel_height;
    return t->pairs && top + 1 >= s->padding_top && top + rows <= t->in.h + s->padding_top + 1;
}

/* Computes `rows` rows of outputs from y on, 1 or a pair. */
static void run_row(const task *t, size_t sample, size_t y, size_t rows, size_t channel,
                    size_t channels) {
    const sliding_shape *s = t->shape;
    const operand *in = &t->call->inputs[0], *out = &t->call->outputs[0];
    int64_t top = (int64_t)(y * s->stride_height) - (int64_t)s->padding_top;
    size_t window = s->kernel_height + (rows - 1) * s->stride_height;
    size_t begin = kernel_row_at(top, 0, s->dilation_height, window);
    size_t end = kernel_row_at(top, (int64_t)t->in.h, s->dilation_height, window);
    sliding_row row = {
        .width = t->in.w,
        .pixel_stride = in->row_stride,
        .row_stride = s->dilation_height * t->in.w * in->row_stride,
        .kernel_rows = end - begin,
        .kernel_columns = s->kernel_width,
        .stride = s->stride_width,
        .dilation = s->dilation_width,
        .padding = s->padding_left,
        .tap_stride = s->tap_stride,
        .outputs = t->outputs,
        .min = s->finish.min,
        .max = s->finish.max,
        .to = operand_image_row(out, sample, y) + channel * t->outputs,
        .to_stride = out->row_stride,
        .to_width = t->out.w,
        .rows = rows,
        .to_row_stride = t->out.w * out->row_stride,
        .rows_above = rows == 2 ? begin : 0,
        .channels = channels,
    };
    if (t->far) {
        size_t fresh = rows * s->stride_height;
        row.fresh_rows = fresh < row.kernel_rows ? fresh : row.kernel_rows;
    }
    if (begin < end) {
        size_t first = (size_t)(top + (int64_t)(begin * s->dilation_height));
        row.from = operand_image_row(in, sample, first) + channel;
    }
    if (s->weights != NULL) {
        size_t taps = rows == 2 ? 0 : begin * s->kernel_width;
        row.weights = s->weights + taps * t->outputs * s->tap_stride + channel;
        row.bias = s->bias + channel;
    }
    s->ukernel(&row);
    finish_rows(&s->finish, row.to, rows * row.to_width, row.to_stride, channels * t->outputs);
}

static void run_rows(void *context, size_t chunk, size_t begin, size_t count) {
    const task *t = context;
    size_t channel = chunk * t->chunk, left = t->in.c - channel;
    size_t rows = 0;
    for (size_t k = begin; k < begin + count; k += rows) {
        size_t y = t->call->run.begin_row + k % t->rows;
        bool two = k + 1 < begin + count && k % t->rows + 1 < t->rows && is_pair(t, y);
        rows = two ? 2 : 1;
        run_row(t, k / t->rows, y, rows, channel, left < t->chunk ? left : t->chunk);
    }
}

static bool takes_pairs(const ukernels *ukernels, const sliding_shape *s) {
    return s->op == SLIDING_DEPTHWISE && ukernels->depthwise_rows == 2 && s->kernel_height == 3 &&
           s->kernel_width == 3 && s->stride_height == s->stride_width && s->stride_width <= 2 &&
           s->dilation_height == 1 && s->dilation_width == 1;
}

void sliding_run(const kernel_call *call, const ukernels *ukernels, const sliding_shape *shape) {
    task t = {
        .call = call, .ukernels = ukernels, .shape = shape, .pairs = takes_pairs(ukernels, shape)};
    (void)operand_image(&call->inputs[0], &t.in);
    (void)operand_image(&call->outputs[0], &t.out);
    const operand *in = &call->inputs[0];
    t.outputs = t.out.c / t.in.c;
    size_t threads = thread_pool_threads(call->host->pool);
    t.rows = call->run.end_row - call->run.begin_row;
    size_t rows = operand_dim(&call->outputs[0], 0, call->run.batch) * t.rows;
    /* What a band reads has just been written, so it is near. */
    t.far = t.rows == t.out.h && t.in.h * t.in.w * in->row_stride * sizeof(float) > FAR_BYTES;
    size_t channel_bytes = shape->kernel_height * t.in.w * sizeof(float);
    size_t chunk = CACHE_BYTES / channel_bytes / VECTOR_MAX * VECTOR_MAX;
    /* A few rows that threads cannot share evenly are cut into chunks of channels. */
    bool few = rows < FEW_ROWS * threads && rows % threads != 0;
    if (few) {
        size_t share = (t.in.c + threads - 1) / threads;
        share = (share + VECTOR_MAX - 1) / VECTOR_MAX * VECTOR_MAX;
        chunk = share < chunk ? share : chunk;
    }
    t.chunk = chunk < VECTOR_MAX ? VECTOR_MAX : chunk;
    size_t chunks = (t.in.c + t.chunk - 1) / t.chunk;
    size_t tile = few ? rows : rows / (32 * threads) + 1;
    tile += t.pairs ? tile % 2 : 0;
    thread_pool_grid_ranges(call->host->pool, run_rows, &t, chunks, rows, tile);
}
