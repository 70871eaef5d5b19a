/* One operator at a time, written down in a line: its naive evaluation, its plan, and that of the
 * model which it is exported as, at batch 1, 2 and 3.
 *
 * A feed is "TYPE DIMS from LOW to HIGH" for a graph's input, filled at random, or "TYPE DIMS =
 * NUMBERS" for a constant; "TYPE DIMS given" and "TYPE DIMS constant" take values of the
 * test's. TYPE: f, i or b (f32, i64, bool); N among the dims is the batch, "-" an absent input.
 * Attributes are "name=value", lists "name=1,2" and "name=1,", words are strings, numbers with a
 * point floats. Settings of the case stand among them, with what they are otherwise: "@opset=9"
 * (13),
 * "@outputs=2" (1), "@min=-1 @max=1" of a fused clamp (none), "@fixed=1": works along the batch,
 * and is refused while that is open; and for case_evaluated and case_ran "@batch=2" and
 * "@threads=2" (1). */
#ifndef KILN_TESTS_OPERATOR_CASE_H
#define KILN_TESTS_OPERATOR_CASE_H

#include "compiler/export/export.h"
#include "tests/scratch.h"
#include "tests/unit/network.h"

#include <stdio.h>
#include <unistd.h>

enum { CASE_FEEDS = 6 };

typedef struct operator_case {
    const char *op, *attributes;
    const char *feeds[CASE_FEEDS];
} operator_case;

/* What "given" and "constant" feeds take, by the feed's place. */
typedef const float *const case_values[CASE_FEEDS];

static inline void case_attribute(graph *g, node *n, const char *name, char *value) {
    int64_t ints[8];
    size_t count = 0;
    char *end;
    double number = strtod(value, &end);
    if (end != value && strchr(value, ',') != NULL) {
        for (char *word = strtok(value, ","); word != NULL; word = strtok(NULL, ",")) {
            ints[count++] = strtoll(word, NULL, 10);
        }
        (void)node_set_ints(g, n, name, ints, count);
    } else if (*end != '\0') {
        (void)node_set_int(g, n, name, 0);
        attribute *made = &n->attributes[n->attribute_count - 1];
        made->type = ATTRIBUTE_STRING;
        made->s = graph_strdup(g, value);
    } else if (strchr(value, '.') != NULL) {
        (void)node_set_float(g, n, name, (float)number);
    } else {
        (void)node_set_int(g, n, name, (int64_t)number);
    }
}

static inline double case_setting(const operator_case *c, const char *name, double fallback) {
    const char *found = strstr(c->attributes, name);
    return found != NULL ? strtod(found + strlen(name), NULL) : fallback;
}

static inline void case_attributes(graph *g, node *n, const char *text) {
    static char copy[256];
    char *rest = NULL;
    snprintf(copy, sizeof copy, "%s", text);
    for (char *word = strtok_r(copy, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        char *equals = strchr(word, '=');
        *equals = '\0';
        if (*word != '@') {
            case_attribute(g, n, graph_strdup(g, word), equals + 1);
        }
    }
}

static inline void case_store(tensor *t, int64_t k, double value) {
    if (t->dtype == KILN_F32) {
        ((float *)t->owned)[k] = (float)value;
    } else if (t->dtype == KILN_I64) {
        ((int64_t *)t->owned)[k] = (int64_t)value;
    } else {
        ((uint8_t *)t->owned)[k] = value != 0;
    }
}

static inline tensor *case_input(network *n, kiln_dtype dtype, uint32_t rank, const int64_t *dims) {
    tensor *t = graph_add_tensor(n->g, NULL, dtype);
    ck_assert_int_eq(tensor_set_shape(n->g, NULL, t, rank, dims), KILN_OK);
    t->is_input = true;
    n->inputs[n->input_count++] = t;
    return t;
}

/* Numbers that follow "=" in a feed. */
static inline void case_read_numbers(tensor *t, char **rest, const char *feed) {
    for (int64_t k = 0; k < tensor_elements(t); k++) {
        const char *word = strtok_r(NULL, " ", rest);
        ck_assert_msg(word != NULL, "too few values: %s", feed);
        case_store(t, k, strtod(word, NULL));
    }
}

/* What follows "from". */
static inline void case_draw_numbers(network *n, tensor *t, char **rest) {
    double low = strtod(strtok_r(NULL, " ", rest), NULL);
    (void)strtok_r(NULL, " ", rest);
    double high = strtod(strtok_r(NULL, " ", rest), NULL);
    for (int64_t k = 0; k < tensor_elements(t); k++) {
        double part = random_below(&n->state, 1u << 20) / (double)(1u << 20);
        case_store(t, k,
                   t->dtype == KILN_F32 ? low + part * (high - low)
                                        : floor(low + part * (high - low + 1)));
    }
}

/* The tensor of a feed. `values`: inputs get their numbers, too. */
static inline tensor *case_feed(network *n, const char *feed, const float *given, int64_t batch,
                                bool values) {
    char copy[512];
    int64_t dims[KILN_MAX_RANK];
    uint32_t rank = 0;
    if (feed[0] == '-') {
        return NULL;
    }
    snprintf(copy, sizeof copy, "%s", feed);
    char *rest = NULL, *word = strtok_r(copy, " ", &rest);
    kiln_dtype dtype = *word == 'f' ? KILN_F32 : *word == 'i' ? KILN_I64 : KILN_BOOL;
    for (word = strtok_r(NULL, " ", &rest); strchr("N-0123456789", *word) != NULL;
         word = strtok_r(NULL, " ", &rest)) {
        dims[rank++] = *word == 'N' ? batch : strtoll(word, NULL, 10);
    }
    bool numbers = *word == '=', constant = numbers || strcmp(word, "constant") == 0;
    tensor *t = constant ? graph_add_constant(n->g, NULL, dtype, rank, dims)
                         : case_input(n, dtype, rank, dims);
    if (!constant && values) {
        ck_assert_int_eq(tensor_allocate(n->g, t), KILN_OK);
    }
    if (numbers) {
        case_read_numbers(t, &rest, feed);
    } else if (given != NULL && (constant || values)) {
        memcpy(t->owned, given, (size_t)tensor_elements(t) * sizeof *given);
    } else if (values) {
        case_draw_numbers(n, t, &rest);
    }
    return t;
}

static inline node *case_begin_given(network *n, const operator_case *c, case_values given,
                                     int64_t batch, bool values) {
    tensor *inputs[CASE_FEEDS], *outputs[NETWORK_ENDS];
    size_t count = 0, output_count = (size_t)case_setting(c, "@outputs=", 1);
    network_begin(n, 7);
    n->g->opset = (int64_t)case_setting(c, "@opset=", 13);
    n->g->batch_symbolic = batch == GRAPH_BATCH;
    while (count < CASE_FEEDS && c->feeds[count] != NULL) {
        inputs[count] = case_feed(n, c->feeds[count], given[count], batch, values);
        count++;
    }
    for (size_t k = 0; k < output_count; k++) {
        outputs[k] = graph_add_tensor(n->g, NULL, KILN_F32);
        network_output(n, outputs[k]);
    }
    const op *row = op_find(c->op);
    ck_assert_msg(row != NULL, "no operator %s", c->op);
    node *made = graph_add_node(n->g, row, NULL, count, inputs, output_count, outputs);
    ck_assert_ptr_nonnull(made);
    case_attributes(n->g, made, c->attributes);
    made->min = (float)case_setting(c, "@min=", (double)-INFINITY);
    made->max = (float)case_setting(c, "@max=", (double)INFINITY);
    return made;
}

static inline node *case_begin(network *n, const operator_case *c, int64_t batch, bool values) {
    static case_values none = {NULL};
    return case_begin_given(n, c, none, batch, values);
}

static inline void case_compare(const operator_case *c, const tensor *expected, const void *found,
                                uint32_t batch) {
    for (int64_t k = 0; k < tensor_elements(expected); k++) {
        if (expected->dtype != KILN_F32) {
            size_t size = kiln_dtype_size(expected->dtype);
            const char *a = expected->data, *b = found;
            ck_assert_msg(memcmp(a + (size_t)k * size, b + (size_t)k * size, size) == 0,
                          "%s %s, batch %u, element %lld", c->op, c->attributes, batch,
                          (long long)k);
            continue;
        }
        double a = (double)((const float *)expected->data)[k],
               b = (double)((const float *)found)[k];
        bool same = (isnan(a) && isnan(b)) || a == b || fabs(a - b) <= 5e-6 + 2e-5 * fabs(a);
        ck_assert_msg(same, "%s %s, batch %u, element %lld: %g, expected %g", c->op, c->attributes,
                      batch, (long long)k, b, a);
    }
}

/* Runs the plan on the reference's inputs. */
static inline void case_run(const operator_case *c, const kiln_plan *plan, network *reference,
                            uint32_t batch) {
    kiln_buffer in[NETWORK_ENDS], out[NETWORK_ENDS];
    kiln_session *session = network_session(plan, 2, batch);
    for (size_t k = 0; k < reference->input_count; k++) {
        tensor *t = reference->inputs[k];
        size_t bytes = (size_t)tensor_elements(t) * kiln_dtype_size(t->dtype);
        in[k] = (kiln_buffer){t->owned, bytes};
    }
    for (size_t k = 0; k < reference->output_count; k++) {
        tensor *t = reference->outputs[k];
        size_t bytes = (size_t)tensor_elements(t) * kiln_dtype_size(t->dtype);
        out[k] = (kiln_buffer){malloc(bytes), bytes};
        memset(out[k].data, 0xa5, bytes);
    }
    kiln_status status = kiln_session_run(session, batch, in, reference->input_count, out,
                                          reference->output_count, &network_error);
    ck_assert_msg(status == KILN_OK, "%s", network_error.message);
    for (size_t k = 0; k < reference->output_count; k++) {
        case_compare(c, reference->outputs[k], out[k].data, batch);
        free(out[k].data);
    }
    kiln_session_destroy(session);
}

/* The naive evaluation of a node whose inputs have values. */
static inline void case_evaluate(network *n, node *made) {
    kiln_status status = graph_infer_node(n->g, made);
    ck_assert_msg(status == KILN_OK, "%s", network_error.message);
    status = graph_evaluate_node(n->g, made);
    ck_assert_msg(status == KILN_OK, "%s", network_error.message);
}

static inline bool case_has_batch(const operator_case *c) {
    bool found = false;
    for (size_t k = 0; k < CASE_FEEDS && c->feeds[k] != NULL; k++) {
        found = found || strstr(c->feeds[k], " N") != NULL;
    }
    return found;
}

/* The plan against the naive evaluator, at each batch. */
static inline void case_compare_plan(const operator_case *c, const kiln_plan *plan, bool fixed) {
    for (uint32_t batch = 1; batch <= (fixed || !case_has_batch(c) ? 1 : 3); batch++) {
        network reference;
        node *made = case_begin(&reference, c, batch, true);
        case_evaluate(&reference, made);
        case_run(c, plan, &reference, batch);
        graph_free(reference.g);
    }
}

static inline kiln_plan *case_open(const operator_case *c, const char *path) {
    kiln_plan *plan = NULL;
    kiln_status status = kiln_plan_open(path, NULL, &plan, &network_error);
    ck_assert_msg(status == KILN_OK, "%s %s: %s", c->op, c->attributes, network_error.message);
    return plan;
}

/* What the plan is exported as, compiled anew. */
static inline void case_check_export(const operator_case *c, const kiln_plan *plan,
                                     const char *folder, bool fixed) {
    char model[128], path[128];
    snprintf(model, sizeof model, "%s/model.onnx", folder);
    snprintf(path, sizeof path, "%s/again", folder);
    kiln_status status = export_plan(plan, model, &network_error);
    if (case_setting(c, "@export=", 1) == 0) {
        ck_assert_int_eq(status, KILN_ERROR_UNSUPPORTED);
        return;
    }
    ck_assert_msg(status == KILN_OK, "%s %s: %s", c->op, c->attributes, network_error.message);
    status = kiln_compile(model, path, NULL, NULL, &network_error);
    ck_assert_msg(status == KILN_OK, "%s %s: %s", c->op, c->attributes, network_error.message);
    kiln_plan *again = case_open(c, path);
    case_compare_plan(c, again, fixed);
    kiln_plan_close(again);
}

static inline void case_check(const operator_case *c, const char *folder) {
    kiln_compile_options options;
    network n;
    char path[128];
    bool fixed = case_setting(c, "@fixed=", 0) != 0;
    snprintf(path, sizeof path, "%s/plan", folder);
    kiln_compile_options_init(&options);
    (void)case_begin(&n, c, GRAPH_BATCH, false);
    kiln_status status = network_write(&n, &options, path);
    if (fixed) {
        ck_assert_msg(status == KILN_ERROR_UNSUPPORTED, "%s %s is not refused", c->op,
                      c->attributes);
        (void)case_begin(&n, c, 1, false);
        status = network_write(&n, &options, path);
    }
    ck_assert_msg(status == KILN_OK, "%s", network_error.message);
    kiln_plan *plan = case_open(c, path);
    case_compare_plan(c, plan, fixed);
    case_check_export(c, plan, folder, fixed);
    kiln_plan_close(plan);
}

/* ---- The first output alone, in f32 ---------------------------------------------------------- */

/* As the naive evaluator computes it; released by network_free_values. */
static inline network_values case_evaluated(const operator_case *c, case_values given) {
    network n;
    node *made = case_begin_given(&n, c, given, (int64_t)case_setting(c, "@batch=", 1), true);
    case_evaluate(&n, made);
    network_values v = {.count = {(size_t)tensor_elements(n.outputs[0])}};
    v.data[0] = malloc(v.count[0] * sizeof(float));
    memcpy(v.data[0], tensor_f32(n.outputs[0]), v.count[0] * sizeof(float));
    graph_free(n.g);
    return v;
}

/* As a plan computes it from given inputs. */
static inline network_values case_ran(const operator_case *c, case_values given) {
    char path[] = "/tmp/kiln-operator-XXXXXX";
    int file = mkstemp(path);
    ck_assert(file >= 0 && close(file) == 0);
    kiln_compile_options options;
    kiln_compile_options_init(&options);
    network n;
    (void)case_begin_given(&n, c, given, case_has_batch(c) ? GRAPH_BATCH : 1, false);
    kiln_status status = network_write(&n, &options, path);
    ck_assert_msg(status == KILN_OK, "%s", network_error.message);
    kiln_plan *plan = case_open(c, path);
    (void)unlink(path);
    network_values in = {0};
    for (size_t k = 0, at = 0; k < CASE_FEEDS && c->feeds[k] != NULL; k++) {
        if (strstr(c->feeds[k], "given") != NULL) {
            in.data[at++] = (float *)(uintptr_t)given[k];
        }
    }
    uint32_t batch = (uint32_t)case_setting(c, "@batch=", 1);
    kiln_session *session = network_session(plan, (uint32_t)case_setting(c, "@threads=", 1), batch);
    network_values out = network_run(plan, session, batch, &in);
    kiln_session_destroy(session);
    kiln_plan_close(plan);
    return out;
}

/* Equal numbers: NaN and infinities at the same places, the others near. */
static inline bool case_agree(const network_values *a, const network_values *b, float tolerance) {
    bool agree = a->count[0] == b->count[0];
    for (size_t k = 0; k < a->count[0] && agree; k++) {
        float x = a->data[0][k], y = b->data[0][k];
        agree = isnan(x) || isnan(y) ? isnan(x) && isnan(y)
                                     : x == y || fabsf(x - y) <= tolerance * (1 + fabsf(y));
    }
    return agree;
}

/* ---- Test programs --------------------------------------------------------------------------- */

static char case_folder[64];

static inline void case_make_folder(void) {
    snprintf(case_folder, sizeof case_folder, "/tmp/kiln-operators-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(case_folder));
}

static inline void case_remove_folder(void) {
    ck_assert(scratch_remove(case_folder));
}

#endif
