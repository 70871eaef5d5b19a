/* A detector whose finds are known, and pictures for it: of SCRFD's shapes, 128x128, it sees a face
 * in each cell of 32x32 pixels whose upper left pixel is red. Its box is the cell, and its points
 * lie in it as the template has them in 112x112, so that the aligned face is the cell. */
#ifndef KILN_TESTS_MARKED_FACES_H
#define KILN_TESTS_MARKED_FACES_H

#include "tests/unit/onnx_model.h"
#include <kiln/faces.h>

enum { MARKED_SIDE = 128, MARKED_CELL = 32 };

/* 1x1 convolutions, as far apart as cells are, that see a cell's first pixel alone. */
static inline void marked_conv(const char *weights, const char *output, int64_t *strides) {
    char inputs[64];
    snprintf(inputs, sizeof inputs, "image %s.w %s.b", weights, weights);
    Onnx__NodeProto *n = model_node((char *)(uintptr_t) "Conv", inputs, output);
    Onnx__AttributeProto *a = model_attribute(n, (char *)(uintptr_t) "strides",
                                              ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS);
    a->ints = strides;
    a->n_ints = 2;
    model_output(m.outputs_of[m.graph.n_node - 1].each[0], FLOAT);
}

static inline void marked_weights(const char *w, const char *b, int64_t count, float *weights,
                                  float *biases, int64_t dims[5]) {
    dims[0] = count, dims[1] = 3, dims[2] = dims[3] = 1, dims[4] = count;
    set_raw(model_initializer((char *)(uintptr_t)w, FLOAT, 4, dims), weights,
            (size_t)count * 3 * sizeof(float));
    set_raw(model_initializer((char *)(uintptr_t)b, FLOAT, 1, dims + 4), biases,
            (size_t)count * sizeof(float));
}

/* To m. Scores are logits, of two anchors a cell, of which the first sees red in cells of 32. */
static inline void marked_detector(bool with_points) {
    static float none[60], red[6] = {10, -10}, far[2] = {-100, -100}, near[2] = {-10, -100};
    static float boxes[8] = {0, 0, 1, 1, 0, 0, 1, 1}, points[20];
    static int64_t dims[4][5], strides[3][2] = {{8, 8}, {16, 16}, {32, 32}};
    for (size_t k = 0; k < 20; k++) {
        points[k] = kiln_face_template[k % 10 / 2][k % 2] / 112;
    }
    model_begin(13);
    model_input((char *)(uintptr_t) "image", FLOAT, "1 3 128 128");
    marked_weights("far.w", "far.b", 2, none, far, dims[0]);
    marked_weights("near.w", "near.b", 2, red, near, dims[1]);
    marked_weights("box.w", "box.b", 8, none, boxes, dims[2]);
    marked_weights("points.w", "points.b", 20, none, points, dims[3]);
    for (int level = 0; level < 3; level++) {
        static const char *const lists[] = {"s8 b8 p8", "s16 b16 p16", "s32 b32 p32"};
        names outputs;
        split(lists[level], &outputs);
        marked_conv(level < 2 ? "far" : "near", outputs.each[0], strides[level]);
        marked_conv("box", outputs.each[1], strides[level]);
        if (with_points) {
            marked_conv("points", outputs.each[2], strides[level]);
        }
    }
}

/* Faces in a gray square of `side` pixels, a multiple of 128: in cells of a quarter of it. What
 * kind of face it is, 0..3, shows in blue stripes. */
static inline void marked_picture(uint8_t *rgb, size_t side) {
    memset(rgb, 120, side * side * 3);
}

static inline void marked_face(uint8_t *rgb, size_t side, size_t column, size_t row, int kind) {
    size_t cell = side / 4, stripe = side / 32;
    for (size_t k = 0; k < cell * cell; k++) {
        size_t x = k % cell / stripe, y = k / cell / stripe;
        bool blue = kind == 0 ? x % 2 : kind == 1 ? y % 2 : kind == 2 ? (x + y) % 2 : 0;
        uint8_t *pixel = rgb + ((row * cell + k / cell) * side + column * cell + k % cell) * 3;
        pixel[0] = 255;
        pixel[1] = 0;
        pixel[2] = blue ? 255 : 0;
    }
}

#endif
