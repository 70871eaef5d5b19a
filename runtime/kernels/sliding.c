/* Rows of the output are shared by the threads, and where they are few or long also ranges of
 * channels. A row at a time goes to a micro-kernel. */
#include "runtime/kernels/sliding.h"

/* The rows under a window should take no more, a part of an L2 cache. */
#define CACHE_BYTES ((size_t)192 << 10)
#define FAR_BYTES ((size_t)512 << 10) /* a larger image has left the L2 cache before it is read */

/* Where rows of all channels do not fit the first level, those of some of them may. */
#define NEAR_BYTES ((size_t)32 << 10)
#define LEAST_CHUNK ((size_t)56) /* fewer channels take longer than they save */
#define NEAR_ROWS ((size_t)16)   /* at a time */

#define FEW_ROWS ((size_t)8) /* with fewer for each thread, channels are shared, too */
/* Where threads can share rows somewhat evenly, fewer channels are not shared: they come from
 * products that share rows, so that half of them would lie in another core's cache. More come from
 * products that share panels, since their weights are many. */
#define MANY_CHANNELS ((size_t)768)

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

/* Computes `rows` rows of results, 1 or a pair, or the pair under one row of pooled outputs. They
 * begin with those of row y of the output. */
static void run_row(const task *t, size_t sample, size_t y, size_t rows, size_t channel,
                    size_t channels) {
    const sliding_shape *s = t->shape;
    const operand *in = &t->call->inputs[0], *out = &t->call->outputs[0];
    int64_t top = (int64_t)(y * s->pool * s->stride_height) - (int64_t)s->padding_top;
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
        .to_width = t->out.w * s->pool,
        .rows = rows,
        .pooled = s->pool > 1,
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
    finish_rows(&s->finish, row.to, rows * t->out.w, row.to_stride, channels * t->outputs);
}

static void run_rows(void *context, size_t chunk, size_t begin, size_t count) {
    const task *t = context;
    size_t channel = chunk * t->chunk, left = t->in.c - channel;
    size_t rows = 0;
    for (size_t k = begin; k < begin + count; k += rows) {
        size_t y = t->call->run.begin_row + k % t->rows;
        bool two = k + 1 < begin + count && k % t->rows + 1 < t->rows && is_pair(t, y);
        rows = two ? 2 : 1;
        run_row(t, k / t->rows, y, rows * t->shape->pool, channel,
                left < t->chunk ? left : t->chunk);
    }
}

static bool takes_pairs(const ukernels *ukernels, const sliding_shape *s) {
    return s->op == SLIDING_DEPTHWISE && s->pool == 1 && ukernels->depthwise_rows == 2 &&
           s->kernel_height == 3 && s->kernel_width == 3 && s->stride_height == s->stride_width &&
           s->stride_width <= 2 && s->dilation_height == 1 && s->dilation_width == 1;
}

/* How many channels go down some rows at a time, so that a row is in the first level as long as
 * windows lie on it; 0: all of them, as they fit, or too few would. Channels of pixels that lie a
 * multiple of a power of two apart must fill that, or else they fall into a part of its sets. With
 * narrower vectors multiplying takes longer than loading from the second level. */
static size_t near_channels(const task *t) {
    const sliding_shape *s = t->shape;
    size_t channels = t->in.c, stride = t->call->inputs[0].row_stride;
    size_t most = NEAR_BYTES / sizeof(float) / s->kernel_height / t->in.w;
    bool shared = s->kernel_height > 1 && s->stride_height == 1 && s->stride_width == 1;
    if (t->ukernels->width < VECTOR_MAX || !shared || most < LEAST_CHUNK || most >= channels) {
        return 0;
    }
    size_t chunks = (channels + most - 1) / most,
           even = whole_vectors((channels + chunks - 1) / chunks);
    return even >= (stride & -stride) ? even : 0;
}

static void run_near(void *context, size_t begin, size_t count) {
    const task *t = context;
    for (size_t chunk = 0; chunk * t->chunk < t->in.c; chunk++) {
        run_rows(context, chunk, begin, count);
    }
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
    /* A few rows that threads cannot share evenly may be cut into chunks of channels. */
    size_t taken = t.pairs ? (rows + 1) / 2 : rows; /* together */
    bool few = rows < FEW_ROWS * threads && rows % threads != 0 &&
               (t.in.c >= MANY_CHANNELS || taken < 2 * threads);
    t.chunk = few ? 0 : near_channels(&t);
    if (t.chunk > 0) { /* threads share rows, since each has some of them near already */
        size_t share = size_min((rows + threads - 1) / threads, NEAR_ROWS);
        thread_pool_ranges(call->host->pool, run_near, &t, rows, share + share % 2);
        return;
    }
    size_t chunk = CACHE_BYTES / sizeof(float) / shape->kernel_height / t.in.w;
    t.chunk = chunk < VECTOR_MAX ? VECTOR_MAX : chunk / VECTOR_MAX * VECTOR_MAX;
    if (few) {
        t.chunk = size_min(t.chunk, whole_vectors((t.in.c + threads - 1) / threads));
    }
    size_t chunks = (t.in.c + t.chunk - 1) / t.chunk;
    size_t tile = few ? rows : rows / (32 * threads) + 1;
    tile += t.pairs ? tile % 2 : 0;
    thread_pool_grid_ranges(call->host->pool, run_rows, &t, chunks, rows, tile);
}
