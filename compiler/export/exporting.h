/* What the files of compiler/export/ share. */
#ifndef KILN_COMPILER_EXPORTING_H
#define KILN_COMPILER_EXPORTING_H

#include "compiler/export/model.h"
#include <kiln/plan_format.h>
#include <string.h>

/* What lies in a storage now: tensors and the ONNX values that hold them. */
typedef struct written {
    uint32_t tensor;
    const char *value;
} written;

typedef struct exporting {
    onnx_model model;
    kiln_plan_view v;
    written *memory; /* newest last */
    size_t memory_count, memory_capacity;
    const char **taken; /* names of values */
    size_t taken_count, taken_capacity;
    const kiln_plan_step *step;
    kiln_error *error;
} exporting;

/* What follows stands in the order of the files' dependence: each calls those above it only. */

/* ---- The step (step.c) --------------------------------------------------------------------- */

/* Operand k, inputs before outputs; KILN_PLAN_NONE: it is left out. */
uint32_t step_operand(const exporting *x, uint32_t k);
const kiln_plan_tensor_record *step_tensor(const exporting *x, uint32_t k);
uint32_t step_result(const exporting *x); /* the first */
/* ONNX's axis of a physical one. */
int64_t logical_axis_of(const kiln_plan_tensor_record *t, uint32_t axis);
/* Says why the step cannot be exported. */
kiln_status export_fail(exporting *x, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Declares p, a copy of the step's parameters. */
#define PARAMS(type)                                                                               \
    type p;                                                                                        \
    memcpy(&p, x->v.params + x->step->params_offset, sizeof p)

/* ---- Values (values.c) --------------------------------------------------------------------- */

/* The ONNX value of a tensor that a step reads, put together from what was written: views, slices
 * and concatenations in memory become Reshape, Slice and Concat. NULL: it cannot be told (the error
 * is set). Constants become initializers. */
const char *value_of(exporting *x, uint32_t tensor);
/* Tells that a step wrote `tensor`. */
void value_written(exporting *x, uint32_t tensor, const char *value);
/* A name for the value of a tensor, not used before. */
const char *value_name(exporting *x, uint32_t tensor);
/* Elements of a constant as f32, in physical order; from malloc. NULL: memory. */
float *constant_floats(exporting *x, uint32_t tensor);
size_t elements_of(const kiln_plan_tensor_record *t);
/* Dims in physical order. */
void record_dims(const kiln_plan_tensor_record *t, int64_t out[KILN_MAX_RANK]);
/* `value` reshaped; dims[0] is what a run leaves for it when batched. */
const char *reshaped(exporting *x, const char *value, size_t rank, const int64_t *dims,
                     bool batched);
const char *transposed(exporting *x, const char *value, size_t rank, const int64_t *order,
                       const char *name);
/* An operand of a step that broadcasts in physical order, for use in ONNX's order. */
const char *broadcast_value(exporting *x, uint32_t tensor, const kiln_plan_tensor_record *out);

/* ---- Operands (operands.c) ----------------------------------------------------------------- */

/* The values of the step's first inputs. False: the error is set. */
bool inputs_of(exporting *x, size_t count, const char **out);
/* `value` clamped; name NULL: one made up. */
const char *clamped_value(exporting *x, const char *value, const char *name, float min, float max);
/* Makes `value`, or `value` clamped, the step's first output. */
kiln_status finish(exporting *x, const char *value);
/* Likewise with the bounds, or the function (KILN_STEP_FUNCTION), that the step ends with. */
kiln_status finish_clamped(exporting *x, const char *value, float min, float max);

/* ---- Kernels ------------------------------------------------------------------------------- */

/* Each adds the nodes of one step; x->step is of that kernel. */

/* layers.c */
kiln_status export_conv(exporting *x);
kiln_status export_dense(exporting *x);
kiln_status export_matmul(exporting *x);
kiln_status export_pool(exporting *x); /* MAX_POOL_2D and AVERAGE_POOL_2D */
kiln_status export_pool_nd(exporting *x);
kiln_status export_global_pool(exporting *x);
/* normalize.c */
kiln_status export_softmax(exporting *x);
kiln_status export_lp_norm(exporting *x);
kiln_status export_lrn(exporting *x);
kiln_status export_instance_norm(exporting *x);
kiln_status export_group_norm(exporting *x);
kiln_status export_rms_norm(exporting *x);
/* excite.c; a value for each channel of a map's samples, to multiply the map with. */
const char *gates_value(exporting *x, uint32_t tensor, const kiln_plan_tensor_record *map);
kiln_status export_squeeze_excite(exporting *x);
/* elementwise.c */
kiln_status export_cast(exporting *x);
kiln_status export_unary(exporting *x);
/* The function of `value`, and likewise as the step's first output. NULL: there is none that says
 * it (the error is set). */
const char *function_value(exporting *x, const char *value, const kiln_unary_params *p);
kiln_status export_function(exporting *x, const char *value, const kiln_unary_params *p);
kiln_status export_binary(exporting *x);
kiln_status export_prelu(exporting *x);
kiln_status export_where(exporting *x);
/* axes.c */
kiln_status export_gather(exporting *x); /* GATHER and GATHER_ELEMENTS */
kiln_status export_gather_nd(exporting *x);
kiln_status export_scatter(exporting *x); /* SCATTER_ELEMENTS and SCATTER_ND */
kiln_status export_reduce(exporting *x);
kiln_status export_arg_reduce(exporting *x);
kiln_status export_cumulative_sum(exporting *x);
kiln_status export_grid_sample(exporting *x);
kiln_status export_roi_align(exporting *x);
/* copies.c, quantize.c */
kiln_status export_copy(exporting *x);
kiln_status export_quantize(exporting *x);
kiln_status export_quantize_range(exporting *x);

/* kernels.c: any step. */
kiln_status export_step(exporting *x);

#endif
