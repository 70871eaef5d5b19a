/* ATTENTION: both products of each head on the micro-kernel of matrix products, softmax between
 * them. A worker packs a head's keys and values into panels, then takes some rows at a time, as
 * many as leave the scores in its core's cache. Heads are read and written where they lie. */
#include "runtime/kernels/strided.h"
#include "runtime/ukernels/ukernels.h"

#include <math.h>
#include <stdatomic.h>

#define LEADS KILN_ATTENTION_LEADS
#define SCORES ((size_t)16384)  /* floats of scores at a time, about */
#define LEAST_ROWS ((size_t)24) /* rows of a task, at least, which pay for packing panels */

enum { Q, K, V, BIAS, MASK, Y };

/* Floats of each part of a worker's scratch. */
typedef struct room {
    size_t keys, values, queries, scores, results, sums, all;
    size_t rows;         /* of a tile */
    size_t keys_padded;  /* floats of a row of scores */
    size_t width_padded; /* floats of a row of results, where they are not written in place */
} room;

typedef struct attention_task {
    const kernel_call *call;
    room room;
    size_t heads, chunks, chunk_rows; /* of one sample; of a head */
    size_t count;
    atomic_size_t next;
} attention_task;

static size_t round_up(size_t size, size_t to) {
    return (size + to - 1) / to * to;
}

static const operand *operand_of(const kernel_call *call, size_t k) {
    if (k == Y) {
        return &call->outputs[0];
    }
    return has_input(call, (uint32_t)k) ? &call->inputs[k] : NULL;
}

/* ---- Check --------------------------------------------------------------------------------- */

static void matrix_sizes(const kiln_attention_params *p, size_t k, size_t *out_rows,
                         size_t *out_columns) {
    *out_rows = k == K || k == V ? p->keys : p->rows;
    *out_columns = k == Q || k == K ? p->depth : k == V || k == Y ? p->width : p->keys;
}

/* The loops over a matrix of each head. */
static strided loops_of(const kiln_attention_params *p, size_t k) {
    const kiln_attention_view *v = &p->views[k];
    strided s = {.rank = LEADS + 2, .start = v->start};
    matrix_sizes(p, k, &s.sizes[LEADS], &s.sizes[LEADS + 1]);
    s.strides[LEADS] = v->row;
    s.strides[LEADS + 1] = v->column;
    for (size_t d = 0; d < LEADS; d++) {
        s.sizes[d] = p->lead[d];
        s.strides[d] = v->lead[d];
    }
    return s;
}

static bool sizes_are_sound(const kiln_attention_params *p) {
    uint64_t all = 1;
    const uint32_t sizes[] = {p->lead[0], p->lead[1], p->lead[2], p->lead[3],
                              p->rows,    p->depth,   p->keys,    p->width};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        if (sizes[k] == 0 || sizes[k] > UINT32_MAX / 4) {
            return false;
        }
        all = k <= LEADS && all <= UINT32_MAX ? all * sizes[k] : all;
    }
    return all <= UINT32_MAX && isfinite(p->scale);
}

/* Has a matrix of operand k no more elements than the operand? Its packed form then neither. */
static bool is_no_larger(const kiln_attention_params *p, size_t k, size_t elements) {
    size_t rows, columns;
    matrix_sizes(p, k, &rows, &columns);
    return columns <= elements / rows;
}

static const char *check(const kernel_call *call) {
    const kiln_attention_params *p = call->params;
    bool batched = false;
    if (!sizes_are_sound(p)) {
        return "parameters out of range";
    }
    for (size_t k = 0; k <= Y; k++) {
        const operand *o = operand_of(call, k);
        const strided loops = loops_of(p, k);
        bool sums = k == BIAS || k == MASK;
        bool fits = o == NULL
                        ? sums
                        : strided_stays_inside(&loops, 0, o->elements) &&
                              (sums ? p->views[k].column == 1 : is_no_larger(p, k, o->elements));
        if (!fits) {
            return "an operand does not fit its view";
        }
        batched = batched || (k < Y && o != NULL && o->batched);
    }
    const strided results = loops_of(p, Y);
    if (call->outputs[0].batched != batched ||
        !strided_takes_each(&results, call->outputs[0].elements) ||
        (operand_of(call, MASK) != NULL && operand_of(call, BIAS) == NULL)) {
        return "the operands do not fit";
    }
    return NULL;
}

/* ---- Scratch ------------------------------------------------------------------------------- */

static room room_of(const kiln_attention_params *p) {
    const ukernels *best = ukernels_best();
    room r = {.keys_padded = round_up(p->keys, best->nr),
              .width_padded = round_up(p->width, best->nr)};
    size_t tiles = SCORES / r.keys_padded / best->mr;
    r.rows = (tiles == 0 ? 1 : tiles) * best->mr;
    r.rows = r.rows < p->rows ? r.rows : p->rows;
    r.keys = r.keys_padded * p->depth;
    r.values = r.width_padded * p->keys;
    r.queries = p->views[Q].column == 1 ? 0 : r.rows * p->depth;
    r.scores = r.rows * r.keys_padded;
    r.results = p->views[Y].column == 1 ? 0 : r.rows * r.width_padded;
    r.sums = r.rows;
    size_t *parts[] = {&r.keys, &r.values, &r.queries, &r.scores, &r.results, &r.sums};
    for (size_t k = 0; k < sizeof parts / sizeof *parts; k++) {
        *parts[k] = round_up(*parts[k], VECTOR_MAX);
        r.all += *parts[k];
    }
    return r;
}

static size_t scratch(const kernel_call *call) {
    return call->host->threads * room_of(call->params).all * sizeof(float);
}

/* ---- Run ----------------------------------------------------------------------------------- */

/* Where the matrix of operand k begins for a head of a sample. */
static float *matrix_of(const kernel_call *call, size_t k, size_t sample, size_t head) {
    const kiln_attention_params *p = call->params;
    const operand *o = operand_of(call, k);
    if (o == NULL) {
        return NULL;
    }
    size_t at = p->views[k].start + (o->batched ? sample * o->elements : 0);
    for (size_t d = LEADS; d-- > 0;) {
        at += head % p->lead[d] * p->views[k].lead[d];
        head /= p->lead[d];
    }
    return (float *)o->data + at;
}

/* A panel of a head's matrix: `columns` of them, `depth` steps each. */
static void pack_panel(const float *from, size_t depth, size_t step, size_t columns,
                       size_t column_step, float *to) {
    const ukernels *best = ukernels_best();
    if (step == 1 && column_step != 1) {
        ukernels_pack(best)->weights[DENSE_F32](columns, depth, from, column_step, to);
    } else {
        kernel_pack_panel(from, depth, step, columns, column_step, best->nr, to);
    }
}

static void pack_matrix(const float *from, size_t depth, size_t step, size_t columns,
                        size_t column_step, float *to) {
    size_t nr = ukernels_best()->nr;
    for (size_t c = 0; c < columns; c += nr) {
        size_t some = columns - c < nr ? columns - c : nr;
        pack_panel(from + c * column_step, depth, step, some, column_step, to + c * depth);
    }
}

/* c = a times a packed matrix of `depth` rows. */
static void multiply(size_t rows, size_t columns, size_t depth, const float *a, size_t a_stride,
                     const float *packed, float *c, size_t c_stride) {
    const ukernels *best = ukernels_best();
    for (size_t n = 0; n < columns; n += best->nr) {
        size_t some = columns - n < best->nr ? columns - n : best->nr;
        best->gemm(rows, some, depth, a, a_stride, packed + n * depth, c + n, c_stride, NULL);
    }
}

/* One head's matrices, and where a worker keeps what it makes of them. */
typedef struct head {
    const kiln_attention_params *p;
    const float *matrices[Y];
    float *y;
    const float *keys, *values; /* packed */
    float *queries, *scores, *results, *sums;
    size_t keys_padded, width_padded;
} head;

static const float *rows_of_queries(const head *h, size_t first, size_t rows, size_t *out_stride) {
    const kiln_attention_view *q = &h->p->views[Q];
    const float *from = h->matrices[Q] + first * q->row;
    if (q->column == 1) {
        *out_stride = q->row;
        return from;
    }
    for (size_t row = 0; row < rows; row++) {
        for (size_t i = 0; i < h->p->depth; i++) {
            h->queries[row * h->p->depth + i] = from[row * q->row + i * q->column];
        }
    }
    *out_stride = h->p->depth;
    return h->queries;
}

static void attend(const head *h, size_t first, size_t rows) {
    const kiln_attention_params *p = h->p;
    const attention_ukernels *ukernels = ukernels_attention(ukernels_best());
    const kiln_attention_view *bias = &p->views[BIAS], *mask = &p->views[MASK], *y = &p->views[Y];
    size_t stride;
    const float *q = rows_of_queries(h, first, rows, &stride);
    multiply(rows, p->keys, p->depth, q, stride, h->keys, h->scores, h->keys_padded);
    const attention_rows scores = {
        .scores = h->scores,
        .rows = rows,
        .count = p->keys,
        .stride = h->keys_padded,
        .scale = p->scale,
        .bias = h->matrices[BIAS] != NULL ? h->matrices[BIAS] + first * bias->row : NULL,
        .mask = h->matrices[MASK] != NULL ? h->matrices[MASK] + first * mask->row : NULL,
        .bias_step = bias->row,
        .mask_step = mask->row,
        .sums = h->sums};
    ukernels->weights(&scores);
    bool in_place = y->column == 1;
    float *to = in_place ? h->y + first * y->row : h->results;
    size_t step = in_place ? y->row : h->width_padded;
    multiply(rows, p->width, p->keys, h->scores, h->keys_padded, h->values, to, step);
    ukernels->divide(to, rows, p->width, step, h->sums);
    for (size_t row = 0; row < rows && !in_place; row++) {
        for (size_t c = 0; c < p->width; c++) {
            h->y[(first + row) * y->row + c * y->column] = to[row * step + c];
        }
    }
}

/* Computes some rows of one head of one sample. */
static void run_task(const attention_task *t, size_t index, float *scratch) {
    const kiln_attention_params *p = t->call->params;
    const room *r = &t->room;
    size_t chunk = index % t->chunks, matrix = index / t->chunks;
    float *keys = scratch, *values = keys + r->keys;
    head h = {.p = p,
              .keys = keys,
              .values = values,
              .queries = values + r->values,
              .keys_padded = r->keys_padded,
              .width_padded = r->width_padded};
    h.scores = h.queries + r->queries;
    h.results = h.scores + r->scores;
    h.sums = h.results + r->results;
    for (size_t k = 0; k < Y; k++) {
        h.matrices[k] = matrix_of(t->call, k, matrix / t->heads, matrix % t->heads);
    }
    h.y = matrix_of(t->call, Y, matrix / t->heads, matrix % t->heads);
    pack_matrix(h.matrices[K], p->depth, p->views[K].column, p->keys, p->views[K].row, keys);
    pack_matrix(h.matrices[V], p->keys, p->views[V].row, p->width, p->views[V].column, values);
    size_t begin = chunk * t->chunk_rows;
    size_t end = begin + t->chunk_rows < p->rows ? begin + t->chunk_rows : p->rows;
    for (size_t row = begin; row < end; row += r->rows) {
        attend(&h, row, end - row < r->rows ? end - row : r->rows);
    }
}

static void run_worker(void *context, size_t worker) {
    attention_task *t = context;
    float *scratch = (float *)t->call->run.scratch + worker * t->room.all;
    size_t index;
    while ((index = atomic_fetch_add(&t->next, 1)) < t->count) {
        run_task(t, index, scratch);
    }
}

/* Heads are shared out whole if there are many; else a few tasks for each thread, if there are rows
 * enough. */
static void split(attention_task *t, size_t matrices) {
    const kiln_attention_params *p = t->call->params;
    size_t threads = t->call->host->threads, wanted = threads > 1 ? 4 * threads : 1;
    size_t chunks = (wanted + matrices - 1) / matrices, most = p->rows / LEAST_ROWS;
    chunks = chunks < most ? chunks : most > 0 ? most : 1;
    t->chunk_rows = (p->rows + chunks - 1) / chunks;
    t->chunks = (p->rows + t->chunk_rows - 1) / t->chunk_rows;
    t->count = matrices * t->chunks;
}

static kiln_status run(kernel_call *call, kiln_error *error) {
    (void)error;
    const kiln_attention_params *p = call->params;
    attention_task t = {.call = call, .room = room_of(p), .heads = 1};
    for (size_t d = 0; d < LEADS; d++) {
        t.heads *= p->lead[d];
    }
    split(&t, t.heads * (call->outputs[0].batched ? call->run.batch : 1));
    atomic_init(&t.next, 0);
    size_t threads = call->host->threads < t.count ? call->host->threads : t.count;
    thread_pool_each(call->host->pool, run_worker, &t, threads);
    return KILN_OK;
}

static uint64_t macs(const kernel_call *call) {
    const kiln_attention_params *p = call->params;
    uint64_t heads = 1;
    for (size_t d = 0; d < LEADS; d++) {
        heads *= p->lead[d];
    }
    return heads * p->rows * p->keys * ((uint64_t)p->depth + p->width);
}

const kernel kernel_attention = {
    KERNEL("attention", kiln_attention_params, macs,
           KERNEL_INPUTS(3, 5, IS_F32, IS_F32, IS_F32, IS_F32, IS_F32),
           KERNEL_OUTPUTS(1, 1, IS_F32)),
    .check = check,
    .scratch = scratch,
    .run = run,
};
