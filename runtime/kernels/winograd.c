/* The output is cut into tiles of m x m pixels. Each tile's n^2 input pixels are transformed, every
 * one of the n^2 positions is multiplied by its matrix of weights [inputs][outputs] with all tiles
 * as rows, and what comes out is transformed back. n is m + 2, and each position has a matrix of
 * its own; or, of stride 2, 2m + 1, and some share theirs (ukernels.h). Tiles are worked in strips,
 * and the outputs of a strip in blocks of channels, so that what is transformed stays in cache.
 * Threads take strips of their own or, where there are too few, blocks of one strip. */
#include "runtime/kernels/winograd.h"
#include "runtime/kernels/finish.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

/* A strip's transformed data should take no more, most of an L2 cache. */
#define STRIP_BYTES ((size_t)768 << 10)
#define LEAST_STRIP ((size_t)36) /* tiles: all weights are read once for each strip */
/* The same where each strip transforms them, and of stride 2, whose tiles meet them more often. */
#define LEAST_STRIP_LARGE ((size_t)49)
/* With fewer tiles for each, threads share strips block by block. */
#define FEW_TILES ((size_t)12)
#define FEW_TILES_LARGE ((size_t)24)    /* the same where weights are large */
#define FEW_TILES_LATE ((size_t)64)     /* and where each strip transforms them */
#define LARGE_WEIGHTS ((size_t)6 << 20) /* a part of an L3 cache */
/* To read, or to transform, a panel's weights takes about as long as to multiply so many tiles. */
#define WEIGHT_TILES ((size_t)4)
/* Products are made for a block of outputs at a time, for which the transformed input is read once.
 */
#define BLOCK_BYTES ((size_t)512 << 10)
/* Positions lie so much further apart than their data is long, so that they do not all fall into
 * the same sets of the L1 cache. */
#define SKEW VECTOR_MAX

typedef struct winograd {
    const ukernels *ukernels;
    finish finish;
    winograd_weights weights;
    size_t tile, output_tile, positions; /* n, m, n^2 */
    size_t stride;
    size_t inputs, outputs;
    size_t input_row, output_row; /* floats of a tile at a position, in whole vectors and panels */
    size_t panels;
    size_t tiles_wide;
    float *bias;    /* [output_row], then zeros, which stand for pixels outside the image */
    size_t strip;   /* most tiles of a strip */
    size_t block;   /* most panels of a block */
    bool by_blocks; /* threads share the blocks of a strip, not strips */
    size_t workers;
    size_t input_floats;   /* scratch for a strip's transformed inputs */
    size_t block_floats;   /* scratch for a block's products */
    size_t product_floats; /* the same, and for a chunk of late weights */
    /* The present run has so many strips, and blocks of so many panels. */
    size_t strips, blocks, run_block;
    atomic_size_t next; /* the strip or block that is taken next */
} winograd;

/* One strip's place in scratch. */
typedef struct strip {
    const kernel_call *call;
    winograd *w;
    size_t first, count; /* its tiles */
    float *transformed;  /* [positions][count][input_row], positions input_step apart */
    size_t input_step;
    float *products; /* the first worker's place */
} strip;

/* Some output channels of a strip. */
typedef struct block {
    const strip *s;
    size_t first, count; /* its panels */
    float *products;     /* [positions][tiles][count * nr], positions `step` apart */
    size_t step;
    float *outside; /* takes what tiles give beyond the output's edge */
} block;

static size_t round_up(size_t value, size_t unit) {
    return (value + unit - 1) / unit * unit;
}

/* Rows a multiple of 1 KB apart would fall into the same few sets of the L1 cache. */
static size_t row_floats(size_t channels) {
    size_t row = round_up(channels, VECTOR_MAX);
    return row % 256 == 0 ? row + VECTOR_MAX : row;
}

/* ---- Preparing ----------------------------------------------------------------------------- */

const char *winograd_check(const kernel_call *call) {
    const kiln_conv_params *p = call->params;
    const operand *x = &call->inputs[0], *weights = &call->inputs[1];
    bool strided = p->stride_height == 2 && p->algorithm <= KILN_CONV_WINOGRAD_4;
    if (weights->dims[1] != 3 || weights->dims[2] != 3 || p->stride_height != p->stride_width ||
        (p->stride_height != 1 && !strided) || p->dilation_height != 1 || p->dilation_width != 1 ||
        p->groups != 1 || x->constant) {
        return "Winograd's algorithm takes kernels of 3x3 with stride 1, or 2 for tiles of 2 and "
               "4, and "
               "dilation 1";
    }
    return NULL;
}

/* The number of rows of tiles that a run computes in each image. The run's first row is a multiple
 * of m. */
static size_t tiles_high(const kernel_call *call, const winograd *w) {
    return (call->run.end_row - call->run.begin_row + w->output_tile - 1) / w->output_tile;
}

static size_t count_tiles(const kernel_call *call, const winograd *w) {
    size_t images = operand_dim(&call->outputs[0], 0, call->run.batch);
    return images * tiles_high(call, w) * w->tiles_wide;
}

/* Blocks share the reading of weights, strips do not; but there are no more blocks than panels. */
static bool is_better_by_blocks(const winograd *w, size_t tiles, size_t threads) {
    size_t few = w->weights.late                                      ? FEW_TILES_LATE
                 : winograd_weight_bytes(&w->weights) > LARGE_WEIGHTS ? FEW_TILES_LARGE
                                                                      : FEW_TILES;
    size_t panels_each = (w->panels + threads - 1) / threads;
    size_t tiles_each = (tiles + threads - 1) / threads;
    return threads > 1 && tiles < few * threads &&
           panels_each * (WEIGHT_TILES + tiles) <= w->panels * (WEIGHT_TILES + tiles_each);
}

/* Decides how the largest run is shared by threads, and what scratch it needs. */
static void divide(const kernel_call *call, winograd *w) {
    size_t tiles = count_tiles(call, w), threads = call->host->threads;
    size_t wanted = STRIP_BYTES / (w->positions * (w->input_row + w->output_row) * sizeof(float));
    size_t least = w->weights.late || w->stride == 2 ? LEAST_STRIP_LARGE : LEAST_STRIP;
    wanted = wanted < least ? least : wanted;
    size_t strips = (tiles + wanted - 1) / wanted;
    w->by_blocks = is_better_by_blocks(w, tiles, threads);
    strips = w->by_blocks ? strips : round_up(strips, threads);
    w->strip = (tiles + strips - 1) / strips;
    w->workers = threads;
    size_t panel_bytes = w->positions * w->strip * w->ukernels->nr * sizeof(float);
    size_t room = BLOCK_BYTES / panel_bytes;
    size_t blocks = room == 0 ? w->panels : (w->panels + room - 1) / room;
    blocks = w->by_blocks ? round_up(blocks, threads) : blocks;
    w->block = (w->panels + blocks - 1) / blocks;
    size_t row = w->block * w->ukernels->nr;
    w->input_floats = round_up(w->positions * (w->strip * w->input_row + SKEW), VECTOR_MAX);
    w->block_floats = round_up(w->positions * (w->strip * row + SKEW) + row, VECTOR_MAX);
    w->product_floats =
        w->block_floats + (w->weights.late ? w->weights.positions * w->weights.step : 0);
}

static winograd describe(const kernel_call *call) {
    const kiln_conv_params *p = call->params;
    const ukernels *best = ukernels_best();
    size_t m = 2 * (size_t)p->algorithm; /* the sizes begin at WINOGRAD_2, which is 1 */
    size_t stride = p->stride_height, n = stride == 2 ? 2 * m + 1 : m + 2;
    image_dims x, y;
    (void)operand_image(&call->inputs[0], &x);
    (void)operand_image(&call->outputs[0], &y);
    winograd w = {.ukernels = best,
                  .finish = finish_of(call, p->min, p->max),
                  .weights = winograd_weights_of(call),
                  .tile = n,
                  .output_tile = m,
                  .positions = n * n,
                  .stride = stride,
                  .inputs = x.c,
                  .outputs = y.c,
                  .input_row = row_floats(x.c),
                  .output_row = round_up(y.c, best->nr),
                  .panels = (y.c + best->nr - 1) / best->nr,
                  .tiles_wide = (y.w + m - 1) / m};
    divide(call, &w);
    return w;
}

/* A smaller batch may make one strip of what a larger one cuts in two shorter ones, so all count.
 */
size_t winograd_scratch(const kernel_call *call) {
    kernel_call smaller = *call;
    size_t most = 0;
    for (smaller.run.batch = 1; smaller.run.batch <= call->max_batch; smaller.run.batch++) {
        winograd w = describe(&smaller);
        size_t inputs = w.by_blocks ? 1 : w.workers;
        size_t floats = inputs * w.input_floats + w.workers * w.product_floats;
        most = floats > most ? floats : most;
    }
    return most * sizeof(float);
}

kiln_status winograd_prepare(kernel_call *call, kiln_error *error) {
    winograd *w = call->state = kernel_allocate(call, sizeof *w, error);
    if (w == NULL) {
        return KILN_ERROR_MEMORY;
    }
    *w = describe(call);
    w->bias = conv_bias(
        call, w->output_row + (w->input_row > w->output_row ? w->input_row : w->output_row), error);
    return w->bias != NULL ? KILN_OK : KILN_ERROR_MEMORY;
}

/* ---- The three phases ---------------------------------------------------------------------- */

typedef struct tile_place {
    size_t image, y, x; /* the tile's first output pixel */
} tile_place;

static tile_place place_tile(const strip *s, size_t index) {
    const winograd *w = s->w;
    size_t in_image = tiles_high(s->call, s->w) * w->tiles_wide, tile = s->first + index;
    return (tile_place){tile / in_image,
                        s->call->run.begin_row + tile % in_image / w->tiles_wide * w->output_tile,
                        tile % w->tiles_wide * w->output_tile};
}

static void transform_input(void *context, size_t index) {
    const strip *s = context;
    const winograd *w = s->w;
    const kiln_conv_params *p = s->call->params;
    const operand *x = &s->call->inputs[0];
    const float *zeros = w->bias + w->output_row;
    const float *pixels[WINOGRAD_MAX_TILE * WINOGRAD_MAX_TILE];
    tile_place at = place_tile(s, index);
    image_dims dims;
    (void)operand_image(x, &dims);
    /* Above and left of the image these wrap around to large numbers. */
    size_t top = at.y * w->stride - p->padding_top, left = at.x * w->stride - p->padding_left;
    for (size_t row = top, k = 0; row != top + w->tile; row++) {
        const float *from = row < dims.h ? operand_image_row(x, at.image, row) : NULL;
        for (size_t column = left; column != left + w->tile; column++) {
            pixels[k++] = from != NULL && column < dims.w ? from + column * x->row_stride : zeros;
        }
    }
    ukernels_winograd(w->ukernels)
        ->input[w->weights.size](pixels, w->inputs, s->transformed + index * w->input_row,
                                 s->input_step);
}

/* The positions of a side that meet the weights of one of theirs end here: the last weights of
 * stride 2 are those of all odd pixels. */
static size_t end_of(const winograd *w, size_t of_weights) {
    return of_weights + 1 < w->weights.side ? of_weights + 1 : w->tile;
}

/* Multiplies some inputs of all tiles of the strip by one panel of outputs, at all positions that
 * meet the weights of position `at`. more->add becomes where their sums are; NULL: nothing is
 * added.
 */
static void multiply_inputs(const block *b, size_t at, size_t panel, const float *weights,
                            size_t first, size_t inputs, gemm_epilogue *more) {
    const strip *s = b->s;
    const winograd *w = s->w;
    size_t nr = w->ukernels->nr, row = at / w->weights.side, column = at % w->weights.side;
    for (size_t y = row; y < end_of(w, row); y++) {
        for (size_t x = column; x < end_of(w, column); x++) {
            size_t position = y * w->tile + x;
            const float *from = s->transformed + position * s->input_step + first;
            float *to = b->products + position * b->step + panel * nr;
            if (more != NULL) {
                more->add = to;
            }
            w->ukernels->gemm(s->count, nr, inputs, from, w->input_row, weights, to, b->count * nr,
                              more);
        }
    }
}

static void multiply_early(const block *b, size_t at, size_t panel) {
    const winograd *w = b->s->w;
    const float *weights =
        b->s->call->packed + (at * w->panels + b->first + panel) * w->inputs * w->ukernels->nr;
    multiply_inputs(b, at, panel, weights, 0, w->inputs, NULL);
}

/* The same at all positions. The sums of one chunk of inputs are added to those of the chunks
 * before it. */
static void multiply_late(const block *b, size_t panel, float *weights) {
    const winograd *w = b->s->w;
    const winograd_weights *form = &w->weights;
    gemm_epilogue more = {.bias = w->bias + w->output_row, /* zeros */
                          .add_stride = b->count * form->nr,
                          .min = -INFINITY,
                          .max = INFINITY};
    for (size_t c = 0; c < w->inputs; c += WINOGRAD_CHUNK) {
        size_t inputs = w->inputs - c < WINOGRAD_CHUNK ? w->inputs - c : WINOGRAD_CHUNK;
        winograd_transform_chunk(form, b->s->call->packed, b->first + panel, c, inputs, weights);
        for (size_t at = 0; at < form->positions; at++) {
            multiply_inputs(b, at, panel, weights + at * form->step, c, inputs,
                            c > 0 ? &more : NULL);
        }
    }
}

static void multiply(const block *b, float *weights) {
    const winograd *w = b->s->w;
    for (size_t panel = 0; panel < b->count && w->weights.late; panel++) {
        multiply_late(b, panel, weights);
    }
    for (size_t at = 0; at < w->weights.positions && !w->weights.late; at++) {
        for (size_t panel = 0; panel < b->count; panel++) {
            multiply_early(b, at, panel);
        }
    }
}

static void transform_output(const block *b, size_t index) {
    const strip *s = b->s;
    const winograd *w = s->w;
    const operand *y = &s->call->outputs[0], *add = conv_addend(s->call);
    size_t nr = w->ukernels->nr, channel = b->first * nr;
    size_t channels = w->outputs - channel < b->count * nr ? w->outputs - channel : b->count * nr;
    float *pixels[WINOGRAD_MAX_TILE * WINOGRAD_MAX_TILE];
    const float *added[WINOGRAD_MAX_TILE * WINOGRAD_MAX_TILE];
    tile_place at = place_tile(s, index);
    image_dims dims;
    (void)operand_image(y, &dims);
    for (size_t row = at.y, k = 0; row < at.y + w->output_tile; row++) {
        float *to =
            row < s->call->run.end_row ? operand_image_row(y, at.image, row) + channel : NULL;
        const float *from =
            to != NULL && add != NULL ? operand_image_row(add, at.image, row) + channel : NULL;
        for (size_t column = at.x; column < at.x + w->output_tile; column++, k++) {
            bool inside = to != NULL && column < dims.w;
            pixels[k] = inside ? to + column * y->row_stride : b->outside;
            added[k] =
                inside && from != NULL ? from + column * add->row_stride : w->bias + w->output_row;
        }
    }
    ukernels_winograd(w->ukernels)
        ->output[w->weights.size](b->products + index * b->count * nr, b->step, w->bias + channel,
                                  channels, w->finish.min, w->finish.max,
                                  add != NULL ? added : NULL, pixels);
    for (size_t k = 0; k < w->output_tile * w->output_tile && w->finish.function != NULL; k++) {
        if (pixels[k] != b->outside) {
            finish_rows(&w->finish, pixels[k], 1, channels, channels);
        }
    }
}

/* ---- Running ------------------------------------------------------------------------------- */

kiln_status winograd_bind(kernel_call *call, kiln_error *error) {
    (void)error;
    divide(call, call->state);
    return KILN_OK;
}

/* Describes strip `index`. `inputs` and `products` are the numbers of places in scratch: the
 * worker's own, or 0 where all workers share one. */
static strip take_strip(const kernel_call *call, size_t index, size_t inputs, size_t products) {
    winograd *w = call->state;
    size_t tiles = count_tiles(call, w), first = index * w->strip;
    size_t count = tiles - first < w->strip ? tiles - first : w->strip;
    float *scratch = call->run.scratch;
    float *behind = scratch + (w->by_blocks ? 1 : w->workers) * w->input_floats;
    return (strip){call,
                   w,
                   first,
                   count,
                   scratch + inputs * w->input_floats,
                   count * w->input_row + SKEW,
                   behind + products * w->product_floats};
}

static void run_block(const strip *s, size_t index, size_t worker) {
    const winograd *w = s->w;
    size_t first = index * w->run_block;
    size_t count = w->panels - first < w->run_block ? w->panels - first : w->run_block;
    size_t step = s->count * count * w->ukernels->nr + SKEW;
    float *products = s->products + worker * w->product_floats;
    block b = {s, first, count, products, step, products + w->positions * step};
    multiply(&b, products + w->block_floats);
    for (size_t tile = 0; tile < s->count; tile++) {
        transform_output(&b, tile);
    }
}

static void run_strips(void *context, size_t worker) {
    const kernel_call *call = context;
    winograd *w = call->state;
    for (size_t index = 0; (index = atomic_fetch_add(&w->next, 1)) < w->strips;) {
        strip s = take_strip(call, index, worker, worker);
        for (size_t tile = 0; tile < s.count; tile++) {
            transform_input(&s, tile);
        }
        for (size_t k = 0; k < w->blocks; k++) {
            run_block(&s, k, 0);
        }
    }
}

static void run_blocks(void *context, size_t worker) {
    const strip *s = context;
    for (size_t index = 0; (index = atomic_fetch_add(&s->w->next, 1)) < s->w->blocks;) {
        run_block(s, index, worker);
    }
}

kiln_status winograd_run(kernel_call *call, kiln_error *error) {
    winograd *w = call->state;
    thread_pool *pool = call->host->pool;
    (void)error;
    w->strips = (count_tiles(call, w) + w->strip - 1) / w->strip;
    /* A band's stripe may be much smaller than its largest, and then has no strip for each thread.
     */
    bool by_blocks = w->by_blocks || (w->strips < w->workers && w->strips < w->panels);
    size_t share = (w->panels + w->workers - 1) / w->workers;
    w->run_block = by_blocks && share < w->block ? share : w->block;
    w->blocks = (w->panels + w->run_block - 1) / w->run_block;
    atomic_store(&w->next, 0);
    if (!by_blocks) {
        thread_pool_each(pool, run_strips, call, size_min(w->workers, w->strips));
        return KILN_OK;
    }
    for (size_t index = 0; index < w->strips; index++) {
        strip s = take_strip(call, index, 0, 0);
        atomic_store(&w->next, 0);
        thread_pool_each(pool, transform_input, &s, s.count);
        thread_pool_each(pool, run_blocks, &s, size_min(w->workers, w->blocks));
    }
    return KILN_OK;
}
