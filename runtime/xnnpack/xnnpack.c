/* XNNPACK's generations, told apart by what the build has tried:
 *
 *                                  2022-02        2024-11               2026-08
 *   create                         flags          code, weights cache   weights cache
 *   KILN_XNNPACK_RESHAPE           -              reshape, then setup   the same
 *   KILN_XNNPACK_WORKSPACE_ALIGNMENT   -              its size, alignment   its size
 *   KILN_XNNPACK_CODE_CACHE        -              yes                   -
 */
#include "runtime/xnnpack/xnnpack.h"
#include "runtime/base/memory.h"

#include <kiln/plan_format.h>
#include <pthread.h>
#include <xnnpack.h>

_Static_assert(XNN_EXTRA_BYTES <= KILN_ARENA_MARGIN, "the arena's margin is too small");

/* What create takes between flags and result. */
#if defined(KILN_XNNPACK_CODE_CACHE)
#define CACHES NULL, NULL,
#elif defined(KILN_XNNPACK_RESHAPE)
#define CACHES NULL,
#else
#define CACHES
#endif

struct xnnpack_conv {
    xnn_operator_t op;
    bool transposed;
    uint32_t adjustment_height, adjustment_width;
    const kiln_allocator *allocator;
    void *room; /* in which the workspace lies */
    void *workspace;
    size_t workspace_bytes;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static enum xnn_status started = xnn_status_uninitialized;

static void start(void) {
    started = xnn_initialize(NULL);
}

bool xnnpack_starts(void) {
    (void)pthread_once(&once, start);
    return started == xnn_status_success;
}

const char *xnnpack_generation(void) {
#if defined(KILN_XNNPACK_CODE_CACHE)
    return "XNNPACK 2024-11";
#elif defined(KILN_XNNPACK_RESHAPE)
    return "XNNPACK 2026-08";
#else
    return "XNNPACK 2022-02";
#endif
}

static kiln_status check(enum xnn_status status, const char *what, kiln_error *error) {
    if (status == xnn_status_success) {
        return KILN_OK;
    }
    return kiln_fail(error,
                     status == xnn_status_out_of_memory ? KILN_ERROR_MEMORY : KILN_ERROR_INTERNAL,
                     "XNNPACK could not %s a convolution (status %d)", what, (int)status);
}

static enum xnn_status create(const xnnpack_conv_shape *s, const float *weights, const float *bias,
                              xnn_operator_t *out_op) {
    return s->transposed ? xnn_create_deconvolution2d_nhwc_f32(
                               s->padding_top, s->padding_right, s->padding_bottom, s->padding_left,
                               s->kernel_height, s->kernel_width, s->stride_height, s->stride_width,
                               s->dilation_height, s->dilation_width, s->groups, s->group_inputs,
                               s->group_outputs, s->input_stride, s->output_stride, weights, bias,
                               s->min, s->max, 0, CACHES out_op)
                         : xnn_create_convolution2d_nhwc_f32(
                               s->padding_top, s->padding_right, s->padding_bottom, s->padding_left,
                               s->kernel_height, s->kernel_width, s->stride_height, s->stride_width,
                               s->dilation_height, s->dilation_width, s->groups, s->group_inputs,
                               s->group_outputs, s->input_stride, s->output_stride, weights, bias,
                               s->min, s->max, 0, CACHES out_op);
}

kiln_status xnnpack_conv_create(const kiln_allocator *allocator, const xnnpack_conv_shape *shape,
                                const float *weights, const float *bias, xnnpack_conv **out_conv,
                                kiln_error *error) {
    xnnpack_conv *c = memory_zeros(allocator, 1, sizeof *c);
    *out_conv = c;
    if (c == NULL) {
        return memory_fail(error);
    }
    c->allocator = allocator;
    c->transposed = shape->transposed;
    c->adjustment_height = shape->adjustment_height;
    c->adjustment_width = shape->adjustment_width;
    enum xnn_status status = create(shape, weights, bias, &c->op);
    if (status != xnn_status_success) {
        c->op = NULL;
    }
    return check(status, "create", error);
}

#ifdef KILN_XNNPACK_RESHAPE
static bool make_room(xnnpack_conv *c, size_t bytes) {
    if (bytes > c->workspace_bytes) {
        memory_free(c->room);
        c->workspace = NULL;
        c->workspace_bytes = 0;
        c->room = memory_take(c->allocator, bytes + KILN_ARENA_ALIGNMENT);
        if (c->room == NULL) {
            return false;
        }
        uintptr_t past = (uintptr_t)c->room % KILN_ARENA_ALIGNMENT;
        c->workspace = (uint8_t *)c->room + (KILN_ARENA_ALIGNMENT - past);
        c->workspace_bytes = bytes;
    }
    return true;
}

static enum xnn_status set_up(xnnpack_conv *c, size_t batch, size_t height, size_t width,
                              const float *x, float *y, pthreadpool_t pool) {
    size_t bytes = 0;
#ifdef KILN_XNNPACK_WORKSPACE_ALIGNMENT
    size_t alignment = 0;
#define WORKSPACE &bytes, &alignment
#else
#define WORKSPACE &bytes
#endif
    if (c->transposed) {
        enum xnn_status status =
            xnn_reshape_deconvolution2d_nhwc_f32(c->op, batch, height, width, c->adjustment_height,
                                                 c->adjustment_width, NULL, NULL, pool);
        return status == xnn_status_success ? xnn_setup_deconvolution2d_nhwc_f32(c->op, x, y)
                                            : status;
    }
    enum xnn_status status = xnn_reshape_convolution2d_nhwc_f32(c->op, batch, height, width,
                                                                WORKSPACE, NULL, NULL, pool);
    if (status == xnn_status_success && !make_room(c, bytes)) {
        status = xnn_status_out_of_memory;
    }
    return status == xnn_status_success
               ? xnn_setup_convolution2d_nhwc_f32(c->op, c->workspace, x, y)
               : status;
}
#else
static enum xnn_status set_up(xnnpack_conv *c, size_t batch, size_t height, size_t width,
                              const float *x, float *y, pthreadpool_t pool) {
    return c->transposed
               ? xnn_setup_deconvolution2d_nhwc_f32(c->op, batch, height, width,
                                                    c->adjustment_height, c->adjustment_width, x, y,
                                                    pool)
               : xnn_setup_convolution2d_nhwc_f32(c->op, batch, height, width, x, y, pool);
}
#endif

kiln_status xnnpack_conv_setup(xnnpack_conv *c, size_t batch, size_t height, size_t width,
                               const float *x, float *y, pthreadpool_t pool, kiln_error *error) {
    return check(set_up(c, batch, height, width, x, y, pool), "set up", error);
}

kiln_status xnnpack_conv_run(xnnpack_conv *c, pthreadpool_t pool, kiln_error *error) {
    return check(xnn_run_operator(c->op, pool), "run", error);
}

void xnnpack_conv_destroy(xnnpack_conv *c) {
    if (c != NULL) {
        if (c->op != NULL) {
            (void)xnn_delete_operator(c->op);
        }
        memory_free(c->room);
        memory_free(c);
    }
}
