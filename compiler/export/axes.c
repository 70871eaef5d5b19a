/* What works along axes or by indices as ONNX nodes: gathers, scatters, REDUCE, ARG_REDUCE,
 * CUMULATIVE_SUM, GRID_SAMPLE, ROI_ALIGN. */
#include "compiler/export/exporting.h"

kiln_status export_gather(exporting *x) {
    PARAMS(kiln_gather_params);
    const char *inputs[2];
    Onnx__NodeProto *node;
    if (!inputs_of(x, 2, inputs)) {
        return KILN_ERROR_UNSUPPORTED;
    }
    bool elements = x->step->kernel == KILN_KERNEL_GATHER_ELEMENTS;
    const char *y =
        model_node(&x->model, elements ? "GatherElements" : "Gather", NULL, 2, inputs, &node);
    model_int(&x->model, node, "axis", p.axis); /* operands are row-major */
    return finish(x, y);
}

kiln_status export_gather_nd(exporting *x) {
    PARAMS(kiln_gather_nd_params);
    const char *inputs[2];
    Onnx__NodeProto *node;
    if (!inputs_of(x, 2, inputs)) {
        return KILN_ERROR_UNSUPPORTED;
    }
    const char *y = model_node(&x->model, "GatherND", NULL, 2, inputs, &node);
    model_int(&x->model, node, "batch_dims", p.batch_dims);
    return finish(x, y);
}

kiln_status export_scatter(exporting *x) {
    static const char *const reductions[] = {"none", "add", "mul"};
    PARAMS(kiln_scatter_params);
    const char *inputs[3];
    Onnx__NodeProto *node;
    if (!inputs_of(x, 3, inputs)) {
        return KILN_ERROR_UNSUPPORTED;
    }
    if (p.reduction >= sizeof reductions / sizeof *reductions) {
        return export_fail(x, "a reduction of opset 18");
    }
    bool elements = x->step->kernel == KILN_KERNEL_SCATTER_ELEMENTS;
    const char *y =
        model_node(&x->model, elements ? "ScatterElements" : "ScatterND", NULL, 3, inputs, &node);
    model_string(&x->model, node, "reduction", reductions[p.reduction]);
    if (elements) {
        model_int(&x->model, node, "axis", p.axis);
    }
    return finish(x, y);
}

/* Finds the reduced axes. False where the dims are neither kept nor dropped together: no one node
 * says that. */
static bool reduced_axes(exporting *x, uint32_t mask, int64_t *axes, size_t *out_count,
                         bool *out_kept) {
    const kiln_plan_tensor_record *in = step_tensor(x, 0);
    const kiln_plan_tensor_record *out = &x->v.tensors[step_result(x)];
    *out_count = 0;
    for (uint32_t k = 0; k < in->rank; k++) {
        if ((mask >> k & 1) != 0) {
            axes[(*out_count)++] = logical_axis_of(in, k);
        }
    }
    *out_kept = out->rank == in->rank;
    return *out_kept ? out->layout == in->layout
                     : out->rank + *out_count == in->rank && in->layout == KILN_ROW_MAJOR;
}

kiln_status export_reduce(exporting *x) {
    static const char *const names[KILN_REDUCE_COUNT] = {
        "ReduceMean", "ReduceSum", "ReduceMax",       "ReduceMin",    "ReduceProd",
        "ReduceL1",   "ReduceL2",  "ReduceSumSquare", "ReduceLogSum", "ReduceLogSumExp"};
    PARAMS(kiln_reduce_params);
    int64_t axes[KILN_MAX_RANK];
    size_t count;
    bool kept;
    const char *inputs[2] = {value_of(x, step_operand(x, 0)), NULL};
    Onnx__NodeProto *node;
    if (inputs[0] == NULL) {
        return KILN_ERROR_UNSUPPORTED;
    }
    if (!reduced_axes(x, p.mask, axes, &count, &kept)) {
        return export_fail(x, "a result in another order of dimensions");
    }
    bool operand = p.op == KILN_REDUCE_SUM;
    inputs[1] = operand ? model_integers(&x->model, count, axes) : NULL;
    const char *y = model_node(&x->model, names[p.op], NULL, operand ? 2 : 1, inputs, &node);
    if (!operand) {
        model_ints(&x->model, node, "axes", count, axes);
    }
    model_int(&x->model, node, "keepdims", kept);
    return finish_clamped(x, y, p.min, p.max);
}

kiln_status export_arg_reduce(exporting *x) {
    PARAMS(kiln_arg_reduce_params);
    int64_t axes[KILN_MAX_RANK];
    size_t count;
    bool kept;
    const char *input = value_of(x, step_operand(x, 0));
    Onnx__NodeProto *node;
    if (input == NULL) {
        return KILN_ERROR_UNSUPPORTED;
    }
    if (!reduced_axes(x, 1u << p.axis, axes, &count, &kept)) {
        return export_fail(x, "a result in another order of dimensions");
    }
    const char *y =
        model_node(&x->model, p.minimum != 0 ? "ArgMin" : "ArgMax", NULL, 1, &input, &node);
    model_int(&x->model, node, "axis", axes[0]);
    model_int(&x->model, node, "keepdims", kept);
    model_int(&x->model, node, "select_last_index", p.select_last);
    return finish(x, y);
}

kiln_status export_cumulative_sum(exporting *x) {
    PARAMS(kiln_cumulative_sum_params);
    const int64_t axis = logical_axis_of(step_tensor(x, 0), p.axis);
    const char *inputs[2] = {value_of(x, step_operand(x, 0)), NULL};
    Onnx__NodeProto *node;
    if (inputs[0] == NULL) {
        return KILN_ERROR_UNSUPPORTED;
    }
    inputs[1] = model_elements(&x->model, NULL, KILN_I64, 0, NULL, &axis);
    const char *y = model_node(&x->model, "CumSum", NULL, 2, inputs, &node);
    model_int(&x->model, node, "exclusive", p.exclusive);
    model_int(&x->model, node, "reverse", p.reverse);
    return finish(x, y);
}

kiln_status export_grid_sample(exporting *x) {
    static const char *const modes[] = {"bilinear", "nearest", "bicubic"};
    static const char *const paddings[] = {"zeros", "border", "reflection"};
    PARAMS(kiln_grid_sample_params);
    const char *inputs[2];
    Onnx__NodeProto *node;
    if (!inputs_of(x, 2, inputs)) {
        return KILN_ERROR_UNSUPPORTED;
    }
    const char *y = model_node(&x->model, "GridSample", NULL, 2, inputs, &node);
    model_string(&x->model, node, "mode", modes[p.mode]);
    model_string(&x->model, node, "padding_mode", paddings[p.padding]);
    model_int(&x->model, node, "align_corners", p.align_corners);
    return finish(x, y);
}

kiln_status export_roi_align(exporting *x) {
    PARAMS(kiln_roi_align_params);
    const kiln_plan_tensor_record *out = &x->v.tensors[step_result(x)];
    const char *inputs[3];
    Onnx__NodeProto *node;
    if (!inputs_of(x, 3, inputs)) {
        return KILN_ERROR_UNSUPPORTED;
    }
    const char *y = model_node(&x->model, "RoiAlign", NULL, 3, inputs, &node);
    model_string(&x->model, node, "mode", p.mode == KILN_ROI_MAX ? "max" : "avg");
    model_string(&x->model, node, "coordinate_transformation_mode",
                 p.half_pixel != 0 ? "half_pixel" : "output_half_pixel");
    model_int(&x->model, node, "output_height", out->dims[2]);
    model_int(&x->model, node, "output_width", out->dims[3]);
    model_int(&x->model, node, "sampling_ratio", p.sampling_ratio);
    model_float(&x->model, node, "spatial_scale", p.spatial_scale);
    return finish(x, y);
}
