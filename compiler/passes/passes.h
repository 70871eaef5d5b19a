/* Graph passes, one file each. A pass leaves a valid graph and adds
 * what it rewrote to *inout_rewrites. */
#ifndef KILN_COMPILER_PASSES_H
#define KILN_COMPILER_PASSES_H

#include "compiler/graph/graph.h"
#include <kiln/compile.h>

/* The passes in order, with the reason for each place: PASS(name, required); required ones run with
 * --no-fusion too. A new pass has its file and its line here. */
#define PASSES(PASS)                                                                               \
    /* Shapes come first: every other pass reads them, and shape arithmetic folds on the way. */   \
    PASS(fold_constants, true)                                                                     \
    /* It is known now what is read; later passes take only readers away that compute nothing. */  \
    PASS(drop_unread_inputs, true)                                                                 \
    /* Operators that are said in others are so before anything looks for patterns. */             \
    PASS(expand_operators, true)                                                                   \
    /* What follows, and plans, know the batch in front alone. */                                  \
    PASS(move_batch_first, true)                                                                   \
    /* Some powers become identities; all that looks for squares comes after. */                   \
    PASS(simplify_powers, false)                                                                   \
    /* Identities would hide patterns from what follows. */                                        \
    PASS(remove_no_ops, false)                                                                     \
    /* Heads are moved about by views and transposes, which what follows would take apart. */      \
    PASS(fuse_attention, false)                                                                    \
    /* Where channels are last it brings transposes, which cancel. */                              \
    PASS(fuse_layer_norm, false)                                                                   \
    PASS(fuse_response_norm, false)                                                                \
    PASS(fuse_quantize, false)                                                                     \
    /* This comes before transposes are merged: the shuffle's transpose is part of its pattern. */ \
    PASS(fuse_channel_shuffle, false)                                                              \
    /* What attention leaves of views; before channels are cut, which lie together then. */        \
    PASS(order_views, false)                                                                       \
    /* It brings a transpose of the map, which cancels. */                                         \
    PASS(weigh_positions, false)                                                                   \
    PASS(cut_before_transpose, false)                                                              \
    /* Before anything looks for what follows an addition, which reductions become here. */        \
    PASS(sum_branches, false)                                                                      \
    /* Dense layers of maps bring transposes, which cancel. */                                     \
    PASS(convolve_dense, false)                                                                    \
    PASS(merge_transposes, false)                                                                  \
    /* Dense layers become Gemm, so that the folds below see one form. */                          \
    PASS(fuse_matmul_bias, false)                                                                  \
    /* Activations may be spelled out in several operators, whose Mul scale folding would take. */ \
    PASS(fuse_hard_swish, false)                                                                   \
    PASS(fuse_swish, false)                                                                        \
    PASS(fuse_gelu, false)                                                                         \
    PASS(fuse_star_relu, false)                                                                    \
    /* Group norms get channels' scales, which are folded below. */                                \
    PASS(fuse_group_norm, false)                                                                   \
    /* Batch norm is folded first (it takes no scale), then the scales and biases around it. */    \
    PASS(fold_batch_norm, false)                                                                   \
    /* What norms left of branches; and a norm behind their sum. */                                \
    PASS(merge_branches, false)                                                                    \
    PASS(fold_scale_bias, false)                                                                   \
    PASS(fuse_pad, false)                                                                          \
    /* Everything that could stand between a convolution and its activation is gone by now. */     \
    PASS(fuse_activation, false)                                                                   \
    /* Its products have their bounds, and what is left of its functions are single operators. */  \
    PASS(fuse_squeeze_excite, false)                                                               \
    /* Activations tell which convolutions are alike. */                                           \
    PASS(merge_convolutions, false)                                                                \
    /* Where activations have been fused, each group takes them along. */                          \
    PASS(split_groups, false)                                                                      \
    /* Dense weights are permuted, so that the layout pass finds nothing to copy before them. */   \
    PASS(flatten_channels_last, false)                                                             \
    PASS(remove_dead_code, true)                                                                   \
    /* Layouts come last: no pass after this one may add or rewire nodes. */                       \
    PASS(assign_layout, true)

#define DECLARE_PASS(name, required) kiln_status pass_##name(graph *g, size_t *inout_rewrites);
PASSES(DECLARE_PASS)
#undef DECLARE_PASS

/* Runs all passes; fills the report's fusions. */
kiln_status passes_run(graph *g, const kiln_compile_options *options,
                       kiln_compile_report *inout_report);

/* ---- Shared by passes (support.c) ---------------------------------------------------------- */

bool node_is(const node *n, const char *op_name);
/* The node that makes t, when it is that operator and t has one reader and is no graph output; else
 * NULL. */
node *sole_producer(const tensor *t, const char *op_name);
/* Has the node no fused activation? */
bool is_unclamped(const node *n);
/* Drops `n`; `into` takes over its single output (as output 0), and origin strings are joined. */
void absorb(graph *g, node *into, node *n);
/* Reads the only element of a constant f32 tensor; false when there is no such. */
bool scalar_value(tensor *t, float *out_value);
/* The bounds of a Relu or Clip; false: it is neither, they are not known, or the lower one is not
 * below the other. */
bool clamp_bounds(const node *n, float *out_min, float *out_max);
/* Tells a binary node's constant operand (either side) from the other; false when there is none. */
bool split_constant(const node *n, tensor **out_constant, tensor **out_other);

/* The unclamped Add of a constant vector along the last dim that alone follows n; NULL: there is
 * none. */
node *added_vector(const node *n, tensor **out_vector);

#endif
