/* CONV_2D and DECONV_2D: checked here, run by an algorithm of ours or by XNNPACK. */
#include "runtime/kernels/conv_algorithm.h"
#include "runtime/kernels/conv_choice.h"
#include "runtime/kernels/conv_xnnpack.h"
#include "runtime/kernels/finish.h"
#include "runtime/kernels/window.h"
#ifdef KILN_XNNPACK
#include "runtime/xnnpack/xnnpack.h"
#endif

/* What both have in common. */
static const char *check(const kernel_call *call, const window_axis axes[3], bool transposed) {
    const kiln_conv_params *p = call->params;
    const operand *x = &call->inputs[0], *w = &call->inputs[1], *y = &call->outputs[0];
    if (!window_is_sound(axes) || p->groups == 0 || !finish_is_sound(call, p->min, p->max)) {
        return "parameters out of range";
    }
    if (x->rank != y->rank || !window_sizes_follow(axes, transposed)) {
        return "the output's size does not follow from the input's";
    }
    if (w->dims[0] != y->inner || w->dims[0] % p->groups != 0 ||
        w->dims[3] > SIZE_MAX / p->groups || w->dims[3] * p->groups != x->inner) {
        return "the weights do not fit the channels";
    }
    if (has_input(call, 2) && call->inputs[2].dims[0] != y->inner) {
        return "the bias does not fit the channels";
    }
    return NULL;
}

static const char *check_scale(const kernel_call *call) {
    const operand *scale = conv_scale(call), *x = &call->inputs[0], *w = &call->inputs[1];
    const kiln_conv_params *p = call->params;
    if (scale == NULL) {
        return NULL;
    }
    if (p->algorithm != KILN_CONV_GEMM || w->dims[1] != 1 || w->dims[2] != 1) {
        return "a scale is for products of 1x1";
    }
    return operand_is_dense(scale) && scale->elements == x->dims[0] * x->inner
               ? NULL
               : "the scale does not fit the channels";
}

static const conv_algorithm *planned(const kernel_call *call) {
    return conv_algorithm_find(((const kiln_conv_params *)call->params)->algorithm);
}

static const char *check_deconv(const kernel_call *call) {
    const kiln_conv_params *p = call->params;
    window_axis axes[3];
    window_axes_of(call, axes);
    const char *fault = check(call, axes, true);
    if (fault != NULL) {
        return fault;
    }
    if (p->adjustment_height >= p->stride_height || p->adjustment_width >= p->stride_width ||
        p->adjustment_height != window_adjustment(&axes[1]) ||
        p->adjustment_width != window_adjustment(&axes[2]) || p->algorithm != KILN_CONV_DIRECT) {
        return "parameters out of range";
    }
    /* XNNPACK of 2022 crashes on these. */
    return axes[1].out < axes[1].stride || axes[2].out < axes[2].stride
               ? "an output smaller than the stride"
               : NULL;
}

/* XNNPACK in the place of the plan's algorithm. */
#ifdef KILN_XNNPACK
static const conv_algorithm by_xnnpack = {.prepare = conv_xnnpack_prepare,
                                          .bind = conv_xnnpack_bind,
                                          .run = conv_xnnpack_run,
                                          .release = conv_xnnpack_release};
#else
static const conv_algorithm by_xnnpack; /* never chosen */
#endif

static const conv_algorithm *algorithm_of(const kernel_call *call) {
    return conv_is_by_xnnpack(call) ? &by_xnnpack : planned(call);
}

static const char *check_conv(const kernel_call *call) {
    const kiln_conv_params *p = call->params;
    const operand *add = conv_addend(call), *y = &call->outputs[0];
    window_axis axes[3];
    window_axes_of(call, axes);
    const char *fault = check(call, axes, false);
    if (fault != NULL) {
        return fault;
    }
    if (p->adjustment_height != 0 || p->adjustment_width != 0 ||
        p->algorithm >= KILN_CONV_ALGORITHM_COUNT) {
        return "parameters out of range";
    }
    if (add != NULL && (add->layout != y->layout || !operand_same_dims(add, y))) {
        return "what is added does not fit the output";
    }
    if (conv_pool(call) > 1 && p->algorithm != KILN_CONV_DEPTHWISE) {
        return "pooled results are for depthwise convolutions";
    }
    fault = check_scale(call);
    return fault != NULL || planned(call) == NULL ? fault : planned(call)->check(call);
}

static const char *conv_lacks(const kernel_call *call) {
    const kiln_conv_params *p = call->params;
    return planned(call) == NULL          ? kiln_conv_algorithm_name(p->algorithm)
           : planned(call)->lacks != NULL ? planned(call)->lacks(call)
                                          : NULL;
}

static size_t conv_scratch(const kernel_call *call) {
    const conv_algorithm *a = algorithm_of(call);
    return a->scratch != NULL ? a->scratch(call) : 0;
}

/* XNNPACK keeps a pointer to each input pixel under each output pixel, whose rows it rounds up to
 * its tile. */
static size_t pointers(const kernel_call *call, const operand *pixels) {
    const operand *w = &call->inputs[1];
    size_t rounded = (operand_outer(pixels, 1) + 7) / 8 * 8;
    return w->dims[1] * w->dims[2] * rounded * sizeof(void *);
}

static size_t conv_heap(const kernel_call *call) {
    const operand *w = &call->inputs[1];
    bool points = w->dims[1] * w->dims[2] > 1 || call->step->kernel == KILN_KERNEL_DECONV_2D;
    return points && conv_is_by_xnnpack(call) ? pointers(call, &call->outputs[0]) : 0;
}

static kiln_status prepare_conv(kernel_call *call, kiln_error *error) {
    return algorithm_of(call)->prepare(call, error);
}

static kiln_status bind_conv(kernel_call *call, kiln_error *error) {
    return algorithm_of(call)->bind(call, error);
}

static kiln_status run_conv(kernel_call *call, kiln_error *error) {
    return algorithm_of(call)->run(call, error);
}

static void release_conv(kernel_call *call) {
    const conv_algorithm *a = algorithm_of(call);
    if (a->release != NULL) {
        a->release(call);
    }
}

static uint32_t conv_rows(const kernel_call *call, uint32_t input, row_rule *out_rule) {
    const kiln_conv_params *p = call->params;
    const operand *w = &call->inputs[1];
    uint64_t extent = (uint64_t)(w->dims[1] - 1) * p->dilation_height + 1;
    if (extent > INT32_MAX) {
        return 0;
    }
    if (input == 0) {
        uint32_t pool = (uint32_t)conv_pool(call);
        *out_rule = (row_rule){pool * p->stride_height, p->padding_top,
                               (uint32_t)extent + (pool - 1) * p->stride_height};
    } else if (input == 3) {
        *out_rule = (row_rule){1, 0, 1};
    }
    switch (p->algorithm) {
    case KILN_CONV_WINOGRAD_2:
    case KILN_CONV_WINOGRAD_4:
    case KILN_CONV_WINOGRAD_6:
        return 2 * p->algorithm;
    case KILN_CONV_GEMM:
    case KILN_CONV_DEPTHWISE:
        return 1;
    default:
        return 0;
    }
}

static bool conv_packs(const kernel_call *call, packed_form *out_form) {
    const conv_algorithm *a = algorithm_of(call);
    return a->packs != NULL && a->packs(call, out_form);
}

static const char *library_of_conv(const kernel_call *call) {
#ifdef KILN_XNNPACK
    if (conv_is_by_xnnpack(call)) {
        return xnnpack_generation();
    }
#endif
    (void)call;
    return NULL;
}

static uint64_t macs_of_conv(const kernel_call *call) {
    return conv_macs(call, &call->outputs[0]) * conv_pool(call) * conv_pool(call);
}

static uint64_t macs_of_deconv(const kernel_call *call) {
    return conv_macs(call, &call->inputs[0]);
}

const kernel kernel_conv_2d = {
    KERNEL("conv_2d", kiln_conv_params, macs_of_conv,
           KERNEL_INPUTS(2, 5, IS_F32 | IS_IMAGE, IS_F32 | IS_CONSTANT | HAS_RANK(4),
                         IS_F32 | IS_CONSTANT | HAS_RANK(1), IS_F32 | IS_VARIABLE,
                         IS_F32 | IS_VARIABLE | IS_BATCHED_LIKE_X),
           KERNEL_OUTPUTS(1, 1, IS_F32 | IS_IMAGE | IS_BATCHED_LIKE_X), KERNEL_STRIDED(1 | 8, 1),
           KERNEL_IN_PLACE(8)),
    .check = check_conv,
    .lacks = conv_lacks,
    .prepare = prepare_conv,
    .bind = bind_conv,
    .run = run_conv,
    .release = release_conv,
    .scratch = conv_scratch,
    .heap = conv_heap,
    .library = library_of_conv,
    .rows = conv_rows,
    .finishes = true,
    .packs_constants = true,
    .packs = conv_packs,
};

const kernel kernel_deconv_2d = {
    KERNEL("deconv_2d", kiln_conv_params, macs_of_deconv,
           KERNEL_INPUTS(2, 3, IS_F32 | IS_IMAGE, IS_F32 | IS_CONSTANT | HAS_RANK(4),
                         IS_F32 | IS_CONSTANT | HAS_RANK(1)),
           KERNEL_OUTPUTS(1, 1, IS_F32 | IS_IMAGE | IS_BATCHED_LIKE_X), KERNEL_STRIDED(1, 1)),
    .check = check_deconv,
    .lacks = conv_lacks,
    .prepare = prepare_conv,
    .bind = bind_conv,
    .run = run_conv,
    .release = release_conv,
    .scratch = conv_scratch,
    .heap = conv_heap,
    .finishes = true,
    .library = library_of_conv,
    .packs_constants = true,
};
