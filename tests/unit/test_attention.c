/* Attention in one step: exporters' forms against the evaluators of the operators that they are
 * made of, the micro-kernels against sums in double precision, damaged parameters. */
#include "runtime/ukernels/ukernels.h"
#include "tests/unit/forms.h"

static tensor *part(network *n, tensor *x, int64_t axis, int64_t begin, int64_t end) {
    return APPLY(n, "Slice", x, form_integers(n, 1, &begin), form_integers(n, 1, &end),
                 form_integers(n, 1, &axis));
}

static tensor *element_of(network *n, tensor *x, int64_t index) {
    tensor *at = graph_add_constant(n->g, NULL, KILN_I64, 0, NULL);
    memcpy(at->owned, &index, sizeof index);
    return APPLY(n, "Gather", x, at);
}

/* ---- Forms --------------------------------------------------------------------------------- */

/* PyTorch's scaled_dot_product_attention of a packed tensor, both factors scaled. */
static tensor *packed(network *n) {
    tensor *x = network_input_of(n, 3, (int64_t[]){37, 24}), *heads[3];
    tensor *all = SHAPED(n, form_linear(n, x, 72), 0, 37, 3, 2, 12);
    all = MOVED(n, all, 2, 0, 3, 1, 4);
    for (int64_t k = 0; k < 3; k++) {
        heads[k] = element_of(n, all, k);
    }
    tensor *q = APPLY(n, "Mul", heads[0], form_number(n, 0.7f));
    tensor *k = APPLY(n, "Mul", MOVED(n, heads[1], 0, 1, 3, 2), form_number(n, 0.7f));
    tensor *p = APPLY(n, "Softmax", APPLY(n, "MatMul", q, k));
    tensor *y = MOVED(n, APPLY(n, "MatMul", p, heads[2]), 0, 2, 1, 3);
    return form_linear(n, SHAPED(n, y, 0, 37, 24), 24);
}

/* Queries, keys and values are channels of a map, and so is the result (LeViT): q^T k, v p^T. */
static tensor *of_maps(network *n) {
    tensor *x = network_input(n, 10, 5, 7);
    tensor *all = SHAPED(n, form_pointwise(n, x, 150), 0, 3, 50, 35);
    tensor *q = part(n, all, 2, 0, 9), *k = part(n, all, 2, 9, 18), *v = part(n, all, 2, 18, 50);
    tensor *s = APPLY(n, "MatMul", MOVED(n, q, 0, 1, 3, 2), k);
    s = APPLY(n, "Add", network_constant(n, 3, (int64_t[]){3, 35, 35}, 1),
              APPLY(n, "Mul", s, form_number(n, 0.5f)));
    tensor *p = MOVED(n, APPLY(n, "Softmax", s), 0, 1, 3, 2);
    return form_pointwise(n, SHAPED(n, APPLY(n, "MatMul", v, p), 0, 96, 5, 7), 4);
}

/* Windows of a map, their bias, and a mask for each window (Swin). */
static tensor *of_windows(network *n) {
    tensor *x = network_input_of(n, 4, (int64_t[]){8, 12, 12}), *heads[3];
    x = MOVED(n, SHAPED(n, x, 0, 2, 4, 3, 4, 12), 0, 1, 3, 2, 4, 5);
    tensor *all = form_linear(n, SHAPED(n, x, -1, 16, 12), 36);
    all = MOVED(n, SHAPED(n, all, -1, 16, 3, 3, 4), 2, 0, 3, 1, 4);
    for (int64_t k = 0; k < 3; k++) {
        heads[k] = element_of(n, all, k);
    }
    tensor *s = APPLY(n, "MatMul", heads[0], MOVED(n, heads[1], 0, 1, 3, 2));
    s = APPLY(n, "Add", s, network_constant(n, 4, (int64_t[]){1, 3, 16, 16}, 2));
    s = APPLY(n, "Add", SHAPED(n, s, -1, 6, 3, 16, 16),
              network_constant(n, 5, (int64_t[]){1, 6, 1, 16, 16}, 3));
    tensor *p = APPLY(n, "Softmax", SHAPED(n, s, -1, 3, 16, 16));
    tensor *y = MOVED(n, APPLY(n, "MatMul", p, heads[2]), 0, 2, 1, 3);
    y = SHAPED(n, form_linear(n, SHAPED(n, y, -1, 16, 12), 12), -1, 2, 3, 4, 4, 12);
    return MOVED(n, y, 0, 1, 3, 2, 4, 5);
}

/* All heads read the same keys and values, of a smaller map (PVT, MobileNetV4). */
static tensor *of_pooled_keys(network *n) {
    tensor *x = network_input(n, 8, 6, 6), *pooled;
    node *pool;
    pooled = network_apply(n, "AveragePool", 1, &x, &pool);
    network_window(n, pool, 2, 2, (int64_t[]){2, 2}, (int64_t[]){0, 0, 0, 0});
    ck_assert_int_eq(graph_infer_node(n->g, pool), KILN_OK);
    tensor *q = MOVED(n, SHAPED(n, form_pointwise(n, x, 80), 0, 4, 20, 36), 0, 1, 3, 2);
    tensor *k = SHAPED(n, form_pointwise(n, pooled, 20), 0, 1, 20, 9);
    tensor *v = MOVED(n, SHAPED(n, form_pointwise(n, pooled, 33), 0, 1, 33, 9), 0, 1, 3, 2);
    tensor *s = APPLY(n, "Div", APPLY(n, "MatMul", q, k), form_number(n, 4));
    tensor *y = APPLY(n, "MatMul", APPLY(n, "Softmax", s), v);
    return SHAPED(n, MOVED(n, y, 0, 1, 3, 2), 0, 132, 6, 6);
}

/* One query, and a bias that the network computes. */
static tensor *of_one_query(network *n) {
    tensor *x = network_input_of(n, 3, (int64_t[]){19, 16});
    tensor *q = part(n, form_linear(n, x, 16), 1, 0, 1), *k = form_linear(n, x, 16),
           *v = form_linear(n, x, 16);
    q = MOVED(n, SHAPED(n, q, 0, 1, 4, 4), 0, 2, 1, 3);
    k = MOVED(n, SHAPED(n, k, 0, 19, 4, 4), 0, 2, 3, 1);
    v = MOVED(n, SHAPED(n, v, 0, 19, 4, 4), 0, 2, 1, 3);
    tensor *bias = SHAPED(n, form_linear(n, x, 1), 0, 1, 1, 19);
    tensor *s = APPLY(n, "Add", APPLY(n, "MatMul", q, k), bias);
    tensor *y = APPLY(n, "MatMul", APPLY(n, "Softmax", s), v);
    return SHAPED(n, MOVED(n, y, 0, 2, 1, 3), 0, 16);
}

/* Matrices as they come, of two inputs; many keys. */
static tensor *of_inputs(network *n) {
    tensor *x = network_input_of(n, 3, (int64_t[]){65, 40});
    tensor *z = network_input_of(n, 3, (int64_t[]){700, 40});
    tensor *s = APPLY(n, "MatMul", x, MOVED(n, z, 0, 2, 1));
    return APPLY(n, "MatMul", APPLY(n, "Softmax", s), part(n, z, 2, 3, 40));
}

/* The weights are an output as well. */
static tensor *with_weights(network *n) {
    tensor *x = network_input_of(n, 3, (int64_t[]){9, 8});
    tensor *p = APPLY(n, "Softmax", APPLY(n, "MatMul", x, MOVED(n, x, 0, 2, 1)));
    network_output(n, p);
    return APPLY(n, "MatMul", p, x);
}

/* Scaled when the bias has been added. */
static tensor *scaled_late(network *n) {
    tensor *x = network_input_of(n, 3, (int64_t[]){9, 8});
    tensor *s = APPLY(n, "MatMul", x, MOVED(n, x, 0, 2, 1));
    s = APPLY(n, "Add", s, network_constant(n, 2, (int64_t[]){9, 9}, 1));
    tensor *p = APPLY(n, "Softmax", APPLY(n, "Mul", s, form_number(n, 0.5f)));
    return APPLY(n, "MatMul", p, x);
}

/* Heads are mixed between scores and softmax (EfficientFormerV2). */
static tensor *talking_heads(network *n) {
    tensor *x = network_input_of(n, 4, (int64_t[]){3, 9, 8});
    tensor *s = form_pointwise(n, APPLY(n, "MatMul", x, MOVED(n, x, 0, 1, 3, 2)), 3);
    return APPLY(n, "MatMul", APPLY(n, "Softmax", s), x);
}

static const form forms[] = {{packed, 1},         {of_maps, 1},      {of_windows, 1},
                             {of_pooled_keys, 1}, {of_one_query, 1}, {of_inputs, 1},
                             {with_weights, 0},   {scaled_late, 0},  {talking_heads, 0}};

START_TEST(computes_forms) {
    form_check(&forms[_i], KILN_KERNEL_ATTENTION);
}
END_TEST

/* ---- Micro-kernels ------------------------------------------------------------------------- */

#define ROWS ((size_t)3)
#define MOST ((size_t)83)
#define STRIDE ((size_t)96)

static void check_weights(const ukernels *set, size_t count, int sums) {
    static float scores[ROWS * STRIDE], before[ROWS * STRIDE], bias[ROWS * MOST], mask[MOST];
    float totals[ROWS];
    uint64_t state = count;
    for (size_t k = 0; k < ROWS * STRIDE; k++) {
        scores[k] = before[k] = k % STRIDE < count ? 30 * random_normal(&state) : NAN;
    }
    for (size_t k = 0; k < ROWS * MOST; k++) {
        bias[k] = random_normal(&state);
        mask[k % MOST] = k % 3 == 1 && count > 2 ? -INFINITY : 0;
    }
    const attention_rows rows = {.scores = scores,
                                 .rows = ROWS,
                                 .count = count,
                                 .stride = STRIDE,
                                 .scale = 0.3f,
                                 .bias = sums > 0 ? bias : NULL,
                                 .mask = sums > 1 ? mask : NULL,
                                 .bias_step = MOST,
                                 .mask_step = 0,
                                 .sums = totals};
    ukernels_attention(set)->weights(&rows);
    for (size_t row = 0; row < ROWS; row++) {
        double s[MOST], largest = -INFINITY, sum = 0;
        for (size_t k = 0; k < count; k++) {
            s[k] = (double)before[row * STRIDE + k] * (double)0.3f +
                   (sums > 0 ? (double)bias[row * MOST + k] : 0) + (sums > 1 ? (double)mask[k] : 0);
            if (s[k] > largest) { /* gcc 12 fails on fmax here, for ARM */
                largest = s[k];
            }
        }
        for (size_t k = 0; k < count; k++) {
            /* Scores are rounded before the function makes a factor of their error. */
            double expected = exp(s[k] - largest), part = (fabs(s[k]) + fabs(largest) + 4) * 1.2e-7;
            double error = fabs((double)scores[row * STRIDE + k] - expected);
            ck_assert(error <= part * expected + 1e-35 || isinf(s[k]));
            ck_assert(!isinf(s[k]) || error == 0);
            sum += expected;
        }
        ck_assert_double_le(fabs((double)totals[row] - sum), 1e-5 * sum);
    }
}

START_TEST(weighs_scores) {
    const ukernels *set;
    for (size_t k = 0; (set = ukernels_at(k)) != NULL; k++) {
        for (size_t count = 1; count <= MOST; count++) {
            for (int sums = 0; sums < 3; sums++) {
                check_weights(set, count, sums);
            }
        }
    }
}
END_TEST

/* A row of NaN, and one that a mask leaves nothing of, are not numbers, as by the formula. */
START_TEST(keeps_what_is_no_number) {
    const ukernels *set;
    for (size_t k = 0; (set = ukernels_at(k)) != NULL; k++) {
        float scores[2 * STRIDE] = {0}, sums[2], y[] = {1, 1};
        for (size_t i = 0; i < 20; i++) {
            scores[STRIDE + i] = -INFINITY;
        }
        scores[17] = NAN;
        const attention_rows rows = {
            .scores = scores, .rows = 2, .count = 20, .stride = STRIDE, .scale = 1, .sums = sums};
        ukernels_attention(set)->weights(&rows);
        ukernels_attention(set)->divide(y, 2, 1, 1, sums);
        ck_assert(isnan(sums[0]) && isnan(sums[1]) && isnan(y[0]) && isnan(y[1]));
    }
}
END_TEST

/* ---- Damage -------------------------------------------------------------------------------- */

#define WORD(member) (offsetof(kiln_attention_params, member) / 4)

/* Word `at` of the parameters of of_maps, as it may not be. */
static const struct {
    size_t at;
    uint32_t value;
} damaged[] = {
    {WORD(lead[3]), 0},
    {WORD(lead[0]), 2},
    {WORD(rows), 0},
    {WORD(rows), UINT32_MAX},
    {WORD(depth), 10000},
    {WORD(keys), 36},
    {WORD(keys), 0x40000000},
    {WORD(width), 33},
    {WORD(scale), 0x7fc00000},
    {WORD(views[0].start), 0x7fffffff},
    {WORD(views[1].row), 0x7fffffff},
    {WORD(views[2].lead[3]), 5000},
    {WORD(views[2].column), 0x10000000},
    {WORD(views[3].column), 2},
    {WORD(views[3].column), 0},
    {WORD(views[3].row), 36},
    {WORD(views[5].start), 1},
    {WORD(views[5].row), 32},
    {WORD(views[5].lead[3]), 0},
    {WORD(views[5].column), 2},
};

START_TEST(refuses_damaged_parameters) {
    kiln_compile_options options;
    kiln_compile_report report = {0};
    network n;
    program *p = NULL;
    char path[128];
    size_t found = 0;
    kiln_plan *plan = NULL;
    snprintf(path, sizeof path, "%s/damaged", form_folder);
    kiln_compile_options_init(&options);
    form_begin(&n, &forms[1], GRAPH_BATCH);
    network_close(&n);
    ck_assert_int_eq(passes_run(n.g, &options, &report), KILN_OK);
    ck_assert_int_eq(lower_graph_to_program(n.g, &options, &p), KILN_OK);
    ck_assert_int_eq(place_program(p), KILN_OK);
    for (size_t k = 0; k < p->step_count; k++) {
        if (p->steps[k].kernel == KILN_KERNEL_ATTENTION) {
            uint32_t *word = (uint32_t *)p->steps[k].params + damaged[_i].at;
            ck_assert_uint_ne(*word, damaged[_i].value);
            *word = damaged[_i].value;
            found++;
        }
    }
    ck_assert_uint_eq(found, 1);
    kiln_status status = write_plan_file(p, path, &options, &report, &network_error);
    status = status == KILN_OK ? kiln_plan_open(path, NULL, &plan, &network_error) : status;
    ck_assert_msg(status == KILN_ERROR_FORMAT, "word %zu may be %u", damaged[_i].at,
                  damaged[_i].value);
    graph_free(n.g);
}
END_TEST

int main(void) {
    const suite_test tests[] = {
        EACH("forms", computes_forms, forms),
        TEST("micro-kernels", weighs_scores),
        TEST("micro-kernels", keeps_what_is_no_number),
        EACH("damage", refuses_damaged_parameters, damaged),
    };
    return SUITE("attention", tests, .begin = form_make_folder, .end = form_remove_folder);
}
