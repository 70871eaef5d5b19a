/* A network compiled in several ways and run, against the operators' evaluators. These see the
 * batch as a number of the graph, not as the compiler's open one.
 *
 * Where a plan differs, the evaluation is repeated with noise on what operators compute, of the
 * size of the rounding allowed: a network whose own results move as far is badly conditioned, and
 * nothing is to be learnt from it. */
#include "compiler/export/export.h"
#include "tests/fuzz/random_graphs.h"

#include <kiln/compile.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_BATCH = 3, NOISE_ROUNDS = 12 };

typedef struct way {
    const char *name;
    kiln_dtype weights;
    kiln_convolution convolution;
    kiln_memory memory;
    bool no_fusion, exported; /* exported to ONNX, and compiled again */
    double tolerance;         /* of the largest value of an output */
} way;

static const way ways[] = {
    {"exact", KILN_F32, KILN_CONVOLUTION_EXACT, KILN_MEMORY_BALANCED, false, false, 1e-4},
    {"default", KILN_F32, KILN_CONVOLUTION_AUTO, KILN_MEMORY_BALANCED, false, false, 2e-3},
    {"memory min", KILN_F32, KILN_CONVOLUTION_AUTO, KILN_MEMORY_MIN, false, false, 2e-3},
    {"memory min, exact", KILN_F32, KILN_CONVOLUTION_EXACT, KILN_MEMORY_MIN, false, false, 1e-4},
    {"memory speed", KILN_F32, KILN_CONVOLUTION_EXACT, KILN_MEMORY_SPEED, false, false, 1e-4},
    {"exported", KILN_F32, KILN_CONVOLUTION_EXACT, KILN_MEMORY_SPEED, false, true, 1e-4},
    {"no fusion", KILN_F32, KILN_CONVOLUTION_EXACT, KILN_MEMORY_BALANCED, true, false, 1e-4},
    {"f16 weights", KILN_F16, KILN_CONVOLUTION_EXACT, KILN_MEMORY_BALANCED, false, false, 3e-3},
    {"winograd2", KILN_F32, KILN_CONVOLUTION_WINOGRAD_2, KILN_MEMORY_BALANCED, false, false, 2e-3},
    {"winograd6", KILN_F32, KILN_CONVOLUTION_WINOGRAD_6, KILN_MEMORY_BALANCED, false, false, 1e-2},
    {"direct", KILN_F32, KILN_CONVOLUTION_DIRECT, KILN_MEMORY_BALANCED, false, false, 1e-4},
};
enum { WAYS = sizeof ways / sizeof *ways };

typedef struct results {
    void *data[MAX_ENDS];
    size_t bytes[MAX_ENDS];
} results;

static void free_results(results *r) {
    for (size_t k = 0; k < MAX_ENDS; k++) {
        free(r->data[k]);
    }
    *r = (results){0};
}

/* ---- The evaluators -------------------------------------------------------------------------- */

static void copy_node(graph *g, const node *n, tensor **twins) {
    tensor *inputs[16], *outputs[MAX_ENDS];
    for (size_t k = 0; k < n->input_count; k++) {
        inputs[k] = n->inputs[k] != NULL ? twins[n->inputs[k]->mark] : NULL;
    }
    for (size_t k = 0; k < n->output_count; k++) {
        outputs[k] = twins[n->outputs[k]->mark];
    }
    node *made =
        graph_add_node(g, n->op, n->name, n->input_count, inputs, n->output_count, outputs);
    made->attribute_count = n->attribute_count;
    made->attributes = graph_allocate(g, (n->attribute_count + 1) * sizeof *n->attributes);
    for (size_t k = 0; k < n->attribute_count; k++) {
        made->attributes[k] = n->attributes[k];
    }
}

/* The same network with its batch fixed; twins[t->mark] is t's. */
static graph *fix_batch(const generator *r, int64_t batch, kiln_error *error, tensor **twins) {
    graph *g;
    if (graph_create("random", op_find, error, &g) != KILN_OK) {
        abort();
    }
    g->opset = r->g->opset;
    for (size_t k = 0; k < r->g->tensor_count; k++) {
        tensor *t = r->g->tensors[k], *twin;
        t->mark = k;
        if (tensor_is_constant(t)) {
            twin = graph_add_constant(g, t->name, t->dtype, t->rank, t->dims);
            memcpy(twin->owned, t->data, (size_t)tensor_elements(t) * kiln_dtype_size(t->dtype));
        } else {
            int64_t dims[KILN_MAX_RANK];
            memcpy(dims, t->dims, sizeof dims);
            dims[0] = r->g->batch_symbolic && t->rank > 0 ? sample_size(t, 0) * batch : dims[0];
            twin = graph_add_tensor(g, t->name, t->dtype);
            if (t->is_input) {
                (void)tensor_set_shape(g, NULL, twin, t->rank, dims);
            }
        }
        twin->narrow = t->narrow;
        twins[k] = twin;
    }
    for (size_t k = 0; k < r->g->node_count; k++) {
        copy_node(g, r->g->nodes[k], twins);
    }
    return g;
}

static float random_value(uint64_t *state) {
    float sum = 0;
    for (int k = 0; k < 4; k++) {
        *state = *state * 6364136223846793005u + 1442695040888963407u;
        sum += (float)(*state >> 40) / (1 << 24) - 0.5f;
    }
    return sum * 1.7f;
}

/* Operators that round nothing get no noise: a maximum of equal values stays one. */
static bool is_exact(const node *n) {
    static const char *const names[] = {"Concat",
                                        "Split",
                                        "Slice",
                                        "Transpose",
                                        "Reshape",
                                        "Flatten",
                                        "Squeeze",
                                        "Unsqueeze",
                                        "Pad",
                                        "Gather",
                                        "Expand",
                                        "Tile",
                                        "Relu",
                                        "Clip",
                                        "Max",
                                        "Min",
                                        "MaxPool",
                                        "GlobalMaxPool",
                                        "Neg",
                                        "Abs",
                                        "Identity",
                                        "Dropout",
                                        "Where",
                                        "Cast",
                                        "ReduceMax",
                                        "ReduceMin",
                                        "TopK",
                                        "DepthToSpace",
                                        "SpaceToDepth",
                                        "QuantizeLinear",
                                        "DequantizeLinear",
                                        "Requantize"};
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        if (strcmp(n->op->name, names[k]) == 0) {
            return true;
        }
    }
    return false;
}

static void add_noise(tensor *t, double level, uint64_t *state) {
    float *values = t->owned, largest = 0;
    for (int64_t k = 0; k < tensor_elements(t); k++) {
        largest = fmaxf(largest, fabsf(values[k]));
    }
    for (int64_t k = 0; k < tensor_elements(t); k++) {
        values[k] += random_value(state) * largest * (float)level;
    }
}

/* The nodes that a node is said in take its place in the order. */
static kiln_status put_resolved(graph *g, size_t at) {
    size_t first;
    if (!resolve_node(g, g->nodes[at], &first)) {
        return KILN_ERROR_INTERNAL;
    }
    size_t made = g->node_count - first;
    node **nodes = calloc(made + 1, sizeof *nodes);
    memcpy(nodes, g->nodes + first, made * sizeof *nodes);
    memmove(g->nodes + at + made, g->nodes + at + 1, (first - at - 1) * sizeof *nodes);
    memcpy(g->nodes + at, nodes, made * sizeof *nodes);
    g->node_count = first - 1 + made;
    free(nodes);
    return KILN_OK;
}

/* Do they take a mean away? What is left of nearly equal numbers is their own rounding. */
static bool is_norm(const node *n) {
    return strstr(n->op->name, "Normalization") != NULL || strstr(n->op->name, "GroupNorm") != NULL;
}

/* Everything, in order; with noise on what operators compute, and what norms are given. */
static kiln_status evaluate_nodes(graph *g, double noise, uint64_t *state) {
    kiln_status status = KILN_OK;
    for (size_t k = 0; k < g->node_count && status == KILN_OK; k++) {
        if (g->nodes[k]->op->resolve != NULL) {
            status = put_resolved(g, k);
        }
        node *n = g->nodes[k];
        if (noise > 0 && is_norm(n) && n->inputs[0]->owned != NULL) {
            add_noise(n->inputs[0], noise, state);
        }
        status = status == KILN_OK ? graph_infer_node(g, n) : status;
        status = status == KILN_OK ? graph_evaluate_node(g, n) : status;
        for (size_t o = 0; o < n->output_count && status == KILN_OK && noise > 0; o++) {
            if (n->outputs[o]->dtype == KILN_F32 && !is_exact(n)) {
                add_noise(n->outputs[o], noise, state);
            }
        }
    }
    return status;
}

/* False, with a message: the evaluators themselves refuse. */
static bool evaluate(const generator *r, int64_t batch, double noise, uint64_t noise_seed,
                     results *out) {
    kiln_error error = {0};
    uint64_t values = 77, state = noise_seed;
    tensor **twins = calloc(r->g->tensor_count, sizeof *twins);
    graph *g = fix_batch(r, batch, &error, twins);
    for (size_t k = 0; k < r->input_count; k++) {
        tensor *x = twins[r->inputs[k]->mark];
        (void)tensor_allocate(g, x);
        for (int64_t i = 0; i < tensor_elements(x); i++) {
            ((float *)x->owned)[i] = random_value(&values);
        }
        if (noise > 0) { /* a sum that comes out near zero rounds as its terms do */
            add_noise(x, noise, &state);
        }
    }
    kiln_status status = evaluate_nodes(g, noise, &state);
    for (size_t k = 0; k < r->output_count && status == KILN_OK; k++) {
        const tensor *y = twins[r->outputs[k]->mark];
        out->bytes[k] = (size_t)tensor_elements(y) * kiln_dtype_size(y->dtype);
        out->data[k] = malloc(out->bytes[k]);
        memcpy(out->data[k], y->data, out->bytes[k]);
    }
    if (status != KILN_OK) {
        fprintf(stderr, "%s\n", error.message);
    }
    graph_free(g);
    free((void *)twins);
    return status == KILN_OK;
}

/* ---- The plan -------------------------------------------------------------------------------- */

static size_t index_of_end(tensor *const *ends, size_t count, const char *name) {
    size_t k = 0;
    while (k < count && strcmp(ends[k]->name, name) != 0) {
        k++;
    }
    return k;
}

/* The same values as evaluate() gives it, whichever inputs are left in the plan. */
static void fill_inputs(const generator *r, const kiln_plan *plan, uint32_t batch,
                        kiln_buffer *buffers) {
    uint64_t state = 77;
    for (size_t k = 0; k < r->input_count; k++) {
        size_t count = batch;
        for (uint32_t d = 0; d < r->inputs[k]->rank; d++) {
            count *= (size_t)sample_size(r->inputs[k], d);
        }
        float *values = malloc(count * sizeof *values);
        for (size_t i = 0; i < count; i++) {
            values[i] = random_value(&state);
        }
        bool taken = false;
        for (size_t p = 0; p < kiln_plan_input_count(plan); p++) {
            kiln_tensor_info info;
            (void)kiln_plan_input(plan, p, &info);
            if (strcmp(info.name, r->inputs[k]->name) == 0) {
                buffers[p] = (kiln_buffer){values, count * sizeof *values};
                taken = true;
            }
        }
        if (!taken) {
            free(values);
        }
    }
}

static kiln_status run_session(const generator *r, const kiln_plan *plan, kiln_session *session,
                               uint32_t batch, results *out, kiln_error *error) {
    kiln_buffer in[MAX_ENDS] = {{0}}, to[MAX_ENDS] = {{0}};
    size_t inputs = kiln_plan_input_count(plan), outputs = kiln_plan_output_count(plan);
    fill_inputs(r, plan, batch, in);
    for (size_t p = 0; p < outputs; p++) {
        kiln_tensor_info info;
        (void)kiln_plan_output(plan, p, &info);
        size_t k = index_of_end(r->outputs, r->output_count, info.name);
        out->bytes[k] = info.bytes * (info.batched ? batch : 1);
        out->data[k] = malloc(out->bytes[k]);
        memset(out->data[k], 0x7f, out->bytes[k]); /* what is not written shows */
        to[p] = (kiln_buffer){out->data[k], out->bytes[k]};
    }
    kiln_status status = kiln_session_run(session, batch, in, inputs, to, outputs, error);
    for (size_t p = 0; p < inputs; p++) {
        free((void *)(uintptr_t)in[p].data);
    }
    return status;
}

/* ---- Comparison ------------------------------------------------------------------------------ */

/* The largest difference, relative to the largest value; infinite where sizes differ, or values of
 * a type that is compared exactly. */
static double difference(const tensor *t, const results *a, const results *b, size_t k) {
    if (a->bytes[k] != b->bytes[k] || a->data[k] == NULL || b->data[k] == NULL) {
        return INFINITY;
    }
    if (t->dtype != KILN_F32) {
        return memcmp(a->data[k], b->data[k], a->bytes[k]) == 0 ? 0 : INFINITY;
    }
    const float *x = a->data[k], *y = b->data[k];
    double worst = 0, largest = 1e-3;
    for (size_t i = 0; i < a->bytes[k] / sizeof *x; i++) {
        if (!isfinite(x[i])) {
            return 0; /* of the expected ones: no network to learn from */
        }
        double apart = fabs((double)x[i] - (double)y[i]);
        worst = isnan(apart) ? INFINITY : fmax(worst, apart);
        largest = fmax(largest, fabs((double)x[i]));
    }
    return worst / largest;
}

typedef struct trial {
    const generator *r;
    uint64_t seed;
    const char *folder;
    results expected[MOST_BATCH + 1]; /* by batch */
    run_counts *counts;
    bool wrong;
} trial;

static void report(trial *t, const way *w, uint32_t threads, uint32_t batch, const char *what) {
    printf("seed %llu: %s, %u threads, batch %u%s: %s\n", (unsigned long long)t->seed, w->name,
           threads, batch, t->r->g->batch_symbolic ? " of an open one" : "", what);
    t->wrong = true;
}

/* Does noise of the size allowed move the output as far? */
static bool is_badly_conditioned(const trial *t, const way *w, uint32_t batch, size_t k,
                                 double found) {
    double moved = 0;
    for (uint64_t round = 0; round < NOISE_ROUNDS; round++) {
        results noisy = {0};
        if (evaluate(t->r, batch, w->tolerance / 10, round + 1, &noisy)) {
            double apart = difference(t->r->outputs[k], &t->expected[batch], &noisy, k);
            moved = fmax(moved, apart);
        }
        free_results(&noisy);
    }
    return moved == INFINITY || found < 4 * moved;
}

static void compare(trial *t, const way *w, uint32_t threads, uint32_t batch,
                    const results *found) {
    for (size_t k = 0; k < t->r->output_count && !t->wrong; k++) {
        double apart = difference(t->r->outputs[k], &t->expected[batch], found, k);
        if (apart <= w->tolerance) {
            continue;
        }
        bool sizes = found->bytes[k] == t->expected[batch].bytes[k];
        if (sizes && is_badly_conditioned(t, w, batch, k, apart)) {
            t->counts->unjudged++;
            continue;
        }
        char text[160];
        snprintf(text, sizeof text,
                 "output '%s' is off by %.3g of its largest value (%.3g allowed)",
                 t->r->outputs[k]->name, apart, w->tolerance);
        report(t, w, threads, batch, text);
    }
}

/* Inputs that nothing reads are left out, and the batch with the last of them. */
static bool has_batch(const kiln_plan *plan) {
    bool found = false;
    for (size_t k = 0; k < kiln_plan_input_count(plan); k++) {
        kiln_tensor_info info;
        found = found || (kiln_plan_input(plan, k, &info) == KILN_OK && info.batched);
    }
    return found;
}

/* Runs at one batch, and often at another after it in the same session. */
static void run_plan(trial *t, const way *w, const kiln_plan *plan, uint32_t choice) {
    kiln_session_options options;
    kiln_error error = {0};
    kiln_session *session = NULL;
    bool open = t->r->g->batch_symbolic && has_batch(plan);
    uint32_t batches[2] = {open ? 1 + choice % MOST_BATCH : 1, open ? 1 + choice / 3 % 3 : 1};
    kiln_session_options_init(&options);
    options.threads = choice / 9 == 0 ? 2 : 1; /* few: idle threads of a pool spin */
    options.max_batch = open ? MOST_BATCH : 1;
    kiln_status status = kiln_session_create(plan, &options, &session, &error);
    for (size_t k = 0; k < 2 && status == KILN_OK && (k == 0 || batches[1] != batches[0]); k++) {
        uint32_t batch = batches[k];
        results found = {0}, *expected = &t->expected[batch];
        status = run_session(t->r, plan, session, batch, &found, &error);
        if (expected->data[0] == NULL && !evaluate(t->r, batch, 0, 0, expected)) {
            report(t, w, options.threads, batch, "cannot be evaluated");
        } else if (status == KILN_OK) {
            compare(t, w, options.threads, batch, &found);
        }
        t->counts->runs++;
        free_results(&found);
    }
    if (status != KILN_OK) {
        report(t, w, options.threads, batches[0], error.message);
    }
    kiln_session_destroy(session);
}

/* The plan as a model, compiled again; what cannot be exported stays as it is. */
static kiln_status export_and_compile(const char *model, const char *plan_path,
                                      const kiln_compile_options *options, kiln_plan **inout_plan,
                                      kiln_error *error) {
    char exported[300];
    snprintf(exported, sizeof exported, "%s.exported.onnx", model);
    kiln_status status = export_plan(*inout_plan, exported, error);
    if (status == KILN_ERROR_UNSUPPORTED) {
        return KILN_OK;
    }
    kiln_plan_close(*inout_plan);
    *inout_plan = NULL;
    if (status == KILN_OK) {
        status = kiln_compile(exported, plan_path, options, NULL, error);
    }
    return status == KILN_OK ? kiln_plan_open(plan_path, NULL, inout_plan, error) : status;
}

static void try_way(trial *t, const way *w, const char *model, const char *plan_path,
                    uint32_t choice) {
    kiln_compile_options options;
    kiln_compile_report done;
    kiln_error error = {0};
    kiln_plan *plan = NULL;
    kiln_compile_options_init(&options);
    options.weights = w->weights;
    options.convolution = w->convolution;
    options.memory = w->memory;
    options.no_fusion = w->no_fusion;
    (void)unlink(plan_path);
    kiln_status status = kiln_compile(model, plan_path, &options, &done, &error);
    if (status == KILN_OK) {
        status = kiln_plan_open(plan_path, NULL, &plan, &error);
    }
    if (status == KILN_OK && w->exported) {
        status = export_and_compile(model, plan_path, &options, &plan, &error);
    }
    if (status != KILN_OK) {
        report(t, w, 0, 0, error.message);
        return;
    }
    if (t->r->g->batch_symbolic && done.batch_lost) {
        report(t, w, 0, 0, done.note);
    } else {
        run_plan(t, w, plan, choice);
    }
    kiln_plan_close(plan);
}

bool check_network(const generator *r, uint64_t seed, const char *folder, bool all_ways,
                   run_counts *inout_counts) {
    trial t = {.r = r, .seed = seed, .counts = inout_counts};
    generator chooser = {.state = seed};
    char model[256], plan[256];
    snprintf(model, sizeof model, "%s/model.onnx", folder);
    snprintf(plan, sizeof plan, "%s/model.plan", folder);
    (void)unlink(model);
    if (!write_onnx(r, model)) {
        return false;
    }
    size_t count = all_ways ? WAYS : 3;
    for (size_t k = 0; k < count && !t.wrong; k++) {
        size_t chosen = all_ways || k == 0 ? k : 1 + below(&chooser, WAYS - 1);
        try_way(&t, &ways[chosen], model, plan, below(&chooser, 9 * 8));
    }
    for (size_t k = 0; k <= MOST_BATCH; k++) {
        free_results(&t.expected[k]);
    }
    inout_counts->graphs++;
    inout_counts->wrong += t.wrong;
    return !t.wrong;
}
