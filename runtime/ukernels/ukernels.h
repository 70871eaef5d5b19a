/* Micro-kernels: the inner loops of our own kernels, pure functions that know nothing of operators.
 * One source a family, compiled once for each set of vector instructions (vector.h); the widest
 * that the processor has is chosen when the program runs. */
#ifndef KILN_UKERNELS_H
#define KILN_UKERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VECTOR_MAX 16           /* floats of a vector, on any processor */
#define GEMM_MAX_NR 32          /* columns of a matrix product's tile, on any processor */
#define DEPTHWISE_MAX_OUTPUTS 4 /* of each channel */

/* Winograd's F(m x m, 3 x 3), of stride 1 and 2. Of stride 1, tiles of m + 2 pixels a side give m,
 * and meet as many weights. Of stride 2, tiles of 2m + 1 pixels a side do: their even ones, which
 * meet the two outer taps, by F(m, 2), their odd ones, which meet the inner tap, as they are. So
 * each side of a tile has m + 1 transformed elements of even pixels, then the m odd pixels, which
 * meet one and the same weight: there are (m + 2)^2 weights in either case. */
typedef enum winograd_size {
    WINOGRAD_2 = 0,
    WINOGRAD_4 = 1,
    WINOGRAD_6 = 2,
    WINOGRAD_2_BY_2 = 3,
    WINOGRAD_4_BY_2 = 4
} winograd_size;
#define WINOGRAD_SIZES 5
#define WINOGRAD_MAX_TILE 9

/* So many floats, and those of the last vector behind them. */
static inline size_t whole_vectors(size_t floats) {
    return (floats + VECTOR_MAX - 1) / VECTOR_MAX * VECTOR_MAX;
}

/* Unless they say otherwise, micro-kernels read whole vectors: up to VECTOR_MAX - 1 floats past
 * the `channels` that count. */

typedef struct winograd_ukernels {
    /* Computes B^T d B of a tile: pixels[n^2], n a side, point to `channels` floats each; element p
     * of the result goes to out + p * position_stride, in whole vectors. */
    void (*input[WINOGRAD_SIZES])(const float *const *pixels, size_t channels, float *out,
                                  size_t position_stride);
    /* Computes A^T M A + bias + add[m^2], clamped, without add where that is NULL. Element p of M
     * is at in + p * position_stride; pixels[m^2] are where results go, `channels` floats each and
     * no more. bias has whole vectors. */
    void (*output[WINOGRAD_SIZES])(const float *in, size_t position_stride, const float *bias,
                                   size_t channels, float min, float max, const float *const *add,
                                   float *const *pixels);
    /* Computes G g G^T: taps[9] point to `channels` floats each; the result lies as that of input.
     */
    void (*weights[WINOGRAD_SIZES])(const float *const *taps, size_t channels, float *out,
                                    size_t position_stride);
} winograd_ukernels;

/* A row of outputs of a window that slides over an image, each channel apart: of a depthwise
 * convolution or a pooling. What of the window lies outside the image is left out: of kernel rows
 * the caller tells only those that count, columns are looked at here. Pointers are those of the
 * first channel. */
typedef enum sliding_op {
    SLIDING_DEPTHWISE = 0,
    SLIDING_MAX_POOL = 1,
    SLIDING_AVERAGE_POOL = 2,
    SLIDING_MULTIPLIER = 3 /* depthwise, with 2 to DEPTHWISE_MAX_OUTPUTS outputs of each channel */
} sliding_op;
#define SLIDING_OPS 4

typedef struct sliding_row {
    const float *from;   /* pixel 0 of the image's row under the first kernel row */
    size_t width;        /* pixels of that row */
    size_t pixel_stride; /* floats from one pixel to the next */
    size_t row_stride;   /* floats to the row under the next kernel row */
    size_t kernel_rows, kernel_columns;
    size_t stride, dilation, padding; /* of columns, as is the padding on the left */
    /* DEPTHWISE, MULTIPLIER: [kernel_rows][kernel_columns][outputs] and [outputs], each tap_stride
     * floats apart; whole vectors. */
    const float *weights, *bias;
    size_t tap_stride;
    size_t outputs; /* of each channel, which lie side by side; 1 but for MULTIPLIER */
    float min, max; /* results are clamped */
    float *to;
    size_t to_stride; /* floats from one output pixel to the next */
    size_t to_width;  /* output pixels */
    /* DEPTHWISE: 2 where a second row of outputs is wanted, too (depthwise_rows). Its windows begin
     * `stride` rows of the image lower; both rows' windows are of 3x3, of stride 1 or 2 and not
     * dilated. kernel_rows are then those of both, and rows_above so many before them lie above the
     * image; weights are those of the window's first row all the same. */
    size_t rows, to_row_stride, rows_above;
    /* DEPTHWISE, of windows of 3x3 with stride 1 and padding 1, for even widths of 8 at least: of
     * each 2x2 of the outputs of two rows, which any set then takes, the largest is stored,
     * to_stride floats apart. `joins` is the micro-kernel's own: the row above has been stored. */
    bool pooled, joins;
    size_t channels;
    size_t fresh_rows; /* so many of the lowest kernel rows may be fetched ahead, as no near cache
                          has them */
} sliding_row;

typedef void sliding_ukernel(const sliding_row *row);

/* Computes the average of all pixels, channel by channel, and clamps it. */
typedef void global_average_pool_ukernel(const float *from, size_t pixels, size_t pixel_stride,
                                         size_t channels, float min, float max, float *to);

/* For measuring the processor. Both return a sum, so that nothing is optimised away. */
typedef struct peak_ukernels {
    size_t operations; /* multiplications and additions in a round */
    /* Rounds of sum = sum + sum * factor, on as many sums as keep the processor busy. */
    float (*multiply_add)(size_t rounds, float factor);
    float (*read)(const float *from, size_t count);
} peak_ukernels;

/* Dense layers. Weights [n][k] are read where they lie, as f32 or as f16 (sums are f32 all the
 * same), and nothing past them: they may be the last bytes of a file that is mapped. */
typedef enum dense_weights { DENSE_F32 = 0, DENSE_F16 = 1 } dense_weights;
#define DENSE_WEIGHTS 2

typedef struct dense_piece {
    size_t m, n, k;
    const float *x; /* [m][k], rows x_stride floats apart */
    size_t x_stride;
    const void *weights; /* [n][k] */
    const float *bias;   /* [n], NULL: none */
    float min, max;
    float *y; /* [m][n], rows y_stride floats apart */
    size_t y_stride;
} dense_piece;

typedef struct dense_ukernels {
    /* y = clamp(x weights^T + bias). Made for few rows: all of a layer's outputs after one another
     * read its weights from first to last. */
    void (*dot[DENSE_WEIGHTS])(const dense_piece *piece);
} dense_ukernels;

typedef struct pack_ukernels {
    /* to[k][nr] = weights^T as f32, for `gemm`: n rows of k weights, `stride` weights apart, are
     * its first n columns; the others, up to nr, are 0. */
    void (*weights[DENSE_WEIGHTS])(size_t n, size_t k, const void *weights, size_t stride,
                                   float *to);
} pack_ukernels;

/* Functions of one element, with the parameters of the plan format's operation of that name. A NaN
 * gives NaN. */
#define EACH_UNARY(FUNCTION)                                                                       \
    FUNCTION(CLAMP, clamp)                                                                         \
    FUNCTION(LEAKY_RELU, leaky_relu)                                                               \
    FUNCTION(ELU, elu)                                                                             \
    FUNCTION(SELU, selu)                                                                           \
    FUNCTION(CELU, celu)                                                                           \
    FUNCTION(SIGMOID, sigmoid)                                                                     \
    FUNCTION(HARD_SIGMOID, hard_sigmoid)                                                           \
    FUNCTION(HARD_SWISH, hard_swish)                                                               \
    FUNCTION(MISH, mish)                                                                           \
    FUNCTION(GELU_ERF, gelu_erf)                                                                   \
    FUNCTION(GELU_TANH, gelu_tanh)                                                                 \
    FUNCTION(TANH, tanh)                                                                           \
    FUNCTION(SOFTPLUS, softplus)                                                                   \
    FUNCTION(SOFTSIGN, softsign)                                                                   \
    FUNCTION(ERF, erf)                                                                             \
    FUNCTION(SQRT, sqrt)                                                                           \
    FUNCTION(EXP, exp)                                                                             \
    FUNCTION(LOG, log)                                                                             \
    FUNCTION(ABS, abs)                                                                             \
    FUNCTION(NEG, neg)                                                                             \
    FUNCTION(RECIPROCAL, reciprocal)                                                               \
    FUNCTION(FLOOR, floor)                                                                         \
    FUNCTION(CEIL, ceil)                                                                           \
    FUNCTION(ROUND, round)                                                                         \
    FUNCTION(SIGN, sign)                                                                           \
    FUNCTION(SWISH, swish)                                                                         \
    FUNCTION(SQUARE, square)                                                                       \
    FUNCTION(STAR_RELU, star_relu)                                                                 \
    FUNCTION(RSQRT, rsqrt)                                                                         \
    FUNCTION(THRESHOLDED_RELU, thresholded_relu)                                                   \
    FUNCTION(SHRINK, shrink)                                                                       \
    FUNCTION(SIN, sin)                                                                             \
    FUNCTION(COS, cos)                                                                             \
    FUNCTION(TAN, tan)                                                                             \
    FUNCTION(ASIN, asin)                                                                           \
    FUNCTION(ACOS, acos)                                                                           \
    FUNCTION(ATAN, atan)                                                                           \
    FUNCTION(SINH, sinh)                                                                           \
    FUNCTION(COSH, cosh)                                                                           \
    FUNCTION(ASINH, asinh)                                                                         \
    FUNCTION(ACOSH, acosh)                                                                         \
    FUNCTION(ATANH, atanh)
typedef enum unary_function {
#define NUMBER(NAME, name) UNARY_##NAME,
    EACH_UNARY(NUMBER)
#undef NUMBER
        UNARY_FUNCTIONS
} unary_function;

/* y[count] of x[count]; y may be x. */
typedef void unary_ukernel(const float *x, size_t count, float alpha, float beta, float *y);

/* Functions of two elements, likewise. For PRELU, b is the slope. */
typedef enum elementwise_binary {
    ELEMENTWISE_ADD = 0,
    ELEMENTWISE_SUB = 1,
    ELEMENTWISE_MUL = 2,
    ELEMENTWISE_DIV = 3,
    ELEMENTWISE_MIN = 4,
    ELEMENTWISE_MAX = 5,
    ELEMENTWISE_PRELU = 6,
    ELEMENTWISE_POW = 7,
    ELEMENTWISE_REMAINDER = 8 /* of a's sign */
} elementwise_binary;
#define ELEMENTWISE_BINARY 9

typedef struct elementwise_rows {
    const float *a, *b;
    bool a_single, b_single;       /* one element for all of a row */
    float min, max;                /* results are clamped */
    float *y;                      /* may be a, or b */
    size_t a_step, b_step, y_step; /* floats from one row to the next */
    size_t rows, count;            /* floats of a row */
} elementwise_rows;

typedef void elementwise_ukernel(const elementwise_rows *rows);
typedef struct elementwise_ukernels {
    elementwise_ukernel *binary[ELEMENTWISE_BINARY];
} elementwise_ukernels;

/* y[count] of x[count], which may be y. Without `rounds` (x - zero) scale; with it x scale, or
 * x / scale, rounded to the nearest integer (ties to even) such that low <= it + zero <= high, or
 * low - zero for a NaN; then zero is added, and scale multiplied. Bounds and zeros are integers of
 * at most 2^17. Steps, 0 or 1, lead from one element's scale, or zero, to the next one's. */
typedef struct quantize_row {
    const float *x, *scale, *zero;
    size_t scale_step, zero_step, count;
    float low, high, *y;
    bool rounds, divides, adds_zero, scales;
} quantize_row;

typedef void quantize_ukernel(const quantize_row *row);

/* Reductions; a NaN gives NaN. */
typedef enum reduce_op {
    REDUCE_SUM = 0,
    REDUCE_SUM_ABS,
    REDUCE_SUM_SQUARES,
    REDUCE_MAX, /* the maximum of nothing is -infinity */
    REDUCE_MIN,
    REDUCE_OPS
} reduce_op;

/* y = (x - mean) inverse scale + bias, row by row, where inverse = 1 / sqrt(variance + epsilon). */
typedef struct layer_norm_rows {
    bool about_zero; /* the mean is taken for 0 */
    const float *x;
    size_t rows, count; /* floats of a row */
    float epsilon;
    const float *scale, *bias; /* [count]; bias may be NULL */
    float *y;                  /* may be x */
    float *mean, *inverse;     /* [rows], or NULL */
} layer_norm_rows;

typedef struct reduce_ukernels {
    /* Reduces x[count] - shift; MAX and MIN leave shift out. */
    double (*along[REDUCE_OPS])(const float *x, size_t count, float shift);
    /* Joins x's rows less shift[count] (NULL: 0), which lie `stride` floats apart, to y[count]. */
    void (*across[REDUCE_OPS])(const float *x, size_t rows, size_t stride, size_t count,
                               const float *shift, float *y);
} reduce_ukernels;

typedef void layer_norm_ukernel(const layer_norm_rows *rows);
/* y[rows][count] = (x - mean[count]) factor[count] + bias[count]; y may be x. */
typedef void scale_shift_ukernel(const float *x, size_t rows, size_t count, const float *mean,
                                 const float *factor, const float *bias, float *y);

/* Entry 1 computes the logarithm of softmax, entry 0 softmax itself. y may be x. Columns lie side
 * by side, and the elements of one are `stride` floats apart. */
typedef struct softmax_ukernels {
    void (*row[2])(const float *x, size_t count, float *y);
    void (*columns[2])(const float *x, size_t size, size_t stride, size_t columns, float *y);
} softmax_ukernels;

/* Scores of attention, rows of `count` floats `stride` apart, which is whole vectors and no less:
 * what is between is overwritten, with zeros. */
typedef struct attention_rows {
    float *scores;
    size_t rows, count, stride;
    float scale;
    const float *bias, *mask;    /* [count] for each row; NULL: none. No mask without a bias */
    size_t bias_step, mask_step; /* floats from one row's to the next one's */
    float *sums;                 /* [rows] */
} attention_rows;

typedef struct attention_ukernels {
    /* With s = scale scores + bias + mask: scores = e^(s - the row's largest), and the sums of
     * these. */
    void (*weights)(const attention_rows *rows);
    /* y[rows][count] /= sums[rows]; rows are `stride` floats apart. */
    void (*divide)(float *y, size_t rows, size_t count, size_t stride, const float *sums);
} attention_ukernels;

/* Neighbouring pixels of a row. */
typedef struct image_run {
    uint32_t pixel; /* of the result */
    uint32_t count;
    float scale;
} image_run;

/* Rows of images, three numbers a pixel. Nothing is read past what counts, unless it says so. */
typedef struct image_ukernels {
    /* sums[count] += above * upper + below * lower */
    void (*add_rows)(const uint8_t *upper, const uint8_t *lower, float above, float below,
                     size_t count, float *sums);
    /* Pixel x of out[count] is the sum of `taps` pixels of the row from first[x] on, by
     * weights[count][taps]. Reads a number past the last pixel. */
    void (*scale_row)(const float *row, const size_t *first, const float *weights, size_t taps,
                      size_t count, float *out);
    /* For both lines x: a[count] += falling * x, b[count] += rising * x; ahead is fetched, and may
     * be any bytes. */
    void (*share_rows)(const uint8_t *const lines[2], const uint8_t *const ahead[2],
                       const float falling[2], const float rising[2], size_t count, float *a,
                       float *b);
    /* With A the sum of a run's pixels, and B of pixels * rises: out[run.pixel] += (A - B + B of
     * the run before) * run.scale. Reads a number past the last pixel of the row, and of out. */
    void (*share_columns)(const float *row, const float *rises, const image_run *runs, size_t count,
                          float *out);
    /* sums[count] += from; ahead[count] is fetched, and may be any bytes. */
    void (*add_bytes)(const uint8_t *from, const uint8_t *ahead, size_t count, uint16_t *sums);
    void (*add_shorts)(const uint16_t *from, size_t count, float *sums);
    /* Each of sums[count] pixels += `size` (at least 1) neighbouring pixels. Reads a number past
     * the last. */
    void (*add_groups)(const float *from, size_t size, size_t count, float *sums);
    /* out[count] = x * factor to the nearest, which is to be below 255.5 */
    void (*round_bytes)(const float *x, float factor, size_t count, uint8_t *out);
    /* a, b, c [count] = the three channels * scale + bias. Each scale is to be an f32's. */
    void (*store_planes)(const float *rgb, size_t count, const double scale[3],
                         const double bias[3], float *a, float *b, float *c);
} image_ukernels;

/* to[count][3] of three planes of 4-byte elements; to[count][2] of two where third is NULL. */
typedef void interleave_ukernel(const uint32_t *first, const uint32_t *second,
                                const uint32_t *third, size_t count, uint32_t *to);

/* A row of a resized image: each pixel lies between two of the image's columns and two of its rows.
 * Nothing is read past the channels. */
typedef struct bilinear_column {
    size_t left, right; /* floats from a row's begin to the pixels on both sides */
    float part;         /* of the way from left to right */
} bilinear_column;

typedef struct bilinear_row {
    const float *upper, *lower;     /* rows of the image */
    float part;                     /* of the way from upper to lower */
    const bilinear_column *columns; /* [count] */
    size_t count, channels;
    float *to;
    size_t to_stride; /* floats from one pixel to the next */
} bilinear_row;

typedef void bilinear_ukernel(const bilinear_row *row);

/* What is done to the sums of a matrix product before they are stored: clamp(sum + bias + add). */
typedef struct gemm_epilogue {
    const float *bias; /* [nr] */
    const float *add;  /* [m][n], NULL: nothing */
    size_t add_stride; /* floats from one of its rows to the next */
    float min, max;
    bool far; /* what is added, and where results go, is in no near cache */
    /* While a weight is used, one so many floats behind it is fetched, which a later product reads;
     * 0: one of this product's, a little ahead. */
    size_t ahead;
} gemm_epilogue;

/* c[m][n] = a[m][kc] b[kc][nr]. Rows of a and of c lie a_stride and c_stride floats apart. b is a
 * packed panel of nr columns, of which the first n (at most nr) are results; the others are not
 * stored. The epilogue follows unless it is NULL. */
typedef void gemm_ukernel(size_t m, size_t n, size_t kc, const float *a, size_t a_stride,
                          const float *b, float *c, size_t c_stride, const gemm_epilogue *epilogue);

/* Both factors of a product whose rows of a lie in pieces, as windows over an image do: piece p of
 * row r is the kc floats from a + r * a_stride + p * a_step on, and meets the kc rows of the panel
 * from b + p * b_step on. Rows may overlap. */
typedef struct gemm_windows {
    const float *a, *b;
    size_t kc, pieces;
    size_t a_stride, a_step, b_step;
} gemm_windows;

/* The same as gemm_ukernel for the sum of all pieces' products. */
typedef void gemm_windows_ukernel(size_t m, size_t n, const gemm_windows *windows, float *c,
                                  size_t c_stride, const gemm_epilogue *epilogue);

#define SET_neon SET_avx2 /* of these sets, the least first, no processor has both */
typedef enum ukernel_set { SET_base = 0, SET_avx2, SET_avx512, UKERNEL_SETS } ukernel_set;

typedef struct ukernels {
    const char *name; /* "AVX-512" */
    ukernel_set set;
    size_t width; /* floats of a vector */
    size_t mr;    /* rows of a matrix product's tile: up to so many, and twice for half of nr */
    size_t nr;    /* columns of a matrix product's tile: always so many */
    size_t depthwise_rows; /* rows of outputs that depthwise computes together, at most */
    gemm_ukernel *gemm;
    gemm_windows_ukernel *gemm_windows;
} ukernels;

/* The others by family: ukernels_winograd(set) and so on. Each family has a table of its own, so
 * that linkers leave out those that nothing calls. */
#define EACH_UKERNEL_FAMILY(FAMILY)                                                                \
    FAMILY(winograd, const winograd_ukernels)                                                      \
    FAMILY(depthwise, sliding_ukernel)                                                             \
    FAMILY(depthwise_multiplier, sliding_ukernel)                                                  \
    FAMILY(max_pool, sliding_ukernel)                                                              \
    FAMILY(average_pool, sliding_ukernel)                                                          \
    FAMILY(global_average_pool, global_average_pool_ukernel)                                       \
    FAMILY(peak, const peak_ukernels)                                                              \
    FAMILY(dense, const dense_ukernels)                                                            \
    FAMILY(pack, const pack_ukernels)                                                              \
    FAMILY(elementwise, const elementwise_ukernels)                                                \
    FAMILY(prelu, elementwise_ukernel)                                                             \
    FAMILY(quantize, quantize_ukernel)                                                             \
    FAMILY(reduce, const reduce_ukernels)                                                          \
    FAMILY(layer_norm, layer_norm_ukernel)                                                         \
    FAMILY(scale_shift, scale_shift_ukernel)                                                       \
    FAMILY(softmax, const softmax_ukernels)                                                        \
    FAMILY(attention, const attention_ukernels)                                                    \
    FAMILY(image, const image_ukernels)                                                            \
    FAMILY(interleave, interleave_ukernel)                                                         \
    FAMILY(bilinear, bilinear_ukernel)
#define UKERNEL_ACCESS(family, type)                                                               \
    extern type *const ukernels_of_##family[UKERNEL_SETS];                                         \
    static inline type *ukernels_##family(const ukernels *set) {                                   \
        return ukernels_of_##family[set->set];                                                     \
    }
EACH_UKERNEL_FAMILY(UKERNEL_ACCESS)
/* NULL where the function, or depthwise_multiplier, is not built in (KILN_KERNELS). */
unary_ukernel *ukernels_unary(const ukernels *set, size_t function);
sliding_ukernel *ukernels_depthwise_several(const ukernels *set);

/* How many of the `left` rows the next tile takes, which has up to mr: there are as few tiles as
 * can be, and the last two are about equal. */
static inline size_t gemm_tile_rows(size_t left, size_t mr) {
    return left >= 2 * mr ? mr : left > mr ? (left + 1) / 2 : left;
}

/* The best set for this processor; never NULL. */
const ukernels *ukernels_best(void);
/* The k-th set that runs here, the best first; NULL past the last. It is for tests. */
const ukernels *ukernels_at(size_t k);

#endif
