/* GELU as exporters spell it out, before ONNX had it (opset 20) and since:
 *   x (1 + erf(x / sqrt 2)) / 2
 *   x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2
 * (Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016), its factors in any order. */
#include "compiler/ops/ops.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/terms.h"

#include <math.h>

static bool is_near(double found, double expected) {
    return fabs(found - expected) <= 1e-6 * fabs(expected);
}

/* The x of which t is a multiple, and the factor. */
static tensor *multiple_of(tensor *t, double *out_factor) {
    const node *n = t->producer;
    tensor *constant = NULL, *x = NULL;
    float value;
    if (!(node_is(n, "Mul") || node_is(n, "Div")) || !is_unclamped(n) ||
        !split_constant(n, &constant, &x) || !scalar_value(constant, &value) ||
        (node_is(n, "Div") && x != n->inputs[0])) {
        return NULL;
    }
    *out_factor = node_is(n, "Mul") ? (double)value : 1 / (double)value;
    return x;
}

/* Is z = sqrt(2 / pi) (x + 0.044715 x^3), however it is multiplied out? */
static bool is_cubic(tensor *z, const tensor *x) {
    const double coefficient[4] = {0, sqrt(2 / M_PI), 0, sqrt(2 / M_PI) * 0.044715};
    terms factors = {.count = 1, .each = {z}}, sum = {0};
    monomial outer = {1, 0}, part;
    node *add = NULL;
    if (node_is(z->producer, "Mul")) {
        factors.count = 0;
        if (!collect_terms(z->producer, "Mul", &factors)) {
            return false;
        }
    }
    for (size_t k = 0; k < factors.count; k++) {
        if (node_is(factors.each[k]->producer, "Add") && add == NULL) {
            add = factors.each[k]->producer;
        } else if (read_monomial(factors.each[k], x, &part)) {
            outer.factor *= part.factor;
            outer.power += part.power;
        } else {
            return false;
        }
    }
    if (add == NULL || !is_unclamped(add) || !collect_terms(add, "Add", &sum) || sum.count != 2) {
        return false;
    }
    uint32_t powers = 0;
    for (size_t k = 0; k < 2; k++) {
        if (!read_monomial(sum.each[k], x, &part) || part.power + outer.power > 3 ||
            !is_near(part.factor * outer.factor, coefficient[part.power + outer.power])) {
            return false;
        }
        powers |= 1u << (part.power + outer.power);
    }
    return powers == (1u << 1 | 1u << 3);
}

typedef struct gelu {
    tensor *x;
    bool tanh;
} gelu;

/* 1 + erf(x / sqrt 2), or with tanh; in that case the x is among the factors. */
static bool is_gate(tensor *t, const terms *factors, gelu *out) {
    const node *add = sole_producer(t, "Add");
    tensor *constant = NULL, *inner = NULL;
    float one = 0;
    double factor;
    if (add == NULL || !is_unclamped(add) || !split_constant(add, &constant, &inner) ||
        !scalar_value(constant, &one) || one != 1) {
        return false;
    }
    const node *n = inner->producer;
    if (node_is(n, "Erf")) {
        out->x = multiple_of(n->inputs[0], &factor);
        out->tanh = false;
        return out->x != NULL && is_near(factor, sqrt(0.5));
    }
    for (size_t k = 0; k < factors->count && node_is(n, "Tanh"); k++) {
        if (is_cubic(n->inputs[0], factors->each[k])) {
            *out = (gelu){factors->each[k], true};
            return true;
        }
    }
    return false;
}

static bool read_gelu(const node *mul, gelu *out) {
    terms factors = {0};
    size_t gate = TERMS, x_count = 0;
    double scale = 1;
    float value;
    if (!is_unclamped(mul) || mul->input_count != 2 || !collect_terms(mul, "Mul", &factors)) {
        return false;
    }
    for (size_t k = 0; k < factors.count && gate == TERMS; k++) {
        gate = is_gate(factors.each[k], &factors, out) ? k : TERMS;
    }
    for (size_t k = 0; k < factors.count && gate != TERMS; k++) {
        double half = 0;
        if (factors.each[k] == out->x) {
            x_count++;
        } else if (scalar_value(factors.each[k], &value)) {
            scale *= (double)value;
        } else if (multiple_of(factors.each[k], &half) == out->x) {
            x_count++; /* x / 2 */
            scale *= half;
        } else if (k != gate) {
            return false;
        }
    }
    return gate != TERMS && x_count == 1 && scale == 0.5 && out->x->dtype == KILN_F32 &&
           tensor_same_shape(out->x, mul->outputs[0]);
}

kiln_status pass_fuse_gelu(graph *g, size_t *inout_rewrites) {
    size_t found = 0;
    kiln_status status = KILN_OK;
    for (size_t k = 0; k < g->node_count && status == KILN_OK; k++) {
        node *n = g->nodes[k];
        gelu form = {0};
        if (!node_is(n, "Mul") || !read_gelu(n, &form)) {
            continue;
        }
        const char *origin = graph_printf(g, "%s + %s", form.tanh ? "Tanh" : "Erf", n->origin);
        status = become_function(g, n, "Gelu", form.x, origin);
        if (status == KILN_OK && form.tanh) {
            status = node_set_string(g, n, "approximate", "tanh");
        }
        found++;
    }
    return status == KILN_OK ? sweep_formulas(g, found, inout_rewrites) : status;
}
