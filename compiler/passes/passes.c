/* The passes in order, with the reason for each place. */
#include "compiler/passes/passes.h"
#include "compiler/ops/ops.h"
#include "runtime/base/text.h"

#include <string.h>

static const struct {
    const char *name;
    kiln_status (*run)(graph *g, size_t *inout_rewrites);
    bool required; /* runs with --no-fusion too */
} passes[] = {
    /* Shapes come first: every other pass reads them; shape arithmetic folds on the way. */
    {"fold_constants", pass_fold_constants, true},
    /* As soon as is known what is read; later passes only take readers away that compute nothing.
     */
    {"drop_unread_inputs", pass_drop_unread_inputs, true},
    /* What is said in other operators is so before anything looks for patterns. */
    {"expand_operators", pass_expand_operators, true},
    /* Identities hide patterns from what follows. */
    {"remove_no_ops", pass_remove_no_ops, false},
    {"fuse_quantize", pass_fuse_quantize, false},
    /* Before transposes are merged: the shuffle's transpose is part of its pattern. */
    {"fuse_channel_shuffle", pass_fuse_channel_shuffle, false},
    {"merge_transposes", pass_merge_transposes, false},
    /* Dense layers become Gemm, so that the folds below see one form. */
    {"fuse_matmul_bias", pass_fuse_matmul_bias, false},
    /* Activations spelled out in several operators; before scale folding would take their Mul. */
    {"fuse_hard_swish", pass_fuse_hard_swish, false},
    {"fuse_swish", pass_fuse_swish, false},
    /* Batch norm first (a batch norm takes no scale), then the scales and biases around it. */
    {"fold_batch_norm", pass_fold_batch_norm, false},
    {"fold_scale_bias", pass_fold_scale_bias, false},
    {"fuse_pad", pass_fuse_pad, false},
    /* After everything that could stand between a convolution and its activation is gone. */
    {"fuse_activation", pass_fuse_activation, false},
    {"fuse_residual_add", pass_fuse_residual_add, false},
    /* Permutes dense weights, so that the layout pass finds nothing to copy before them. */
    {"flatten_channels_last", pass_flatten_channels_last, false},
    {"remove_dead_code", pass_remove_dead_code, true},
    /* Last: no pass after it may add or rewire nodes. */
    {"assign_layout", pass_assign_layout, true},
};

static kiln_status finish_pass(graph *g, const kiln_compile_options *options, const char *name) {
    kiln_status status = graph_refresh(g);
#ifdef KILN_VALIDATE_GRAPH
    if (status == KILN_OK) {
        status = graph_validate(g);
    }
#endif
    if (status == KILN_OK && options->dump != NULL && options->dump_after != NULL &&
        strcmp(options->dump_after, name) == 0) {
        graph_dump(g, options->dump);
    }
    return status;
}

static kiln_status check_dump_name(const graph *g, const kiln_compile_options *options) {
    if (options->dump_after == NULL) {
        return KILN_OK;
    }
    char names[400] = "";
    for (size_t k = 0; k < sizeof passes / sizeof *passes; k++) {
        if (strcmp(options->dump_after, passes[k].name) == 0) {
            return KILN_OK;
        }
        text_list_add(names, sizeof names, passes[k].name);
    }
    return kiln_fail(g->error, KILN_ERROR_ARGUMENT, "no pass '%s'; passes: %s", options->dump_after,
                     names);
}

kiln_status passes_run(graph *g, const kiln_compile_options *options,
                       kiln_compile_report *inout_report) {
    kiln_status status = check_dump_name(g, options);
    if (status == KILN_OK) {
        status = graph_refresh(g);
    }
    inout_report->fusion_count = 0;
    for (size_t k = 0; k < sizeof passes / sizeof *passes && status == KILN_OK; k++) {
        if (options->no_fusion && !passes[k].required) {
            continue;
        }
        size_t before = g->node_count, rewrites = 0;
        status = graph_explain(g, passes[k].name, passes[k].run(g, &rewrites));
        if (status == KILN_OK) {
            status = finish_pass(g, options, passes[k].name);
        }
        if (rewrites > 0 && inout_report->fusion_count < KILN_MAX_FUSIONS) {
            size_t at = inout_report->fusion_count++;
            inout_report->fusions[at].pass = passes[k].name;
            inout_report->fusions[at].rewrites = rewrites;
            inout_report->fusions[at].before = before;
            inout_report->fusions[at].after = g->node_count;
        }
    }
    return status;
}
