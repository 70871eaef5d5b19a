/* Steps that find elements by their places, and those that are said in other operators. */
#include "tests/fuzz/random_graphs.h"

#include <string.h>

/* ---- Indices ------------------------------------------------------------------------------- */

static bool gather_maxima(generator *r) {
    tensor *x = pick(r, 2, 5);
    if (x == NULL) {
        return false;
    }
    uint32_t axis = some_axis(r, x);
    node *n = begin_node(r, chance(r, 50) ? "ArgMax" : "ArgMin", 1, &x, 1);
    set_int(r, n, "axis", axis);
    tensor *i = end_node(r, n);
    n = i != NULL ? begin_node(r, "GatherElements", 2, (tensor *[]){x, i}, 1) : NULL;
    if (n != NULL) {
        set_int(r, n, "axis", any_sign(r, axis, x->rank));
    }
    return end_node(r, n) != NULL;
}

/* A constant over the input's maxima: each index is written once. */
static bool scatter(generator *r) {
    static const char *const reductions[] = {"none", "add", "mul"};
    tensor *x = pick(r, 2, 4);
    if (x == NULL) {
        return false;
    }
    uint32_t axis = some_axis(r, x);
    node *n = begin_node(r, "ArgMax", 1, &x, 1);
    set_int(r, n, "axis", axis);
    tensor *i = end_node(r, n);
    int64_t axes[1] = {axis};
    n = i != NULL ? begin_node(r, "ReduceL2", 1, &x, 1) : NULL;
    if (n == NULL || r->g->opset >= 18) {
        return false;
    }
    set_ints(r, n, "axes", axes, 1);
    tensor *updates = end_node(r, n);
    n = updates != NULL ? begin_node(r, "ScatterElements", 3, (tensor *[]){x, i, updates}, 1)
                        : NULL;
    if (n != NULL) {
        set_int(r, n, "axis", any_sign(r, axis, x->rank));
        if (r->g->opset >= 16) {
            set_string(r, n, "reduction", CHOOSE(r, reductions));
        }
    }
    return end_node(r, n) != NULL;
}

static bool one_hot(generator *r) {
    tensor *x = pick(r, 2, 4);
    if (x == NULL) {
        return false;
    }
    uint32_t axis = some_axis(r, x);
    node *n = begin_node(r, "ArgMax", 1, &x, 1);
    set_int(r, n, "axis", axis);
    set_int(r, n, "keepdims", below(r, 2));
    tensor *i = end_node(r, n);
    const int64_t two = 2, depth = between(r, 1, 5);
    if (i == NULL) {
        return false;
    }
    n = begin_node(r, "OneHot", 3,
                   (tensor *[]){i, integers_of(r, 1, &depth), constant_of(r, 1, &two, OF_UNIT)}, 1);
    set_int(r, n, "axis", any_sign(r, between(r, 1, i->rank), i->rank + 1));
    return end_node(r, n) != NULL;
}

static bool triangle(generator *r) {
    tensor *x = pick(r, 3, 5);
    const int64_t diagonal = between(r, -3, 3);
    node *n = x != NULL
                  ? begin_node(r, "Trilu", 2, (tensor *[]){x, integers_of(r, 1, &diagonal)}, 1)
                  : NULL;
    if (n != NULL) {
        n->inputs[1]->rank = 0;
        set_int(r, n, "upper", below(r, 2));
    }
    return end_node(r, n) != NULL;
}

static bool cumulative_sum(generator *r) {
    tensor *x = pick(r, 2, 5);
    if (x == NULL) {
        return false;
    }
    const int64_t axis = any_sign(r, some_axis(r, x), x->rank);
    node *n = begin_node(r, "CumSum", 2, (tensor *[]){x, integers_of(r, 1, &axis)}, 1);
    n->inputs[1]->rank = 0;
    set_int(r, n, "exclusive", below(r, 2));
    set_int(r, n, "reverse", below(r, 2));
    return end_node(r, n) != NULL;
}

/* A fixed grid, moved a little by what is in the picture. */
static bool grid_sample(generator *r) {
    static const char *const modes[] = {"bilinear", "bilinear", "bicubic"};
    static const char *const paddings[] = {"zeros", "border", "reflection"};
    tensor *x = pick(r, 4, 4);
    const int64_t axes[] = {1, 2, 3}, dims[] = {1, between(r, 1, 6), between(r, 1, 6), 2};
    if (x == NULL || r->g->opset < 16 || r->g->opset >= 18) {
        return false;
    }
    node *n = begin_node(r, "ReduceMean", 1, &x, 1);
    set_ints(r, n, "axes", axes, 3);
    tensor *moved = APPLY(r, "Tanh", end_node(r, n));
    tensor *grid = moved != NULL ? APPLY(r, "Add", constant_of(r, 4, dims, OF_UNIT), moved) : NULL;
    n = grid != NULL ? begin_node(r, "GridSample", 2, (tensor *[]){x, grid}, 1) : NULL;
    if (n != NULL) {
        set_string(r, n, "mode", CHOOSE(r, modes));
        set_string(r, n, "padding_mode", CHOOSE(r, paddings));
        set_int(r, n, "align_corners", below(r, 2));
    }
    return end_node(r, n) != NULL;
}

/* ---- Said in others ------------------------------------------------------------------------ */

static bool group_norm(generator *r) {
    tensor *x = pick(r, 3, 5);
    if (x == NULL || r->g->opset < 18) {
        return false;
    }
    int64_t channels = sample_size(x, 1), groups = between(r, 1, channels);
    while (channels % groups != 0) {
        groups--;
    }
    node *n = begin_node(
        r, "GroupNormalization", 3,
        (tensor *[]){x, constant_of(r, 1, &groups, OF_UNIT), constant_of(r, 1, &groups, OF_UNIT)},
        1);
    set_int(r, n, "num_groups", groups);
    set_float(r, n, "epsilon", 0.1f);
    return end_node(r, n) != NULL;
}

static bool einsum(generator *r) {
    static const struct {
        uint32_t rank, constant_rank;
        const char *text; /* the constant's first label is the input's last or second */
    } equations[] = {{2, 2, "bi,ij->bj"},       {3, 2, "bij,jk->bik"},  {3, 2, "bij,jk->bki"},
                     {4, 2, "bchw,wd->bchd"},   {4, 1, "bchw,w->bhc"},  {3, 1, "bij,j->bij"},
                     {4, 2, "...hw,wd->...hd"}, {3, 2, "bij,jk->bjik"}, {3, 2, "bij,jj->bij"}};
    uint32_t k = below(r, sizeof equations / sizeof *equations);
    tensor *x = pick(r, equations[k].rank, equations[k].rank);
    if (x == NULL) {
        return false;
    }
    int64_t dims[2] = {x->dims[x->rank - 1], between(r, 1, 4)};
    if (strstr(equations[k].text, "jj") != NULL) {
        dims[1] = dims[0];
    } else if (chance(r, 20)) {
        dims[0] = 1; /* broadcasts */
    }
    tensor *c = constant_of(r, equations[k].constant_rank, dims, OF_WEIGHTS);
    node *n = begin_node(r, "Einsum", 2, (tensor *[]){x, c}, 1);
    set_string(r, n, "equation", equations[k].text);
    return end_node(r, n) != NULL;
}

static bool compress(generator *r) {
    tensor *x = pick(r, 2, 5);
    if (x == NULL) {
        return false;
    }
    uint32_t axis = some_axis(r, x);
    tensor *condition = graph_add_constant(r->g, NULL, KILN_BOOL, 1, &x->dims[axis]);
    for (int64_t k = 0; k < x->dims[axis]; k++) {
        ((uint8_t *)condition->owned)[k] = k == 0 || chance(r, 50);
    }
    node *n = begin_node(r, "Compress", 2, (tensor *[]){x, condition}, 1);
    set_int(r, n, "axis", any_sign(r, axis, x->rank));
    return end_node(r, n) != NULL;
}

static bool log_sum_exp(generator *r) {
    tensor *x = pick(r, 2, 5);
    if (x == NULL || r->g->opset >= 18) {
        return false;
    }
    const int64_t axis = some_axis(r, x);
    node *n = begin_node(r, "ReduceLogSumExp", 1, &x, 1);
    set_ints(r, n, "axes", &axis, 1);
    set_int(r, n, "keepdims", below(r, 2));
    return end_node(r, n) != NULL;
}

const weighted_step index_steps[] = {
    {gather_maxima, 2},  {scatter, 2},     {one_hot, 2},    {triangle, 2},
    {cumulative_sum, 2}, {grid_sample, 3}, {group_norm, 3}, {einsum, 3},
    {compress, 2},       {log_sum_exp, 1}, {NULL, 0},
};
