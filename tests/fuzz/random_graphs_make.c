/* A network from its seed: inputs, a few steps, outputs; and what steps are made with. */
#include "tests/fuzz/random_graphs.h"

#include <kiln/half.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Chance ---------------------------------------------------------------------------------- */

/* splitmix64 (Steele, Lea and Flood 2014) */
uint32_t below(generator *r, uint32_t bound) {
    uint64_t z = (r->state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (uint32_t)((z ^ (z >> 31)) >> 32) % bound;
}

int64_t between(generator *r, int64_t low, int64_t high) {
    return high <= low ? low : low + below(r, (uint32_t)(high - low + 1));
}

bool chance(generator *r, uint32_t percent) {
    return below(r, 100) < percent;
}

/* ---- Tensors --------------------------------------------------------------------------------- */

int64_t sample_size(const tensor *t, uint32_t axis) {
    return t->dims[axis] % GRAPH_BATCH == 0 ? t->dims[axis] / GRAPH_BATCH : t->dims[axis];
}

static float random_value(generator *r, constant_kind kind) {
    float sum = 0;
    for (int k = 0; k < 4; k++) {
        sum += (float)below(r, 1u << 16) / (1 << 16) - 0.5f;
    }
    return kind == OF_POSITIVE ? 0.3f + fabsf(sum) : sum * 1.7f; /* of variance 1 */
}

tensor *constant_of(generator *r, uint32_t rank, const int64_t *dims, constant_kind kind) {
    tensor *t = graph_add_constant(r->g, NULL, KILN_F32, rank, dims);
    float fan_in = rank > 1 ? (float)tensor_elements(t) / (float)dims[0] : 1;
    for (int64_t k = 0; k < tensor_elements(t); k++) {
        float value = random_value(r, kind) / (kind == OF_WEIGHTS ? sqrtf(fan_in) : 1);
        ((float *)t->owned)[k] = kiln_f32_from_f16(kiln_f16_from_f32(value));
    }
    return t;
}

tensor *integers_of(generator *r, size_t count, const int64_t *values) {
    int64_t dims = (int64_t)count;
    tensor *t = graph_add_constant(r->g, NULL, KILN_I64, 1, &dims);
    if (count > 0) {
        memcpy(t->owned, values, count * sizeof *values);
    }
    return t;
}

tensor *scalar_of(generator *r, float value) {
    tensor *t = graph_add_constant(r->g, NULL, KILN_F32, 0, NULL);
    *(float *)t->owned = value;
    return t;
}

tensor *pick(generator *r, uint32_t least_rank, uint32_t most_rank) {
    if (chance(r, 4)) {
        int64_t dims[KILN_MAX_RANK] = {1};
        uint32_t rank = (uint32_t)between(r, least_rank, most_rank < 5 ? most_rank : 5);
        for (uint32_t k = r->g->batch_symbolic ? 1 : 0; k < rank; k++) {
            dims[k] = between(r, 1, 6);
        }
        return constant_of(r, rank, dims, OF_UNIT);
    }
    for (int attempt = 0; attempt < 20; attempt++) {
        size_t k = chance(r, 55) ? r->pool_count - 1 : below(r, (uint32_t)r->pool_count);
        tensor *t = r->pool[k];
        if (t->rank >= least_rank && t->rank <= most_rank && t->dtype == KILN_F32) {
            return t;
        }
    }
    return NULL;
}

tensor *pick_like(generator *r, const tensor *t, int64_t free_axis) {
    for (int attempt = 0; attempt < 40; attempt++) {
        tensor *other = r->pool[below(r, (uint32_t)r->pool_count)];
        bool fits = other->dtype == t->dtype && other->rank == t->rank;
        for (uint32_t k = 0; k < t->rank && fits; k++) {
            bool same = other->dims[k] == t->dims[k];
            fits = k == free_axis || same ||
                   (free_axis < 0 && (other->dims[k] == 1 || t->dims[k] == 1));
        }
        if (fits) {
            return other;
        }
    }
    return NULL;
}

/* ---- Nodes ----------------------------------------------------------------------------------- */

node *begin_node(generator *r, const char *op, size_t input_count, tensor *const *inputs,
                 size_t output_count) {
    tensor *outputs[MAX_ENDS];
    for (size_t k = 0; k < output_count; k++) {
        outputs[k] = graph_add_tensor(r->g, NULL, KILN_F32);
    }
    if (op_find(op) == NULL) {
        fprintf(stderr, "no operator %s\n", op);
        abort();
    }
    return graph_add_node(r->g, op_find(op), NULL, input_count, inputs, output_count, outputs);
}

/* In how many dims from `first` on is the batch? */
static uint32_t batch_dims(const graph *g, const tensor *t, uint32_t first) {
    uint32_t count = 0;
    for (uint32_t k = first; k < t->rank && g->batch_symbolic; k++) {
        count += t->dims[k] % GRAPH_BATCH == 0;
    }
    return count;
}

/* What reads the batch keeps it, once. */
static bool keeps_batch(const graph *g, const node *n, const tensor *y) {
    bool batched = false;
    for (size_t k = 0; k < n->input_count; k++) {
        const tensor *t = n->inputs[k];
        batched = batched || (t != NULL && !tensor_is_constant(t) && batch_dims(g, t, 0) > 0);
    }
    return batch_dims(g, y, 0) == (batched ? 1 : 0);
}

bool resolve_node(graph *g, node *n, size_t *out_first) {
    resolution needed = {0};
    *out_first = g->node_count;
    return n->op->resolve(g, n, &needed) == KILN_OK && needed.needed == NULL;
}

/* The nodes that it is said in are left behind: what is written is the operator itself. */
static bool infer_resolved(graph *g, node *n) {
    size_t first;
    bool good = resolve_node(g, n, &first);
    for (size_t k = first; k < g->node_count && good; k++) {
        good = graph_infer_node(g, g->nodes[k]) == KILN_OK;
    }
    g->node_count = first;
    return good;
}

tensor *end_moved_node(generator *r, node *n) {
    if (n == NULL || n->op->min_opset > r->g->opset) {
        return NULL;
    }
    bool good =
        n->op->resolve != NULL ? infer_resolved(r->g, n) : graph_infer_node(r->g, n) == KILN_OK;
    for (size_t k = 0; k < n->output_count && good; k++) {
        const tensor *y = n->outputs[k];
        int64_t elements = 1;
        for (uint32_t axis = 0; axis < y->rank; axis++) {
            elements *= sample_size(y, axis);
        }
        good = elements > 0 && elements <= MAX_TENSOR_ELEMENTS && keeps_batch(r->g, n, y);
    }
    return good ? n->outputs[0] : NULL;
}

tensor *end_hidden_node(generator *r, node *n) {
    tensor *y = end_moved_node(r, n);
    for (size_t k = 0; y != NULL && k < n->output_count; k++) {
        y = batch_dims(r->g, n->outputs[k], 1) == 0 ? y : NULL;
    }
    return y;
}

tensor *end_node(generator *r, node *n) {
    tensor *y = end_hidden_node(r, n);
    if (y == NULL || r->pool_count + n->output_count > MAX_POOL) {
        return NULL;
    }
    for (size_t k = 0; k < n->output_count; k++) {
        r->pool[r->pool_count++] = n->outputs[k];
    }
    return y;
}

tensor *apply(generator *r, const char *op, size_t input_count, tensor *const *inputs) {
    for (size_t k = 0; k < input_count; k++) {
        if (inputs[k] == NULL && k == 0) {
            return NULL;
        }
    }
    return end_node(r, begin_node(r, op, input_count, inputs, 1));
}

void set_int(generator *r, node *n, const char *name, int64_t value) {
    (void)node_set_int(r->g, n, name, value);
}

void set_float(generator *r, node *n, const char *name, float value) {
    (void)node_set_float(r->g, n, name, value);
}

void set_ints(generator *r, node *n, const char *name, const int64_t *values, size_t count) {
    (void)node_set_ints(r->g, n, name, values, count);
}

/* The graph has no function for these: passes set none. */
void set_string(generator *r, node *n, const char *name, const char *value) {
    set_int(r, n, name, 0);
    attribute *a = &n->attributes[n->attribute_count - 1];
    a->type = ATTRIBUTE_STRING;
    a->s = value;
}

uint32_t some_axis(generator *r, const tensor *t) {
    return (uint32_t)between(r, r->g->batch_symbolic || chance(r, 85) ? 1 : 0, t->rank - 1);
}

int64_t any_sign(generator *r, int64_t axis, uint32_t rank) {
    return chance(r, 50) ? axis : axis - (int64_t)rank;
}

/* ---- The network ----------------------------------------------------------------------------- */

static void add_input(generator *r, int64_t batch) {
    static const uint32_t ranks[] = {4, 4, 4, 4, 4, 3, 3, 2, 5};
    static const int64_t channels[] = {1, 1, 2, 3, 4, 5, 6, 8, 16, 17};
    uint32_t rank = CHOOSE(r, ranks);
    int64_t dims[KILN_MAX_RANK] = {batch, CHOOSE(r, channels)}, most = rank == 5 ? 5 : 14;
    for (uint32_t k = 2; k < rank; k++) {
        dims[k] = chance(r, 15) ? 1 : between(r, 2, most);
    }
    if (rank == 4 && chance(r, 4)) { /* large enough for bands and several tiles */
        dims[1] = between(r, 1, 3);
        dims[2] = between(r, 30, 50);
        dims[3] = between(r, 30, 50);
    }
    tensor *t = graph_add_tensor(r->g, NULL, KILN_F32);
    (void)tensor_set_shape(r->g, NULL, t, rank, dims);
    t->is_input = true;
    r->inputs[r->input_count++] = t;
    r->pool[r->pool_count++] = t;
}

static void add_step(generator *r) {
    static const weighted_step *const themes[] = {window_steps, movement_steps,  value_steps,
                                                  shape_steps,  index_steps,     batch_steps,
                                                  rare_steps,   quantized_steps, pattern_steps};
    uint32_t total = 0;
    for (size_t theme = 0; theme < sizeof themes / sizeof *themes; theme++) {
        for (const weighted_step *s = themes[theme]; s->make != NULL; s++) {
            total += s->weight;
        }
    }
    uint32_t at = below(r, total);
    for (size_t theme = 0; theme < sizeof themes / sizeof *themes; theme++) {
        for (const weighted_step *s = themes[theme]; s->make != NULL; s++) {
            if (at >= s->weight) {
                at -= s->weight;
                continue;
            }
            size_t nodes = r->g->node_count, pool = r->pool_count;
            if (!s->make(r)) {
                for (size_t k = nodes; k < r->g->node_count; k++) {
                    r->g->nodes[k]->dead = true;
                }
                (void)graph_refresh(r->g);
                r->pool_count = pool;
            }
            return;
        }
    }
}

/* What nobody reads, and some of what is read as well. */
static void choose_outputs(generator *r) {
    (void)graph_refresh(r->g);
    for (size_t k = r->g->node_count; k-- > 0;) {
        const node *n = r->g->nodes[k];
        for (size_t o = 0; o < n->output_count; o++) {
            tensor *t = n->outputs[o];
            if (r->output_count < MAX_ENDS && batch_dims(r->g, t, 1) == 0 &&
                (t->consumer_count == 0 || chance(r, 10))) {
                t->is_output = true;
                r->outputs[r->output_count++] = t;
            }
        }
    }
}

bool make_network(uint64_t seed, kiln_error *error, generator *out_generator) {
    static const int64_t opsets[] = {12, 13, 13, 17, 18, 21}, batches[] = {1, 1, 2, 3};
    generator *r = out_generator;
    *r = (generator){.state = seed * 0x2545f4914f6cdd1du};
    if (graph_create("random", op_find, error, &r->g) != KILN_OK) {
        abort();
    }
    bool open = chance(r, 60);
    int64_t batch = open ? GRAPH_BATCH : CHOOSE(r, batches);
    r->g->opset = CHOOSE(r, opsets);
    r->g->producer = "random_graphs";
    r->g->batch_symbolic = open;
    uint32_t inputs = 1 + (chance(r, 30) ? below(r, 3) : 0);
    for (uint32_t k = 0; k < inputs; k++) {
        add_input(r, batch);
    }
    uint32_t steps = 1 + below(r, 9);
    for (size_t k = 0; k < (size_t)4 * steps && r->g->node_count < (size_t)2 * steps; k++) {
        add_step(r);
    }
    choose_outputs(r);
    r->g->inputs = r->inputs;
    r->g->input_count = r->input_count;
    r->g->outputs = r->outputs;
    r->g->output_count = r->output_count;
    return r->output_count > 0;
}
