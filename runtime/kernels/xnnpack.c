/* XNNPACK as of February 2022 (Debian 12): create, setup, run. */
#include "runtime/kernels/xnnpack.h"

#include <math.h>
#include <pthread.h>
#include <xnnpack.h>

_Static_assert(XNN_EXTRA_BYTES <= XNNPACK_MARGIN, "the arena's margin is too small");

static pthread_once_t once = PTHREAD_ONCE_INIT;
static enum xnn_status initialized = xnn_status_uninitialized;

static void initialize(void) {
    initialized = xnn_initialize(NULL);
}

kiln_status xnnpack_initialize(kiln_error *error) {
    (void)pthread_once(&once, initialize);
    if (initialized != xnn_status_success) {
        return kiln_fail(error, KILN_ERROR_INTERNAL,
                         "XNNPACK does not start on this machine (status %d); it needs a known "
                         "processor and /proc",
                         (int)initialized);
    }
    return KILN_OK;
}

static kiln_status check(const kernel_call *call, enum xnn_status status, const char *what,
                         kiln_error *error) {
    if (status == xnn_status_success) {
        return KILN_OK;
    }
    return kiln_fail(
        error, status == xnn_status_out_of_memory ? KILN_ERROR_MEMORY : KILN_ERROR_INTERNAL,
        "layer '%.80s': XNNPACK could not %s (status %d)", call->name, what, (int)status);
}

kiln_status xnnpack_run(kernel_call *call, kiln_error *error) {
    return check(call, xnn_run_operator(call->state, call->host->threadpool), "run", error);
}

void xnnpack_delete(void *operator_) {
    if (operator_ != NULL) {
        (void)xnn_delete_operator(operator_);
    }
}

void xnnpack_release(kernel_call *call) {
    xnnpack_delete(call->state);
    call->state = NULL;
}

static kiln_status created(kernel_call *call, enum xnn_status status, xnn_operator_t op,
                           kiln_error *error) {
    call->state = status == xnn_status_success ? op : NULL;
    return check(call, status, "create the operator", error);
}

static const float *bias_of(const kernel_call *call) {
    return call->input_count > 2 && operand_present(&call->inputs[2]) ? call->inputs[2].data : NULL;
}

/* ---- Images -------------------------------------------------------------------------------- */

kiln_status xnnpack_create_conv(const kernel_call *call, const kiln_conv_params *p, bool transposed,
                                void **out_operator, kiln_error *error) {
    const operand *x = &call->inputs[0], *w = &call->inputs[1], *y = &call->outputs[0];
    xnn_operator_t op = NULL;
    size_t group_inputs = w->dims[3], group_outputs = w->dims[0] / p->groups;
    uint32_t kernel_height = (uint32_t)w->dims[1], kernel_width = (uint32_t)w->dims[2];
    enum xnn_status status;
    if (transposed) {
        status = xnn_create_deconvolution2d_nhwc_f32(
            p->padding_top, p->padding_right, p->padding_bottom, p->padding_left, kernel_height,
            kernel_width, p->stride_height, p->stride_width, p->dilation_height, p->dilation_width,
            p->groups, group_inputs, group_outputs, x->row_stride, y->row_stride, w->data,
            bias_of(call), p->min, p->max, 0, &op);
    } else {
        status = xnn_create_convolution2d_nhwc_f32(
            p->padding_top, p->padding_right, p->padding_bottom, p->padding_left, kernel_height,
            kernel_width, p->stride_height, p->stride_width, p->dilation_height, p->dilation_width,
            p->groups, group_inputs, group_outputs, x->row_stride, y->row_stride, w->data,
            bias_of(call), p->min, p->max, 0, &op);
    }
    *out_operator = status == xnn_status_success ? op : NULL;
    return check(call, status, "create the operator", error);
}

kiln_status xnnpack_setup_conv(const kernel_call *call, const kiln_conv_params *p, bool transposed,
                               void *operator_, kiln_error *error) {
    const operand *x = &call->inputs[0], *y = &call->outputs[0];
    image_dims image;
    (void)operand_image(x, &image);
    size_t batch = operand_dim(x, 0, call->run.batch);
    enum xnn_status status =
        transposed ? xnn_setup_deconvolution2d_nhwc_f32(operator_, batch, image.h, image.w,
                                                        p->adjustment_height, p->adjustment_width,
                                                        x->data, y->data, call->host->threadpool)
                   : xnn_setup_convolution2d_nhwc_f32(operator_, batch, image.h, image.w, x->data,
                                                      y->data, call->host->threadpool);
    return check(call, status, "set up the operator", error);
}

kiln_status xnnpack_run_conv(const kernel_call *call, void *operator_, kiln_error *error) {
    return check(call, xnn_run_operator(operator_, call->host->threadpool), "run", error);
}

kiln_status xnnpack_create_resize_bilinear(kernel_call *call, kiln_resize_mode mode,
                                           kiln_error *error) {
    static const uint32_t flags[] = {[KILN_RESIZE_HALF_PIXEL] = 0,
                                     [KILN_RESIZE_ALIGN_CORNERS] = XNN_FLAG_ALIGN_CORNERS,
                                     [KILN_RESIZE_ASYMMETRIC] = XNN_FLAG_TENSORFLOW_LEGACY_MODE};
    const operand *x = &call->inputs[0], *y = &call->outputs[0];
    xnn_operator_t op = NULL;
    enum xnn_status status = xnn_create_resize_bilinear2d_nhwc_f32(x->inner, x->row_stride,
                                                                   y->row_stride, flags[mode], &op);
    return created(call, status, op, error);
}

kiln_status xnnpack_setup_resize_bilinear(kernel_call *call, kiln_error *error) {
    const operand *x = &call->inputs[0], *y = &call->outputs[0];
    return check(call,
                 xnn_setup_resize_bilinear2d_nhwc_f32(
                     call->state, operand_dim(x, 0, call->run.batch), x->dims[1], x->dims[2],
                     y->dims[1], y->dims[2], x->data, y->data, call->host->threadpool),
                 "set up the operator", error);
}

/* ---- Rows ---------------------------------------------------------------------------------- */

static kiln_status check_product(enum xnn_status status, kiln_error *error) {
    if (status == xnn_status_success) {
        return KILN_OK;
    }
    return kiln_fail(error,
                     status == xnn_status_out_of_memory ? KILN_ERROR_MEMORY : KILN_ERROR_INTERNAL,
                     "XNNPACK could not multiply matrices (status %d)", (int)status);
}

kiln_status xnnpack_create_product(size_t k, size_t n, const float *b, bool b_by_k,
                                   void **out_operator, kiln_error *error) {
    xnn_operator_t op = NULL;
    enum xnn_status status = xnn_create_fully_connected_nc_f32(
        k, n, k, n, b, NULL, -INFINITY, INFINITY, b_by_k ? XNN_FLAG_TRANSPOSE_WEIGHTS : 0, &op);
    *out_operator = op;
    return check_product(status, error);
}

kiln_status xnnpack_run_product(void *operator_, size_t m, const float *a, float *y,
                                pthreadpool_t pool, kiln_error *error) {
    enum xnn_status status = xnn_setup_fully_connected_nc_f32(operator_, m, a, y, pool);
    return check_product(status == xnn_status_success ? xnn_run_operator(operator_, pool) : status,
                         error);
}

kiln_status xnnpack_create_prelu(kernel_call *call, kiln_error *error) {
    const operand *x = &call->inputs[0], *y = &call->outputs[0];
    xnn_operator_t op = NULL;
    enum xnn_status status = xnn_create_prelu_nc_f32(x->inner, x->row_stride, y->row_stride,
                                                     call->inputs[1].data, 0, &op);
    return created(call, status, op, error);
}

kiln_status xnnpack_setup_rows(kernel_call *call, kiln_error *error) {
    const operand *x = &call->inputs[0], *y = &call->outputs[0];
    size_t rows = operand_outer(x, call->run.batch);
    return check(
        call, xnn_setup_prelu_nc_f32(call->state, rows, x->data, y->data, call->host->threadpool),
        "set up the operator", error);
}
