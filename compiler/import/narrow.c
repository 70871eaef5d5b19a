/* Integers narrower than what holds them inside the graph. Import knows the model's types; after it
 * nobody asks for them: operators that keep or choose values need not, and arithmetic is given the
 * casts that make it wrap as the model's own type would. */
#include "compiler/import/importing.h"
#include "compiler/ops/ops.h"

#include <string.h>

/* The first outputs of these operators (all of a Split) have the type of the inputs, or of the
 * tensors of a sequence. */
static const char *const keeping[] = {"Identity",
                                      "Dropout",
                                      "Reshape",
                                      "Flatten",
                                      "Squeeze",
                                      "Unsqueeze",
                                      "Expand",
                                      "Tile",
                                      "Transpose",
                                      "Concat",
                                      "Split",
                                      "Slice",
                                      "Pad",
                                      "Gather",
                                      "DepthToSpace",
                                      "Where",
                                      "Max",
                                      "Min",
                                      "Clip",
                                      "Relu",
                                      "SpaceToDepth",
                                      "MaxPool",
                                      "Sign",
                                      "ReduceMax",
                                      "Resize",
                                      "TopK",
                                      "GatherElements",
                                      "GatherND",
                                      "Trilu",
                                      "ReduceMin",
                                      "Upsample",
                                      "OneHot",
                                      "ScatterElements",
                                      "ScatterND",
                                      "Unique",
                                      "Compress",
                                      "Scatter",
                                      "SequenceConstruct",
                                      "SequenceInsert",
                                      "SequenceErase",
                                      "SequenceAt",
                                      "SplitToSequence",
                                      "ConcatFromSequence"};

static const char *const computing[] = {
    "Add", "Sub", "Mul",      "Div",        "Neg",       "Abs",        "Pow",
    "Sum", "Mod", "BitShift", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "BitwiseNot"};

#define IS_ONE_OF(n, names) is_one_of(n, names, sizeof(names) / sizeof *(names))

static bool is_one_of(const node *n, const char *const *names, size_t count) {
    for (size_t k = 0; k < count; k++) {
        if (strcmp(n->op->name, names[k]) == 0) {
            return true;
        }
    }
    return false;
}

/* The type of the first input that has a narrow one. The type of a power is its base's. */
static kiln_dtype narrow_type_of_inputs(const node *n) {
    size_t count = strcmp(n->op->name, "Pow") == 0 ? 1 : n->input_count;
    for (size_t k = 0; k < count; k++) {
        if (n->inputs[k] != NULL && n->inputs[k]->narrow != 0) {
            return n->inputs[k]->narrow;
        }
    }
    return 0;
}

/* ---- Arithmetic ---------------------------------------------------------------------------- */

static kiln_status insert_cast(graph *g, size_t at, tensor *from, tensor *to, kiln_dtype type) {
    node *cast = graph_insert_node(g, at, op_find("Cast"), NULL, 1, &from, 1, &to);
    return cast != NULL ? node_set_int(g, cast, "to", onnx_type_of_dtype(type)) : KILN_ERROR_MEMORY;
}

/* Casts operands that are held in f32 to i64, in which they are computed with. */
static kiln_status widen_inputs(graph *g, size_t *inout_at) {
    node *n = g->nodes[*inout_at];
    for (size_t k = 0; k < n->input_count; k++) {
        tensor *t = n->inputs[k];
        if (t == NULL || t->narrow == 0 || t->dtype == KILN_I64) {
            continue;
        }
        tensor *wide = graph_add_tensor(g, NULL, KILN_I64);
        if (wide == NULL) {
            return KILN_ERROR_MEMORY;
        }
        n->inputs[k] = wide;
        kiln_status status = insert_cast(g, (*inout_at)++, t, wide, KILN_I64);
        if (status != KILN_OK) {
            return status;
        }
    }
    return KILN_OK;
}

static kiln_status wrap_output(graph *g, size_t *inout_at, kiln_dtype type) {
    node *n = g->nodes[*inout_at];
    tensor *y = n->outputs[0], *wide = graph_add_tensor(g, NULL, KILN_I64);
    if (wide == NULL) {
        return KILN_ERROR_MEMORY;
    }
    n->outputs[0] = wide;
    set_inner_type(y, type);
    return insert_cast(g, ++*inout_at, wide, y, type);
}

/* ---- Quantised values ---------------------------------------------------------------------- */

/* Where among the inputs the zero point stands whose type the quantised output has, or -1. */
static int zero_point_of_output(const node *n) {
    static const struct {
        const char *name;
        int zero;
    } operators[] = {{"QuantizeLinear", 2},
                     {"QLinearConv", 7},
                     {"QLinearMatMul", 7},
                     {"com.microsoft.QGemm", 8},
                     {"com.microsoft.QLinearAdd", 7},
                     {"com.microsoft.QLinearMul", 7},
                     {"com.microsoft.QLinearConcat", 1},
                     {"com.microsoft.QLinearWhere", 8}};
    for (size_t k = 0; k < sizeof operators / sizeof *operators; k++) {
        if (strcmp(n->op->name, operators[k].name) == 0) {
            return operators[k].zero;
        }
    }
    return strncmp(n->op->name, "com.microsoft.QLinear", 21) == 0 ? 4 : -1;
}

static kiln_status mark_quantized(graph *g, node *n, size_t at) {
    const tensor *zero = at < n->input_count ? n->inputs[at] : NULL;
    int64_t stated = node_int(n, "output_dtype", 0);
    kiln_dtype dtype = zero != NULL && zero->narrow != 0 ? zero->narrow : KILN_U8;
    bool real = at >= n->input_count && strcmp(n->op->name, "com.microsoft.QGemm") == 0;
    if (stated != 0 || real) {
        n->outputs[0]->narrow = stated != 0 && dtype_of_onnx_type(stated, &dtype) ? dtype : 0;
        return KILN_OK;
    }
    n->outputs[0]->narrow = dtype;
    return strcmp(n->op->name, "QuantizeLinear") == 0
               ? node_set_int(g, n, "output_dtype", onnx_type_of_dtype(dtype))
               : KILN_OK;
}

/* ---- All nodes ----------------------------------------------------------------------------- */

/* CastLike a narrow integer becomes a cast to it, which wraps. */
static kiln_status settle_cast_like(graph *g, node *n) {
    kiln_dtype type = n->inputs[1]->narrow;
    if (type == 0) {
        return KILN_OK;
    }
    n->op = op_find("Cast");
    n->input_count = 1;
    n->outputs[0]->narrow = type;
    return node_set_int(g, n, "to", onnx_type_of_dtype(type));
}

/* Outputs from `first` on, every `step`-th. */
static void mark_outputs(node *n, size_t first, size_t step, kiln_dtype type) {
    for (size_t k = first; k < n->output_count; k += step) {
        if (n->outputs[k] != NULL) {
            n->outputs[k]->narrow = type;
        }
    }
}

/* The outputs' types are those of the inputs, as they are. */
static void keep_types(node *n, kiln_dtype type) {
    bool branches = strcmp(n->op->name, "If") == 0;
    for (size_t k = 0; branches && k < n->output_count; k++) {
        const tensor *chosen = n->inputs[1 + k]; /* of the first branch; both are of one type */
        if (n->outputs[k] != NULL && chosen != NULL) {
            n->outputs[k]->narrow = chosen->narrow;
        }
    }
    if (!branches && IS_ONE_OF(n, keeping)) {
        bool all = strcmp(n->op->name, "Split") == 0;
        mark_outputs(n, 0, all ? 1 : n->output_count, type);
    }
}

static kiln_status treat_node(graph *g, size_t *inout_at) {
    node *n = g->nodes[*inout_at];
    kiln_dtype type = narrow_type_of_inputs(n), target;
    if (node_int(n, "boundary", 0) != 0) {
        return KILN_OK; /* its ends know their types */
    }
    if (strcmp(n->op->name, "DynamicQuantizeLinear") == 0) {
        mark_outputs(n, 0, 2, KILN_U8);
        return KILN_OK;
    }
    if (n->output_count == 0 || n->outputs[0] == NULL) {
        return KILN_OK;
    }
    if (strcmp(n->op->name, "Cast") == 0) {
        bool known = dtype_of_onnx_type(node_int(n, "to", 0), &target);
        n->outputs[0]->narrow = known && is_narrow_integer(target) ? target : 0;
        return KILN_OK;
    }
    if (strcmp(n->op->name, "CastLike") == 0) {
        return settle_cast_like(g, n);
    }
    if (zero_point_of_output(n) >= 0) {
        return mark_quantized(g, n, (size_t)zero_point_of_output(n));
    }
    if (type != 0 && IS_ONE_OF(n, computing)) {
        kiln_status status = widen_inputs(g, inout_at);
        return status == KILN_OK ? wrap_output(g, inout_at, type) : status;
    }
    keep_types(n, type);
    return KILN_OK;
}

kiln_status wrap_narrow_integers(importing *im) {
    for (size_t k = 0; k < im->g->node_count; k++) {
        kiln_status status = treat_node(im->g, &k);
        if (status != KILN_OK) {
            return status;
        }
    }
    return KILN_OK;
}
