/* Dense layers against sums in double precision, with each set of vector instructions that runs
 * here: odd sizes, strided rows, f32 and f16 weights. Weights and inputs end where a page ends that
 * has none behind it, so that a read past them is a crash. */
#include "runtime/base/allocator.h"
#include "runtime/kernels/kernel.h"
#include "runtime/ukernels/ukernels.h"
#include "tests/unit/network.h"
#include "tests/unit/suite.h"
#include <kiln/half.h>

#include <check.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static kiln_error error;

/* ---- Memory that ends at a page's end ------------------------------------------------------- */

typedef struct guarded {
    uint8_t *mapping;
    size_t size, page;
    void *data;
} guarded;

static guarded guard(size_t bytes) {
    guarded g = {.page = (size_t)sysconf(_SC_PAGESIZE)};
    size_t pages = (bytes + g.page - 1) / g.page;
    g.size = (pages + 2) * g.page;
    g.mapping = mmap(NULL, g.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(g.mapping, MAP_FAILED);
    ck_assert_int_eq(mprotect(g.mapping, g.page, PROT_NONE), 0);
    ck_assert_int_eq(mprotect(g.mapping + (pages + 1) * g.page, g.page, PROT_NONE), 0);
    g.data = g.mapping + (pages + 1) * g.page - bytes;
    return g;
}

static void unguard(guarded *g) {
    ck_assert_int_eq(munmap(g->mapping, g->size), 0);
}

/* ---- A layer of any size --------------------------------------------------------------------- */

typedef struct layer {
    dense_piece piece;
    bool half;
    guarded x, weights, bias, y;
} layer;

static float value(uint32_t *state) {
    *state = *state * 1664525u + 1013904223u;
    return (float)(int32_t)(*state >> 8 & 0xffff) / 32768.0f - 1.0f;
}

static layer make_layer(size_t m, size_t n, size_t k, size_t gap, bool half, bool bias) {
    uint32_t state = (uint32_t)(m * 31 + n * 7 + k);
    size_t x_count = (m - 1) * (k + gap) + k, y_count = (m - 1) * (n + gap) + n;
    layer l = {.half = half,
               .x = guard(x_count * sizeof(float)),
               .weights = guard(n * k * (half ? sizeof(uint16_t) : sizeof(float))),
               .bias = guard(n * sizeof(float)),
               .y = guard(y_count * sizeof(float))};
    float *x = l.x.data, *b = l.bias.data, *y = l.y.data;
    for (size_t i = 0; i < x_count; i++) {
        x[i] = i % (k + gap) < k ? value(&state) : NAN; /* between rows: not to be read */
    }
    for (size_t i = 0; i < n * k; i++) {
        float w = value(&state);
        if (half) {
            ((uint16_t *)l.weights.data)[i] = kiln_f16_from_f32(w);
        } else {
            ((float *)l.weights.data)[i] = w;
        }
    }
    for (size_t i = 0; i < n; i++) {
        b[i] = value(&state);
    }
    for (size_t i = 0; i < y_count; i++) {
        y[i] = -77.0f;
    }
    l.piece = (dense_piece){
        m, n, k, x, k + gap, l.weights.data, bias ? b : NULL, -INFINITY, INFINITY, y, n + gap};
    return l;
}

static void free_layer(layer *l) {
    unguard(&l->x);
    unguard(&l->weights);
    unguard(&l->bias);
    unguard(&l->y);
}

static double weight_at(const layer *l, size_t at) {
    return l->half ? (double)kiln_f32_from_f16(((const uint16_t *)l->weights.data)[at])
                   : (double)((const float *)l->weights.data)[at];
}

/* A chain of `longest` roundings at most, of sums that are no larger than that of the sizes. */
static void check_layer(const layer *l, double longest) {
    const dense_piece *p = &l->piece;
    for (size_t row = 0; row < p->m; row++) {
        for (size_t o = 0; o < p->n; o++) {
            double sum = p->bias != NULL ? (double)p->bias[o] : 0, size = fabs(sum);
            for (size_t i = 0; i < p->k; i++) {
                double product = (double)p->x[row * p->x_stride + i] * weight_at(l, o * p->k + i);
                sum += product;
                size += fabs(product);
            }
            sum = fmin(fmax(sum, (double)p->min), (double)p->max);
            double found = (double)p->y[row * p->y_stride + o];
            ck_assert_msg(fabs(found - sum) <= longest * size * (double)FLT_EPSILON / 2,
                          "m %zu n %zu k %zu f16 %d, row %zu output %zu: %g, not %g", p->m, p->n,
                          p->k, l->half, row, o, found, sum);
        }
        for (size_t o = p->n; row + 1 < p->m && o < p->y_stride; o++) {
            ck_assert_float_eq(p->y[row * p->y_stride + o], -77.0f);
        }
    }
}

/* The sums of each lane, then of the lanes, then bias. */
static double roundings(size_t k) {
    return (double)k / 4 + 8;
}

static const size_t batches[] = {1, 2, 3, 5, 33};
static const size_t depths[] = {1, 3, 4, 7, 8, 15, 16, 17, 31, 32, 37, 64, 129, 1027};
static const size_t widths[] = {1, 2, 3, 4, 5, 13, 40};
#define COUNT(array) (sizeof(array) / sizeof *(array))

START_TEST(lanes_agree_with_doubles) {
    const ukernels *best;
    for (size_t which = 0; (best = ukernels_at(which)) != NULL; which++) {
        for (size_t at = 0; at < COUNT(batches) * COUNT(depths) * COUNT(widths) * 2; at++) {
            size_t m = batches[at / 2 % COUNT(batches)];
            size_t k = depths[at / 2 / COUNT(batches) % COUNT(depths)];
            size_t n = widths[at / 2 / COUNT(batches) / COUNT(depths)];
            layer l = make_layer(m, n, k, at % 3, at % 2 == 1, at % 5 != 0);
            if (at % 7 == 0) {
                l.piece.min = -0.5f;
                l.piece.max = 0.75f;
            }
            ukernels_dense(best)->dot[l.half ? DENSE_F16 : DENSE_F32](&l.piece);
            check_layer(&l, roundings(k));
            free_layer(&l);
        }
    }
}
END_TEST

/* What is infinite or no number counts where it stands and nowhere else, at the end of k too. */
START_TEST(lanes_keep_infinities_apart) {
    const ukernels *best;
    for (size_t which = 0; (best = ukernels_at(which)) != NULL; which++) {
        for (size_t at = 0; at < 37; at++) {
            layer l = make_layer(2, 3, 37, 0, false, false);
            ((float *)l.x.data)[at] = INFINITY;
            ((float *)l.weights.data)[at] = 2.0f;
            ((float *)l.weights.data)[37 + at] = -2.0f;
            ukernels_dense(best)->dot[DENSE_F32](&l.piece);
            ck_assert_float_eq(l.piece.y[0], INFINITY);
            ck_assert_float_eq(l.piece.y[1], -INFINITY);
            ck_assert_float_finite(l.piece.y[3]);
            ((float *)l.x.data)[at] = ((float *)l.x.data)[37 + at] = 1.5f;
            ((float *)l.weights.data)[37 + at] = INFINITY;
            ukernels_dense(best)->dot[DENSE_F32](&l.piece);
            ck_assert_float_finite(l.piece.y[0]);
            ck_assert_float_eq(l.piece.y[1], INFINITY);
            ck_assert_float_eq(l.piece.y[4], INFINITY);
            free_layer(&l);
        }
    }
}
END_TEST

/* Through the sums (all but infinities, which have no sum with 0) and through panels. */
START_TEST(every_half_is_widened_exactly) {
    const ukernels *best;
    static float turned[8 * GEMM_MAX_NR];
    for (size_t which = 0; (best = ukernels_at(which)) != NULL; which++) {
        for (uint32_t first = 0; first < 0x10000; first += 8) {
            uint16_t halves[8], row[VECTOR_MAX] = {0};
            for (uint32_t i = 0; i < 8; i++) {
                halves[i] = (uint16_t)(first + i);
            }
            ukernels_pack(best)->weights[DENSE_F16](1, 8, halves, 8, turned);
            uint16_t four[4 * 8];
            for (size_t r = 0; r < 4; r++) {
                memcpy(four + r * 8, halves, sizeof halves);
            }
            static float turned_four[8 * GEMM_MAX_NR];
            ukernels_pack(best)->weights[DENSE_F16](4, 8, four, 8, turned_four);
            for (size_t i = 0; i < 8; i++) {
                float expected = kiln_f32_from_f16(halves[i]), y, one[VECTOR_MAX] = {0};
                float found = turned[i * best->nr], in_four = turned_four[i * best->nr + 2];
                ck_assert(found == expected || (isnan(found) && isnan(expected)));
                ck_assert(in_four == expected || (isnan(in_four) && isnan(expected)));
                if (!isfinite(expected)) {
                    continue;
                }
                row[i] = halves[i];
                one[i] = 1;
                dense_piece p = {1,    1,         VECTOR_MAX, one, VECTOR_MAX, row,
                                 NULL, -INFINITY, INFINITY,   &y,  1};
                ukernels_dense(best)->dot[DENSE_F16](&p);
                ck_assert_float_eq(y, expected);
                row[i] = 0;
            }
        }
    }
}
END_TEST

START_TEST(panels_are_the_weights_turned) {
    static float to[37 * GEMM_MAX_NR];
    const ukernels *best;
    for (size_t which = 0; (best = ukernels_at(which)) != NULL; which++) {
        for (size_t n = 1; n <= best->nr; n++) {
            for (size_t k = 1; k <= 37; k += n % 2 == 0 ? 5 : 4) {
                layer l = make_layer(1, n, k, 0, n % 3 == 0, false);
                ukernels_pack(best)->weights[l.half ? DENSE_F16 : DENSE_F32](n, k, l.weights.data,
                                                                             k, to);
                for (size_t i = 0; i < k * best->nr; i++) {
                    size_t o = i % best->nr;
                    double expected = o < n ? weight_at(&l, o * k + i / best->nr) : 0;
                    ck_assert_double_eq((double)to[i], expected);
                }
                free_layer(&l);
            }
        }
    }
}
END_TEST

/* ---- The kernel ------------------------------------------------------------------------------ */

static void run_kernel(layer *l, uint32_t function, thread_pool *pool) {
    const dense_piece *p = &l->piece;
    kiln_plan_tensor_record plain = {.dtype = KILN_F32, .stored_dtype = KILN_F32};
    kiln_plan_tensor_record stored = {.dtype = KILN_F32,
                                      .stored_dtype = l->half ? KILN_F16 : KILN_F32};
    operand operands[4] = {{.data = l->x.data, .record = &plain},
                           {.data = l->weights.data, .record = &stored, .constant = true},
                           {.data = l->bias.data, .constant = true},
                           {.data = l->y.data, .record = &plain}};
    operands[2].record = p->bias != NULL ? &plain : NULL;
    const size_t shape[4][3] = {
        {p->m, p->k, p->x_stride}, {p->n, p->k, p->k}, {1, p->n, p->n}, {p->m, p->n, p->y_stride}};
    for (size_t k = 0; k < 4; k++) {
        operand *o = &operands[k];
        o->dtype = KILN_F32;
        o->rank = 2;
        o->dims[0] = o->outer = shape[k][0];
        o->dims[1] = o->inner = shape[k][1];
        o->row_stride = shape[k][2];
    }
    kiln_fully_connected_params params = {p->min, p->max};
    kiln_plan_step step = {.kernel = KILN_KERNEL_FULLY_CONNECTED,
                           .flags = KILN_STEP_WITH_FUNCTION(function)};
    const kernel_host host = {.pool = pool};
    kernel_call call = {.step = &step,
                        .name = "dense",
                        .params = &params,
                        .input_count = 3,
                        .output_count = 1,
                        .inputs = operands,
                        .outputs = operands + 3,
                        .host = &host,
                        .run = {.batch = 1}};
    ck_assert_int_eq(kernel_find(KILN_KERNEL_FULLY_CONNECTED)->run(&call, &error), KILN_OK);
}

/* Few rows and many, of one and more panels, depths and strips. Two threads give what one gives. */
START_TEST(kernel_agrees_with_doubles) {
    static const size_t sizes[][3] = {{1, 1, 1},     {1, 1000, 515}, {5, 77, 1031}, {19, 33, 40},
                                      {33, 7, 5},    {33, 65, 300},  {64, 96, 128}, {150, 33, 257},
                                      {300, 40, 64}, {1, 3, 20000}};
    thread_pool *pool = NULL;
    ck_assert_int_eq(thread_pool_create(default_allocator(), 2, &pool, NULL), KILN_OK);
    for (size_t at = 0; at < COUNT(sizes) * 4; at++) {
        const size_t *size = sizes[at / 4];
        layer l = make_layer(size[0], size[1], size[2], at % 2 * 3, at % 4 > 1, at % 3 != 0);
        l.piece.min = at % 5 == 0 ? 0 : -INFINITY;
        run_kernel(&l, KILN_UNARY_CLAMP, NULL);
        check_layer(&l, (double)size[2] + 4); /* panels sum one by one */
        size_t bytes = ((size[0] - 1) * l.piece.y_stride + size[1]) * sizeof(float);
        float *alone = malloc(bytes);
        memcpy(alone, l.piece.y, bytes);
        run_kernel(&l, KILN_UNARY_CLAMP, pool);
        ck_assert_mem_eq(alone, l.piece.y, bytes);
        free(alone);
        free_layer(&l);
    }
    thread_pool_destroy(pool);
}
END_TEST

START_TEST(results_go_through_functions) {
    static const size_t sizes[][3] = {{1, 70, 30}, {3, 33, 40}, {150, 70, 257}};
    for (size_t at = 0; at < COUNT(sizes) * 2; at++) {
        layer l = make_layer(sizes[at / 2][0], sizes[at / 2][1], sizes[at / 2][2], at % 2 * 3,
                             false, true);
        const dense_piece *p = &l.piece;
        run_kernel(&l, KILN_UNARY_CLAMP, NULL);
        size_t count = (p->m - 1) * p->y_stride + p->n;
        float *plain = malloc(count * sizeof *plain);
        memcpy(plain, p->y, count * sizeof *plain);
        l.piece.min = 0.25f; /* the function's alpha */
        l.piece.max = NAN;
        run_kernel(&l, KILN_UNARY_LEAKY_RELU, NULL);
        for (size_t k = 0; k < count; k++) {
            bool inside = k % p->y_stride < p->n; /* nothing is written between rows */
            float expected = inside && plain[k] < 0 ? plain[k] / 4 : plain[k];
            ck_assert_mem_eq(&p->y[k], &expected, sizeof expected);
        }
        free(plain);
        free_layer(&l);
    }
}
END_TEST

/* ---- A session ------------------------------------------------------------------------------- */

enum { K = 1021, N = 67, ROWS = 33 };
static char path[] = "/tmp/kiln-dense-XXXXXX";

static void write_dense_plan(kiln_dtype weights) {
    network n;
    uint32_t state = 5;
    kiln_compile_options options;
    kiln_compile_options_init(&options);
    options.weights = weights;
    network_begin(&n, 1);
    tensor *x = network_input_of(&n, 2, (int64_t[]){K});
    tensor *w = graph_add_constant(n.g, NULL, KILN_F32, 2, (int64_t[]){K, N});
    for (size_t i = 0; i < (size_t)K * N; i++) {
        ((float *)w->owned)[i] = kiln_f32_from_f16(kiln_f16_from_f32(value(&state)));
    }
    network_output(&n, network_apply(&n, "MatMul", 2, (tensor *[]){x, w}, NULL));
    network_save(&n, &options, path);
}

/* Held where the file's last byte is the last that may be read. */
static kiln_plan *open_guarded(guarded *out_memory) {
    kiln_plan *file = NULL, *plan = NULL;
    kiln_plan_view view;
    ck_assert_int_eq(kiln_plan_open(path, NULL, &file, &error), KILN_OK);
    kiln_plan_inspect(file, &view);
    size_t size = (size_t)view.header->file_bytes;
    *out_memory = guard(size);
    memcpy(out_memory->data, view.header, size);
    kiln_plan_close(file);
    ck_assert_msg(kiln_plan_open_memory((kiln_span){out_memory->data, size}, NULL, &plan, &error) ==
                      KILN_OK,
                  "%s", error.message);
    return plan;
}

static void *count_allocate(void *context, size_t size, size_t alignment) {
    void *pointer = NULL;
    *(size_t *)context += size;
    return posix_memalign(&pointer, alignment < 16 ? 16 : alignment, size) == 0 ? pointer : NULL;
}

static void count_release(void *context, void *pointer, size_t size) {
    *(size_t *)context -= size;
    free(pointer);
}

/* The weights are rounded beforehand, so both plans give the same; neither session copies them. */
START_TEST(sessions_read_the_plan) {
    static float x[ROWS * K], y[2][ROWS * N];
    uint32_t state = 9;
    for (size_t i = 0; i < COUNT(x); i++) {
        x[i] = value(&state);
    }
    for (int half = 0; half < 2; half++) {
        guarded memory;
        size_t held = 0;
        kiln_allocator allocator = {&held, count_allocate, count_release};
        write_dense_plan(half ? KILN_F16 : KILN_F32);
        kiln_plan *plan = open_guarded(&memory);
        kiln_session_options options;
        kiln_session *session = NULL;
        kiln_session_options_init(&options);
        options.max_batch = ROWS;
        options.threads = 2;
        options.allocator = &allocator;
        ck_assert_msg(kiln_session_create(plan, &options, &session, &error) == KILN_OK, "%s",
                      error.message);
        ck_assert_uint_lt(held - kiln_session_arena_bytes(session), 16384);
        for (uint32_t batch = 1; batch <= ROWS; batch += 16) {
            kiln_buffer in = {x, (size_t)batch * K * sizeof(float)};
            kiln_buffer out = {y[half], (size_t)batch * N * sizeof(float)};
            ck_assert_int_eq(kiln_session_run(session, batch, &in, 1, &out, 1, &error), KILN_OK);
        }
        kiln_session_destroy(session);
        ck_assert_uint_eq(held, 0);
        kiln_plan_close(plan);
        unguard(&memory);
    }
    ck_assert_mem_eq(y[0], y[1], sizeof y[0]);
}
END_TEST

int main(void) {
    int file = mkstemp(path);
    if (file < 0 || close(file) != 0) {
        return EXIT_FAILURE;
    }
    const suite_test tests[] = {
        TEST("arithmetic", lanes_agree_with_doubles),
        TEST("arithmetic", lanes_keep_infinities_apart),
        TEST("arithmetic", every_half_is_widened_exactly),
        TEST("packing", panels_are_the_weights_turned),
        TEST("kernel", kernel_agrees_with_doubles),
        TEST("kernel", results_go_through_functions),
        TEST("kernel", sessions_read_the_plan),
    };
    int failed = SUITE("dense", tests);
    (void)unlink(path);
    return failed;
}
