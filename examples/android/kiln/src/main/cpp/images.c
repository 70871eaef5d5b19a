#include "images.h"

#include <stdlib.h>

/* The numbers of KilnImage.geometry, in its order. */
enum {
    FORMAT,
    WIDTH,
    HEIGHT,
    STRIDE,
    CHROMA_STRIDE,
    CHROMA_PIXEL_STRIDE,
    LEFT,
    TOP,
    CROP_WIDTH,
    CROP_HEIGHT,
    ROTATION,
    MIRROR,
    NUMBERS
};
enum { PLANES = 3 };

/* Chroma with other gaps than formats have: as two planes without any. */
static uint8_t *copy_of_chroma(const uint8_t *u, const uint8_t *v, size_t width, size_t height,
                               size_t stride, size_t step) {
    uint8_t *copy = malloc(2 * width * height), *at = copy;
    for (int plane = 0; copy != NULL && plane < 2; plane++) {
        const uint8_t *from = plane == 0 ? u : v;
        for (size_t y = 0; y < height; y++) {
            for (size_t x = 0; x < width; x++) {
                *at++ = from[y * stride + x * step];
            }
        }
    }
    return copy;
}

/* Which of the formats Android's three planes are. False: no memory. */
static bool take_chroma(kiln_image *image, const uint8_t *u, const uint8_t *v, size_t stride,
                        size_t step, uint8_t **out_copy) {
    size_t width = ((size_t)image->width + 1) / 2, height = ((size_t)image->height + 1) / 2;
    image->chroma_stride = stride;
    if (step == 1) {
        image->chroma[0] = u;
        image->chroma[1] = v;
    } else if (step == 2 && (v == u + 1 || u == v + 1)) {
        image->format = v == u + 1 ? KILN_IMAGE_NV12 : KILN_IMAGE_NV21;
        image->chroma[0] = v == u + 1 ? u : v;
    } else {
        *out_copy = copy_of_chroma(u, v, width, height, stride, step);
        image->chroma[0] = *out_copy;
        image->chroma[1] = *out_copy + width * height;
        image->chroma_stride = width;
        return *out_copy != NULL;
    }
    return true;
}

static bool take(JNIEnv *env, jobjectArray planes, jsize first, const jint *n, kiln_image *image,
                 uint8_t **out_copy) {
    *image = (kiln_image){
        .format = (kiln_image_format)n[FORMAT],
        .width = (uint32_t)n[WIDTH],
        .height = (uint32_t)n[HEIGHT],
        .pixels = buffer_at(env, planes, first).data,
        .stride = (size_t)n[STRIDE],
        .crop = {(uint32_t)n[LEFT], (uint32_t)n[TOP], (uint32_t)n[CROP_WIDTH],
                 (uint32_t)n[CROP_HEIGHT]},
        .rotation = (uint32_t)n[ROTATION],
        .mirror = n[MIRROR] != 0,
    };
    if (image->format != KILN_IMAGE_I420) {
        return true;
    }
    const uint8_t *u = buffer_at(env, planes, first + 1).data,
                  *v = buffer_at(env, planes, first + 2).data;
    if (!take_chroma(image, u, v, (size_t)n[CHROMA_STRIDE], (size_t)n[CHROMA_PIXEL_STRIDE],
                     out_copy)) {
        throw_no_memory(env);
        return false;
    }
    return true;
}

bool images_take(JNIEnv *env, jobjectArray planes, jintArray geometry, images *out_images) {
    size_t count = (size_t)(*env)->GetArrayLength(env, geometry) / NUMBERS;
    *out_images = (images){calloc(count, sizeof *out_images->each),
                           calloc(count, sizeof *out_images->copies), count};
    if (out_images->each == NULL || out_images->copies == NULL) {
        throw_no_memory(env);
        return false;
    }
    for (size_t k = 0; k < count; k++) {
        jint numbers[NUMBERS];
        (*env)->GetIntArrayRegion(env, geometry, (jsize)(k * NUMBERS), NUMBERS, numbers);
        if (!take(env, planes, (jsize)(k * PLANES), numbers, &out_images->each[k],
                  &out_images->copies[k])) {
            return false;
        }
    }
    return true;
}

void images_release(images *taken) {
    for (size_t k = 0; taken->copies != NULL && k < taken->count; k++) {
        free(taken->copies[k]);
    }
    free(taken->copies);
    free(taken->each);
}
