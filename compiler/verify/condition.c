/* How well a layer is conditioned: measured, by computing it again from values that are a little
 * off, as in Monte Carlo arithmetic (Parker, 1997). The difference of two large numbers, or an
 * activation that saturates, turns rounding into errors that are large beside its small result; a
 * plan is not to blame for those.
 *
 * A layer is computed from the nearest values that the plan shows. Those are moved by some units in
 * the last place, element by element. What lies between, fused or in a band and so not shown, is
 * allowed the error of a layer: it is moved by up to the tolerance of its largest element. */
#include "compiler/verify/verify.h"
#include <kiln/element.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct saved_value {
    tensor *t;
    const void *data;
    void *owned;
} saved_value;

typedef struct cone {
    const comparison *c;
    tensor *target;
    node **nodes; /* those between the target and what the plan shows, last first */
    size_t node_count;
    saved_value *saved; /* first what is moved at the cone's edge, then the outputs of its nodes */
    size_t edge_count, saved_count;
    uint64_t random;
} cone;

static bool is_edge(const tensor *t) {
    return t->producer == NULL || first_record(t) != 0;
}

/* Collects the nodes between. Counts also bound the values to save: each node's inputs and
 * outputs. */
static kiln_status collect_nodes(cone *k, size_t *out_values) {
    graph *g = k->c->reference;
    size_t last = 0;
    k->nodes = malloc((g->node_count + 1) * sizeof *k->nodes);
    if (k->nodes == NULL) {
        return KILN_ERROR_MEMORY;
    }
    for (size_t i = 0; i < g->node_count; i++) {
        g->nodes[i]->mark = g->nodes[i] == k->target->producer;
        last = g->nodes[i]->mark != 0 ? i + 1 : last;
    }
    for (size_t i = last; i-- > 0;) {
        node *n = g->nodes[i];
        if (n->mark == 0) {
            continue;
        }
        k->nodes[k->node_count++] = n;
        *out_values += n->input_count + n->output_count;
        for (size_t input = 0; input < n->input_count; input++) {
            if (n->inputs[input] != NULL && !is_edge(n->inputs[input])) {
                n->inputs[input]->producer->mark = 1;
            }
        }
    }
    return KILN_OK;
}

static void save(cone *k, tensor *t) {
    if (t != NULL && (t->mark & MARK_SAVED) == 0) {
        t->mark |= MARK_SAVED;
        k->saved[k->saved_count++] = (saved_value){t, t->data, t->owned};
        t->data = t->owned = NULL;
    }
}

static kiln_status save_values(cone *k, size_t most) {
    k->saved = malloc((most + 1) * sizeof *k->saved);
    if (k->saved == NULL) {
        return KILN_ERROR_MEMORY;
    }
    for (size_t i = 0; i < k->node_count; i++) {
        for (size_t input = 0; input < k->nodes[i]->input_count; input++) {
            tensor *t = k->nodes[i]->inputs[input];
            if (t != NULL && is_edge(t) && (t->mark & MARK_VARIES) != 0 && t->dtype == KILN_F32) {
                save(k, t);
            }
        }
    }
    k->edge_count = k->saved_count;
    for (size_t i = 0; i < k->node_count; i++) {
        for (size_t output = 0; output < k->nodes[i]->output_count; output++) {
            save(k, k->nodes[i]->outputs[output]);
        }
    }
    return KILN_OK;
}

static void restore_values(cone *k) {
    for (size_t i = 0; i < k->saved_count; i++) {
        saved_value *s = &k->saved[i];
        tensor_release(s->t);
        s->t->data = s->data;
        s->t->owned = s->owned;
        s->t->mark &= ~(size_t)MARK_SAVED;
    }
}

/* ---- One sample ---------------------------------------------------------------------------- */

static kiln_status move_edges(cone *k) {
    for (size_t i = 0; i < k->edge_count; i++) {
        tensor *t = k->saved[i].t;
        kiln_status status = tensor_allocate(k->c->reference, t);
        if (status != KILN_OK) {
            return status;
        }
        move_floats(t->owned, k->saved[i].data, (size_t)tensor_elements(t), &k->random);
    }
    return KILN_OK;
}

static void move_hidden(cone *k, tensor *t) {
    if (t == NULL || t == k->target || t->dtype != KILN_F32 || (t->mark & MARK_VARIES) == 0) {
        return;
    }
    float *values = t->owned, largest = 0;
    for (int64_t e = 0; e < tensor_elements(t); e++) {
        largest = isfinite(values[e]) ? fmaxf(largest, fabsf(values[e])) : largest;
    }
    double size = k->c->v->layer_tolerance * (double)largest;
    for (int64_t e = 0; e < tensor_elements(t); e++) {
        values[e] = (float)((double)values[e] + size * next_noise(&k->random));
    }
}

static kiln_status compute_sample(cone *k) {
    kiln_status status = move_edges(k);
    for (size_t i = k->node_count; i-- > 0 && status == KILN_OK;) {
        status = evaluate_reference_node(k->c->reference, k->nodes[i]);
        for (size_t o = 0; o < k->nodes[i]->output_count && status == KILN_OK; o++) {
            move_hidden(k, k->nodes[i]->outputs[o]);
        }
    }
    return status;
}

static void widen(const cone *k, const void *clean, double *spread) {
    const tensor *t = k->target;
    for (size_t e = 0; e < (size_t)tensor_elements(t); e++) {
        double a = kiln_element_number(t->dtype, t->data, e),
               b = kiln_element_number(t->dtype, clean, e);
        double moved = a == b || (isnan(a) && isnan(b)) ? 0 : fabs(a - b);
        spread[e] = isnan(moved) ? INFINITY : fmax(spread[e], moved);
    }
}

static kiln_status compute_spread(cone *k, double *out_spread) {
    const void *clean = NULL;
    for (size_t i = 0; i < k->saved_count; i++) {
        clean = k->saved[i].t == k->target ? k->saved[i].data : clean;
    }
    kiln_status status = KILN_OK;
    for (int sample = 0; sample < NOISE_SAMPLES && status == KILN_OK; sample++) {
        status = compute_sample(k);
        if (status == KILN_OK) {
            widen(k, clean, out_spread);
        }
    }
    return status;
}

kiln_status spread_of(const comparison *c, tensor *t, double *out_spread) {
    cone k = {.c = c, .target = t, .random = c->v->options->seed};
    size_t most = 0;
    if (t->producer == NULL) {
        return KILN_ERROR_UNSUPPORTED;
    }
    /* Values that are off may be refused, where one is an index: that is no error of the model. */
    kiln_error *error = c->reference->error;
    c->reference->error = NULL;
    kiln_status status = collect_nodes(&k, &most);
    if (status == KILN_OK) {
        status = save_values(&k, most);
    }
    if (status == KILN_OK) {
        status = compute_spread(&k, out_spread);
    }
    restore_values(&k);
    c->reference->error = error;
    free(k.saved);
    free(k.nodes);
    return status == KILN_OK || status == KILN_ERROR_MEMORY ? status : KILN_ERROR_UNSUPPORTED;
}
