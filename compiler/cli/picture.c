#include "compiler/cli/picture.h"
#include "compiler/cli/elements.h"
#include <kiln/element.h>

#include <math.h>
#include <stdlib.h>

kiln_status picture_layout_of(const kiln_tensor_info *info, picture_layout *out_layout,
                              kiln_error *error) {
    const uint32_t *dims = info->dims;
    uint32_t count = 1;
    if (info->rank == 4) {
        count = *dims++;
    }
    if (info->rank == 4 || info->rank == 3) {
        if (dims[0] == 1 || dims[0] == 3) {
            *out_layout = (picture_layout){count, dims[0], dims[1], dims[2], false};
            return KILN_OK;
        }
        if (dims[2] == 1 || dims[2] == 3) {
            *out_layout = (picture_layout){count, dims[2], dims[0], dims[1], true};
            return KILN_OK;
        }
    }
    return kiln_fail(error, KILN_ERROR_ARGUMENT,
                     "input '%s' does not take pictures (of 1 or 3 channels): give it a file with "
                     "--input",
                     info->name);
}

static uint32_t clamp_side(double side, uint32_t least) {
    return side < least ? least : side > UINT32_MAX ? UINT32_MAX : (uint32_t)side;
}

/* As torchvision's Resize and CenterCrop: the side that needs the larger factor becomes exactly
 * size / crop_fraction, the other keeps the aspect ratio (rounded down). */
resize_window picture_window(const image *picture, const picture_layout *layout,
                             const kiln_preprocess *preprocess) {
    uint32_t width = layout->width, height = layout->height;
    resize_window window = {width, height, 0, 0, width, height};
    double fraction = preprocess->crop_fraction;
    if (preprocess->resize != KILN_RESIZE_CENTRE_CROP || !(fraction > 0 && fraction <= 1)) {
        return window;
    }
    double across = round(width / fraction) / picture->width;
    double down = round(height / fraction) / picture->height;
    double factor = across > down ? across : down;
    /* The small addition keeps the exact side from being rounded down. */
    window.full_width = clamp_side(floor(picture->width * factor + 1e-6), width);
    window.full_height = clamp_side(floor(picture->height * factor + 1e-6), height);
    window.left = (window.full_width - width) / 2;
    window.top = (window.full_height - height) / 2;
    return window;
}

/* Networks of bytes take pictures rounded. */
static void store_value(double value, kiln_dtype dtype, void *data, size_t index) {
    element_set(data, dtype, index, kiln_dtype_is_float(dtype) ? value : rint(value));
}

/* One channel, `stride` elements apart from `first` on. f32, what nearly all networks take, without
 * a call an element. */
static void store_channel(const float *rgb, size_t pixels, size_t source, double scale, double bias,
                          kiln_dtype dtype, void *data, size_t first, size_t stride) {
    float *f32 = (float *)data + first;
    for (size_t p = 0; dtype == KILN_F32 && p < pixels; p++) {
        f32[p * stride] = (float)((double)rgb[p * 3 + source] * scale + bias);
    }
    for (size_t p = 0; dtype != KILN_F32 && p < pixels; p++) {
        store_value((double)rgb[p * 3 + source] * scale + bias, dtype, data, first + p * stride);
    }
}

static void store_luma(const float *rgb, size_t pixels, double scale, double bias, kiln_dtype dtype,
                       void *data, size_t first) {
    for (size_t p = 0; p < pixels; p++, rgb += 3) {
        double value = 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2];
        store_value(value * scale + bias, dtype, data, first + p);
    }
}

static void store_pixels(const float *rgb, const picture_layout *layout,
                         const kiln_preprocess *preprocess, kiln_dtype dtype, size_t index,
                         void *data) {
    size_t channels = layout->channels, pixels = (size_t)layout->width * layout->height;
    size_t first = index * channels * pixels;
    if (channels == 1) {
        store_luma(rgb, pixels, (double)preprocess->scale[0], (double)preprocess->bias[0], dtype,
                   data, first);
        return;
    }
    for (size_t c = 0; c < channels; c++) {
        size_t start = layout->channels_last ? c : c * pixels;
        store_channel(rgb, pixels, preprocess->bgr ? 2 - c : c, (double)preprocess->scale[c],
                      (double)preprocess->bias[c], dtype, data, first + start,
                      layout->channels_last ? channels : 1);
    }
}

kiln_status picture_to_tensor(const image *picture, const picture_layout *layout,
                              const kiln_preprocess *preprocess, kiln_dtype dtype, size_t index,
                              void *data, kiln_error *error) {
    size_t pixels = (size_t)layout->width * layout->height;
    float *rgb = pixels <= SIZE_MAX / (3 * sizeof *rgb) ? malloc(pixels * 3 * sizeof *rgb) : NULL;
    if (rgb == NULL) {
        return kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    }
    resize_window window = picture_window(picture, layout, preprocess);
    kiln_status status = image_resize(picture, &window, rgb, error);
    if (status == KILN_OK) {
        store_pixels(rgb, layout, preprocess, dtype, index, data);
    }
    free(rgb);
    return status;
}
