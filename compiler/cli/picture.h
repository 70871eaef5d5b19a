/* From a picture to a network's input: resize, cut, order of channels, normalisation. */
#ifndef KILN_COMPILER_CLI_PICTURE_H
#define KILN_COMPILER_CLI_PICTURE_H

#include "compiler/cli/image.h"

/* How an input tensor holds pictures. */
typedef struct picture_layout {
    uint32_t count; /* pictures in the tensor */
    uint32_t channels, height, width;
    bool channels_last; /* N,H,W,C instead of N,C,H,W */
} picture_layout;

/* KILN_ERROR_ARGUMENT when the tensor cannot hold pictures: they have rank 4 or 3, and 1 or 3
 * channels. */
kiln_status picture_layout_of(const kiln_tensor_info *info, picture_layout *out_layout,
                              kiln_error *error);

/* The part of a picture that a network sees. */
resize_window picture_window(const image *picture, const picture_layout *layout,
                             const kiln_preprocess *preprocess);

/* Writes the picture as number `index` of the input tensor `data`. A network of one channel gets
 * luma (ITU-R BT.601). */
kiln_status picture_to_tensor(const image *picture, const picture_layout *layout,
                              const kiln_preprocess *preprocess, kiln_dtype dtype, size_t index,
                              void *data, kiln_error *error);

#endif
