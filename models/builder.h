/* Building a network node by node, as torch.onnx exports a torchvision model. The builder infers
 * shapes, makes up weights and writes the ONNX file.
 *
 * The first mistake (an input too small for a kernel, memory) sticks: later calls do nothing and
 * builder_write reports it, so that network descriptions need no checks of their own. */
#ifndef KILN_MODELS_BUILDER_H
#define KILN_MODELS_BUILDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct builder builder;

typedef struct builder_options {
    const char *name; /* of the graph */
    size_t size;      /* height and width of the input */
    size_t classes;
    size_t batch; /* 0: an open dimension */
    double width; /* factor on channel counts */
    uint64_t seed;
} builder_options;

#define BUILDER_NAME 96

/* A node's output: [N, channels, height, width], or [N, channels] when height is 0. */
typedef struct tensor {
    char name[BUILDER_NAME];
    size_t channels, height, width;
    /* Estimate of the mean square of its elements, from which batch-norm statistics follow. */
    double power;
    bool rectified; /* few elements are below 0: another Relu changes little */
} tensor;

/* NULL when there is no memory. */
builder *builder_create(const builder_options *options);
void builder_destroy(builder *b);

/* ---- Facts for descriptions ---------------------------------------------------------------- */

/* `channels` times the width factor, rounded to a multiple of 8, at least 8. */
size_t builder_channels(const builder *b, size_t channels);
size_t builder_classes(const builder *b);

/* ---- Names --------------------------------------------------------------------------------- */

/* Weights made until the matching builder_leave are named "SCOPE.name". Scopes nest. */
size_t builder_enter(builder *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void builder_leave(builder *b, size_t mark);

/* ---- Nodes --------------------------------------------------------------------------------- */

tensor builder_input(builder *b);

/* Zeros mean the defaults: kernel 1, stride 1, groups 1, no padding, no bias. */
typedef struct conv {
    size_t channels;          /* of the output */
    size_t kernel[2], stride; /* height, width */
    size_t padding[2];        /* at top and bottom, at left and right */
    size_t groups;
    bool bias;
} conv;

/* Weights: He's initialisation, standard deviation sqrt(2 / fan in) (arXiv:1502.01852). */
tensor builder_conv(builder *b, tensor x, conv conv, const char *name);

/* gamma: centre of the scales, 1 as a rule, smaller at the end of a residual branch. */
typedef struct batch_norm {
    double gamma, epsilon;
} batch_norm;
tensor builder_batch_norm(builder *b, tensor x, batch_norm options, const char *name);

tensor builder_relu(builder *b, tensor x);
/* Clip to 0..6, the bounds in Constant nodes. */
tensor builder_relu6(builder *b, tensor x);

typedef struct pool {
    size_t kernel, stride, padding;
    bool ceil; /* sizes are rounded up */
} pool;
tensor builder_max_pool(builder *b, tensor x, pool pool);
tensor builder_average_pool(builder *b, tensor x, pool pool); /* padding is counted */
/* torch's AdaptiveAvgPool2d as its export writes it: an AveragePool with stride = kernel. The
 * output is `size` x `size` where that divides x's size, else the largest grid below it that does.
 */
tensor builder_adaptive_average_pool(builder *b, tensor x, size_t size);
tensor builder_global_average_pool(builder *b, tensor x);

tensor builder_add(builder *b, tensor x, tensor y);
tensor builder_concat(builder *b, const tensor *parts, size_t count); /* along channels */
tensor builder_flatten(builder *b, tensor x);
/* A dense layer with bias; x must be flat. */
tensor builder_gemm(builder *b, tensor x, size_t channels, const char *name);

/* The next node is the network's last: its result is named "output". */
void builder_last(builder *b);

/* ---- The file ------------------------------------------------------------------------------ */

/* Number of weights so far. */
size_t builder_weights(const builder *b);

/* The first mistake, or NULL. Owned by the builder. */
const char *builder_error(const builder *b);

/* Writes the model beside `path` and renames it, so that `path` is untouched or complete. */
bool builder_write(builder *b, const char *path);

#endif
