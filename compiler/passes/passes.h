/* Graph passes: one file each, listed in order in passes.c. A pass leaves a valid graph and adds
 * what it rewrote to *inout_rewrites. */
#ifndef KILN_COMPILER_PASSES_H
#define KILN_COMPILER_PASSES_H

#include "compiler/graph/graph.h"
#include <kiln/compile.h>

kiln_status pass_fold_constants(graph *g, size_t *inout_rewrites);
kiln_status pass_expand_operators(graph *g, size_t *inout_rewrites);
kiln_status pass_drop_unread_inputs(graph *g, size_t *inout_rewrites);
kiln_status pass_remove_no_ops(graph *g, size_t *inout_rewrites);
kiln_status pass_fuse_quantize(graph *g, size_t *inout_rewrites);
kiln_status pass_fuse_channel_shuffle(graph *g, size_t *inout_rewrites);
kiln_status pass_merge_transposes(graph *g, size_t *inout_rewrites);
kiln_status pass_fuse_matmul_bias(graph *g, size_t *inout_rewrites);
kiln_status pass_fuse_swish(graph *g, size_t *inout_rewrites);
kiln_status pass_fuse_hard_swish(graph *g, size_t *inout_rewrites);
kiln_status pass_fold_scale_bias(graph *g, size_t *inout_rewrites);
kiln_status pass_fold_batch_norm(graph *g, size_t *inout_rewrites);
kiln_status pass_fuse_pad(graph *g, size_t *inout_rewrites);
kiln_status pass_fuse_activation(graph *g, size_t *inout_rewrites);
kiln_status pass_fuse_residual_add(graph *g, size_t *inout_rewrites);
kiln_status pass_flatten_channels_last(graph *g, size_t *inout_rewrites);
kiln_status pass_assign_layout(graph *g, size_t *inout_rewrites);
kiln_status pass_remove_dead_code(graph *g, size_t *inout_rewrites);

/* Runs all passes; fills the report's fusions. */
kiln_status passes_run(graph *g, const kiln_compile_options *options,
                       kiln_compile_report *inout_report);
/* The graph after inference alone, for the reference evaluator: shapes inferred, nothing folded. */

/* ---- Shared by passes (support.c) ---------------------------------------------------------- */

bool node_is(const node *n, const char *op_name);
/* The node that makes t, when it is that operator, t has no other reader and is no graph output;
 * else NULL. */
node *sole_producer(const tensor *t, const char *op_name);
/* `n` is dropped; its single output is taken over by `into` (output 0), origin strings joined. */
void absorb(graph *g, node *into, node *n);
/* A per-channel constant for a [N,C,...] tensor: one value, or C values that vary along axis 1
 * alone. Writes C floats; false when t is no such constant. */
bool channel_values(tensor *t, const tensor *like, float *out_values);
/* The only element of a constant f32 tensor. */
bool scalar_value(tensor *t, float *out_value);
/* A binary node's constant operand (either side) and the other one; false when there is none. */
bool split_constant(const node *n, tensor **out_constant, tensor **out_other);

#endif
