/* Images from Java: see KilnImage.java. */
#ifndef KILN_JNI_IMAGES_H
#define KILN_JNI_IMAGES_H

#include "kiln_jni.h"
#include <kiln/image.h>

typedef struct images {
    kiln_image *each;
    uint8_t **copies; /* of chroma that lies as no format of Kiln's; NULL for others */
    size_t count;
} images;

/* Pixels stay Java's. images_release is to be called in any case. */
bool images_take(JNIEnv *env, jobjectArray planes, jintArray geometry, images *out_images);
void images_release(images *taken);

#endif
