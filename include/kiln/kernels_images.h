/* Kernels of the plan format: convolutions, pooling, resizing, sampling. What each computes, and
 * its parameters as they lie in a plan; to be read by plan_kernels.h, which says what the words
 * mean. A part of the specification in schemas/plan.md. */
#ifndef KILN_KERNELS_IMAGES_H
#define KILN_KERNELS_IMAGES_H

#include <kiln/kiln.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KILN_EACH_IMAGE_KERNEL(KERNEL)                                                             \
    KERNEL(2, CONV_2D, conv_2d)                                                                    \
    KERNEL(3, DECONV_2D, deconv_2d)                                                                \
    KERNEL(5, MAX_POOL_2D, max_pool_2d)                                                            \
    KERNEL(6, AVERAGE_POOL_2D, average_pool_2d)                                                    \
    KERNEL(7, POOL_ND, pool_nd)                                                                    \
    KERNEL(8, GLOBAL_AVERAGE_POOL, global_average_pool)                                            \
    KERNEL(25, RESIZE_BILINEAR, resize_bilinear)                                                   \
    KERNEL(26, CONV_ND, conv_nd)                                                                   \
    KERNEL(34, GRID_SAMPLE, grid_sample)                                                           \
    KERNEL(35, ROI_ALIGN, roi_align)

/* CONV_2D: x channels-last f32 of rank 3 (N,C,W: height 1) or 4; inputs x, weight
 * [O][KH][KW][C/groups] (constant, row-major, rank 4), optional bias [O] (constant), optional
 * addend of y's dims and layout: y = clamp(convolution + bias + addend). Zero padding. The addend
 * is for algorithms other than KILN_CONV_DIRECT; y may take its place in memory. Optional input 4,
 * for KILN_CONV_GEMM with kernels of 1x1: a scale, dense, of C elements a sample, by which x's
 * channels are multiplied before all else. Results may be pooled (KILN_STEP_POOLED). DECONV_2D: the
 * same with weight [O][KH][KW][C/groups], O = all output channels, group-major; padding is taken
 * from the output; adjustment adds rows/columns at bottom/right; adjustment < stride. Output height
 * = stride*(H-1) + adjustment + dilation*(KH-1) + 1 - top - bottom, and at least the stride. */
/* Winograd's F(m x m, 3 x 3) is for kernels of 3x3 with stride 1 or, up to m = 4, 2, with dilation
 * 1 and one group; x is not constant. The larger m, the fewer multiplications and the larger the
 * rounding errors. */
typedef enum kiln_conv_algorithm {
    KILN_CONV_DIRECT = 0,
    KILN_CONV_WINOGRAD_2 = 1, /* m = 2 */
    KILN_CONV_WINOGRAD_4 = 2,
    KILN_CONV_WINOGRAD_6 = 3,
    KILN_CONV_GEMM = 4, /* one matrix product, of rows gathered for it; one group */
    /* One input and up to KILN_DEPTHWISE_OUTPUTS output channels a group, more than one group; x is
     * not constant. */
    KILN_CONV_DEPTHWISE = 5,
    KILN_CONV_ALGORITHM_COUNT = 6
} kiln_conv_algorithm;
#define KILN_DEPTHWISE_OUTPUTS 4
/* Where an algorithm of Kiln's is told from XNNPACK's convolution, which is the best that that has
 * for the layer: behind the algorithms. Not in kiln_conv_params: a plan's algorithm is what Kiln
 * computes with wherever XNNPACK does not. */
#define KILN_CONV_BY_XNNPACK KILN_CONV_ALGORITHM_COUNT
#define KILN_CONV_CHOICES (KILN_CONV_ALGORITHM_COUNT + 1)
/* "direct", "winograd4", ..., "xnnpack"; "?" for a value that is neither. */
KILN_API const char *kiln_conv_algorithm_name(uint32_t algorithm);
typedef struct kiln_conv_params {
    uint32_t stride_height, stride_width;
    uint32_t dilation_height, dilation_width;
    uint32_t padding_top, padding_right, padding_bottom, padding_left;
    uint32_t adjustment_height, adjustment_width; /* DECONV_2D, else 0 */
    uint32_t groups;
    uint32_t algorithm; /* kiln_conv_algorithm; DECONV_2D: 0 */
    float min, max;
} kiln_conv_params;

/* CONV_ND: convolution over 1..3 spatial dims, x channels-last of rank 3..5, weight
 * [O][K...][C/groups] of x's rank, optional bias. Plain C. Arrays: entry s is spatial dim s.
 * Transposed: as DECONV_2D; what y has beyond stride*(size-1) + dilation*(kernel-1) + 1 - padding
 * is the adjustment, as large as it may be. */
typedef struct kiln_conv_nd_params {
    uint32_t stride[3], dilation[3], padding_begin[3], padding_end[3];
    uint32_t groups;
    uint32_t transposed; /* 0 or 1 */
    float min, max;
} kiln_conv_nd_params;

/* MAX_POOL_2D, AVERAGE_POOL_2D: x, y channels-last of rank 3 or 4; x is not constant. Padding never
 * wins a maximum and is not counted in an average; padding < kernel; output size = (H + top +
 * bottom
 * - dilation*(KH-1) - 1) / stride + 1 exactly as the dims say; kernel height * width > 1; average:
 * dilation 1. What NaNs in a window do to its maximum is not specified. */
typedef struct kiln_pool_params {
    uint32_t kernel_height, kernel_width;
    uint32_t stride_height, stride_width;
    uint32_t dilation_height, dilation_width;
    uint32_t padding_top, padding_right, padding_bottom, padding_left;
    float min, max;
} kiln_pool_params;

/* POOL_ND: what those two cannot: x channels-last of rank 3..5. Maximum with optional output 1, the
 * i64 index of each maximum in x's ONNX-ordered dense tensor (storage_order 1: spatial dims
 * column-major); average, p-norm-free. Windows are cut at the padded input's end; count_include_pad
 * counts padding inside [-padding_begin, size + padding_end). Output sizes are y's dims. */
typedef enum kiln_pool_kind { KILN_POOL_MAX = 0, KILN_POOL_AVERAGE = 1 } kiln_pool_kind;
typedef struct kiln_pool_nd_params {
    uint32_t kind; /* kiln_pool_kind */
    uint32_t count_include_pad;
    uint32_t storage_order;
    uint32_t reserved;
    uint32_t kernel[3], stride[3], dilation[3], padding_begin[3], padding_end[3];
    uint32_t reserved2;
    float min, max;
} kiln_pool_nd_params;

/* GLOBAL_AVERAGE_POOL: x channels-last, rank >= 3, not constant; y [N,C,1,...] (any layout) or
 * [N,C]. */
typedef struct kiln_global_pool_params {
    float min, max;
} kiln_global_pool_params;

/* RESIZE_BILINEAR: x, y channels-last rank 4. */
typedef enum kiln_resize_mode {
    KILN_RESIZE_HALF_PIXEL = 0,
    KILN_RESIZE_ALIGN_CORNERS = 1,
    KILN_RESIZE_ASYMMETRIC = 2
} kiln_resize_mode;
typedef struct kiln_resize_bilinear_params {
    uint32_t mode; /* kiln_resize_mode */
    uint32_t reserved;
} kiln_resize_bilinear_params;

/* GRID_SAMPLE: x, y channels-last f32 of rank 4; input 1 the grid [N, y's height, y's width, 2],
 * f32: where in x each pixel of y is taken from, (column, row) from -1 to 1, from the first to the
 * last pixel's middle (align_corners = 1) or edge. Coordinates are computed in f32, halves round to
 * even; cubic with a = -3/4. A coordinate that is no number lies far to the left or top. */
typedef enum kiln_grid_mode {
    KILN_GRID_LINEAR = 0,
    KILN_GRID_NEAREST = 1,
    KILN_GRID_CUBIC = 2,
    KILN_GRID_MODE_COUNT = 3
} kiln_grid_mode;
typedef enum kiln_grid_padding {
    KILN_GRID_ZEROS = 0,
    KILN_GRID_BORDER = 1,
    KILN_GRID_REFLECTION = 2,
    KILN_GRID_PADDING_COUNT = 3
} kiln_grid_padding;
typedef struct kiln_grid_sample_params {
    uint32_t mode;    /* kiln_grid_mode */
    uint32_t padding; /* kiln_grid_padding */
    uint32_t align_corners;
    uint32_t reserved;
} kiln_grid_sample_params;

/* ROI_ALIGN: x, y channels-last f32 of rank 4, none batched; inputs x, regions [R, 4] f32 (x1, y1,
 * x2, y2), samples [R] i64: of which image; y [R, C, height, width]. Each bin of a region is the
 * average of sampling_ratio^2 bilinear samples, or the maximum of their weighted terms, four a
 * sample; with ratio 0 there are as many, each way, as the bin is pixels long, at most
 * 4 * (x's size + 2) / bins, rounded up. An image that is not there gives zeros. */
typedef enum kiln_roi_mode { KILN_ROI_AVERAGE = 0, KILN_ROI_MAX = 1 } kiln_roi_mode;
#define KILN_ROI_SAMPLES 256u /* sampling_ratio at most */
typedef struct kiln_roi_align_params {
    uint32_t mode;       /* kiln_roi_mode */
    uint32_t half_pixel; /* 1: coordinates are of edges of pixels; 0: at least one pixel a region */
    uint32_t sampling_ratio;
    float spatial_scale; /* of the regions' coordinates to x's */
} kiln_roi_align_params;

/* Sizes of the parameters are part of the format. */
KILN_STATIC_ASSERT(sizeof(kiln_conv_params) == 56, "plan format");
KILN_STATIC_ASSERT(sizeof(kiln_conv_nd_params) == 64, "plan format");
KILN_STATIC_ASSERT(sizeof(kiln_pool_params) == 48, "plan format");
KILN_STATIC_ASSERT(sizeof(kiln_pool_nd_params) == 88, "plan format");

#ifdef __cplusplus
}
#endif
#endif
