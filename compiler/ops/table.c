/* The operator table: all groups of rows. */
#include "compiler/ops/ops.h"

#include <string.h>

static const op *const groups[] = {
    ops_convolution, ops_dense,  ops_pool,      ops_batch_norm, ops_normalization, ops_group_norm,
    ops_unary,       ops_cast,   ops_cast_like, ops_unary_more, ops_float_test,    ops_bitwise_not,
    ops_binary,      ops_where,  ops_softmax,   ops_reduce,     ops_select,        ops_one_hot,
    ops_mask,        ops_unique, ops_einsum,    ops_concat,     ops_slice,         ops_pad,
    ops_rearrange,   ops_gather, ops_indexed,   ops_cumulative, ops_grid_sample,   ops_roi_align,
    ops_unpool,      ops_view,   ops_shape,     ops_resize,     ops_refused,       ops_quantize,
    ops_quantized,   ops_layout, ops_structure, ops_fused,
};

const op *op_find(const char *name) {
    for (size_t group = 0; group < sizeof groups / sizeof *groups; group++) {
        for (const op *row = groups[group]; row->name != NULL; row++) {
            if (strcmp(row->name, name) == 0) {
                return row;
            }
        }
    }
    return NULL;
}
