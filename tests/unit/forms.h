/* Forms in which exporters write what a plan has as one step: how many such steps become of each,
 * and whether they compute what the evaluators of the form's own operators do. */
#ifndef KILN_TESTS_FORMS_H
#define KILN_TESTS_FORMS_H

#include "tests/scratch.h"
#include "tests/unit/network.h"
#include "tests/unit/suite.h"

static char form_folder[64];

static inline void form_make_folder(void) {
    snprintf(form_folder, sizeof form_folder, "/tmp/kiln-forms-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(form_folder));
}

static inline void form_remove_folder(void) {
    ck_assert(scratch_remove(form_folder));
}

typedef struct form {
    tensor *(*build)(network *n); /* the output, after others that it has made */
    size_t steps;                 /* of the kernel in question */
} form;

static inline void form_begin(network *n, const form *f, int64_t batch) {
    network_begin_at(n, 7, batch);
    network_output(n, f->build(n));
}

static inline size_t form_count(const kiln_plan *plan, kiln_kernel kernel) {
    kiln_plan_view view;
    size_t found = 0;
    kiln_plan_inspect(plan, &view);
    for (size_t k = 0; k < view.step_count; k++) {
        found += view.steps[k].kernel == kernel;
    }
    return found;
}

static inline void form_run(const form *f, const kiln_plan *plan, kiln_session *session,
                            uint32_t batch) {
    network n;
    network_values in = network_noise(plan, batch, 11 + batch);
    network_values found = network_run(plan, session, batch, &in);
    form_begin(&n, f, batch);
    network_values expected = network_evaluate(&n, &in);
    for (size_t k = 0; k < kiln_plan_output_count(plan); k++) {
        ck_assert_double_lt(network_difference(found.data[k], expected.data[k], expected.count[k]),
                            3e-6);
    }
    network_free_values(&in);
    network_free_values(&found);
    network_free_values(&expected);
}

/* Batches and threads from 1 to 3. */
static inline void form_run_all(const form *f, const kiln_plan *plan) {
    for (uint32_t threads = 1; threads <= 3; threads++) {
        kiln_session *session = network_session(plan, threads, 3);
        for (uint32_t batch = 1; batch <= 3; batch++) {
            form_run(f, plan, session, batch);
        }
        kiln_session_destroy(session);
    }
}

static inline void form_check(const form *f, kiln_kernel kernel) {
    char path[128];
    network n;
    kiln_plan *plan = NULL;
    snprintf(path, sizeof path, "%s/plan", form_folder);
    form_begin(&n, f, GRAPH_BATCH);
    network_save(&n, NULL, path);
    ck_assert_msg(kiln_plan_open(path, NULL, &plan, &network_error) == KILN_OK, "%s",
                  network_error.message);
    ck_assert_uint_eq(form_count(plan, kernel), f->steps);
    form_run_all(f, plan);
    kiln_plan_close(plan);
}

/* ---- Nodes --------------------------------------------------------------------------------- */

#define APPLY(n, op, ...)                                                                          \
    network_apply(n, op, sizeof((tensor *[]){__VA_ARGS__}) / sizeof(tensor *),                     \
                  (tensor *[]){__VA_ARGS__}, NULL)
#define SHAPED(n, x, ...)                                                                          \
    APPLY(n, "Reshape", x,                                                                         \
          form_integers(n, sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t),                     \
                        (int64_t[]){__VA_ARGS__}))
#define MOVED(n, x, ...)                                                                           \
    form_with_ints(n, "Transpose", x, "perm", sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t),  \
                   (int64_t[]){__VA_ARGS__})

static inline tensor *form_integers(network *n, size_t count, const int64_t *values) {
    const int64_t dims = (int64_t)count;
    tensor *t = graph_add_constant(n->g, NULL, KILN_I64, 1, &dims);
    memcpy(t->owned, values, count * sizeof *values);
    return t;
}

static inline tensor *form_with_ints(network *n, const char *op, tensor *x, const char *name,
                                     size_t count, const int64_t *values) {
    node *made;
    tensor *y = network_apply(n, op, 1, &x, &made);
    ck_assert_int_eq(node_set_ints(n->g, made, name, values, count), KILN_OK);
    ck_assert_int_eq(graph_infer_node(n->g, made), KILN_OK);
    return y;
}

static inline tensor *form_linear(network *n, tensor *x, int64_t outputs) {
    const int64_t dims[] = {x->dims[x->rank - 1], outputs};
    tensor *y = APPLY(n, "MatMul", x, network_constant(n, 2, dims, 1 / sqrtf((float)dims[0])));
    return APPLY(n, "Add", y, network_constant(n, 1, dims + 1, 1));
}

static inline tensor *form_pointwise(network *n, tensor *x, int64_t outputs) {
    const network_conv c = {outputs, 1, 1, {1, 1}, {1, 1}, {0}, 1, true};
    return network_convolve(n, x, &c);
}

static inline tensor *form_number(network *n, float value) {
    return network_constant_of(n, 0, NULL, &value);
}

#endif
