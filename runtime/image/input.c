/* From an image to a network's input: layout, the part that is seen, order of channels,
 * normalisation. */
#include "runtime/base/memory.h"
#include "runtime/image/view.h"
#include "runtime/ukernels/ukernels.h"
#include <kiln/element.h>

#include <math.h>

kiln_status kiln_image_layout_of(const kiln_tensor_info *input, kiln_image_layout *out_layout,
                                 kiln_error *error) {
    const uint32_t *dims = input->dims;
    uint32_t count = 1;
    if (input->rank == 4) {
        count = *dims++;
    }
    if (input->rank == 4 || input->rank == 3) {
        if (dims[0] == 1 || dims[0] == 3) {
            *out_layout = (kiln_image_layout){count, dims[0], dims[1], dims[2], false};
            return KILN_OK;
        }
        if (dims[2] == 1 || dims[2] == 3) {
            *out_layout = (kiln_image_layout){count, dims[2], dims[0], dims[1], true};
            return KILN_OK;
        }
    }
    return kiln_fail(error, KILN_ERROR_ARGUMENT,
                     "input '%s' does not take images (of 1 or 3 channels)", input->name);
}

static uint32_t clamp_side(double side, uint32_t least) {
    return side < least ? least : side > UINT32_MAX ? UINT32_MAX : (uint32_t)side;
}

kiln_image_scaling kiln_image_scaling_of(const kiln_image *image, const kiln_image_layout *layout,
                                         const kiln_preprocess *preprocess) {
    uint32_t width = layout->width, height = layout->height, seen_width, seen_height;
    kiln_image_scaling s = {width, height, 0, 0, width, height};
    double fraction = preprocess->crop_fraction;
    bool crops = preprocess->resize == KILN_RESIZE_CENTRE_CROP && fraction > 0 && fraction <= 1;
    if (!crops || kiln_image_size(image, &seen_width, &seen_height, NULL) != KILN_OK) {
        return s;
    }
    double across = round(width / fraction) / seen_width;
    double down = round(height / fraction) / seen_height;
    double factor = across > down ? across : down;
    /* The small addition keeps the exact side from being rounded down. */
    s.scaled_width = clamp_side(floor(seen_width * factor + 1e-6), width);
    s.scaled_height = clamp_side(floor(seen_height * factor + 1e-6), height);
    s.left = (s.scaled_width - width) / 2;
    s.top = (s.scaled_height - height) / 2;
    return s;
}

/* Networks of integers take pixels rounded. */
static void store_value(double value, kiln_dtype dtype, void *data, size_t index) {
    kiln_element_put_nearest(dtype, data, index, kiln_dtype_is_float(dtype) ? value : rint(value));
}

/* One channel, `stride` elements apart from `first` on. */
static void store_channel(const float *rgb, size_t pixels, size_t source, double scale, double bias,
                          kiln_dtype dtype, void *data, size_t first, size_t stride) {
    for (size_t p = 0; p < pixels; p++) {
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

/* What nearly all networks take. */
static void store_planes(const float *rgb, size_t pixels, const kiln_preprocess *preprocess,
                         float *data) {
    double scale[3], bias[3];
    float *planes[3];
    for (size_t c = 0; c < 3; c++) { /* by colour */
        size_t channel = preprocess->bgr ? 2 - c : c;
        scale[c] = (double)preprocess->scale[channel];
        bias[c] = (double)preprocess->bias[channel];
        planes[c] = data + channel * pixels;
    }
    ukernels_image(ukernels_best())
        ->store_planes(rgb, pixels, scale, bias, planes[0], planes[1], planes[2]);
}

void image_store(const float *rgb, const kiln_image_layout *layout,
                 const kiln_preprocess *preprocess, kiln_dtype dtype, size_t index, void *data) {
    size_t channels = layout->channels, pixels = (size_t)layout->width * layout->height;
    size_t first = index * channels * pixels;
    if (channels == 1) {
        store_luma(rgb, pixels, (double)preprocess->scale[0], (double)preprocess->bias[0], dtype,
                   data, first);
        return;
    }
    if (dtype == KILN_F32 && !layout->channels_last) {
        store_planes(rgb, pixels, preprocess, (float *)data + first);
        return;
    }
    for (size_t c = 0; c < channels; c++) {
        size_t start = layout->channels_last ? c : c * pixels;
        store_channel(rgb, pixels, preprocess->bgr ? 2 - c : c, (double)preprocess->scale[c],
                      (double)preprocess->bias[c], dtype, data, first + start,
                      layout->channels_last ? channels : 1);
    }
}

kiln_status image_check_room(const kiln_tensor_info *input, const kiln_image_layout *layout,
                             uint32_t index, size_t size, kiln_error *error) {
    size_t bytes = kiln_dtype_size(input->dtype);
    bool holds = bytes > 0 && !__builtin_mul_overflow(bytes, layout->channels, &bytes) &&
                 !__builtin_mul_overflow(bytes, layout->height, &bytes) &&
                 !__builtin_mul_overflow(bytes, layout->width, &bytes) &&
                 !__builtin_mul_overflow(bytes, (size_t)index + 1, &bytes) && bytes <= size;
    return holds ? KILN_OK
                 : kiln_fail(error, KILN_ERROR_ARGUMENT,
                             "input '%s': %zu bytes hold no image number %u of %ux%u", input->name,
                             size, index, layout->width, layout->height);
}

kiln_status image_to_input(const kiln_allocator *allocator, const kiln_image *image,
                           const kiln_tensor_info *input, const kiln_preprocess *preprocess,
                           uint32_t index, kiln_buffer buffer, kiln_error *error) {
    kiln_image_layout layout;
    kiln_status status = kiln_image_layout_of(input, &layout, error);
    if (status == KILN_OK) {
        status = image_check_room(input, &layout, index, buffer.size, error);
    }
    if (status != KILN_OK) {
        return status;
    }
    size_t pixels = (size_t)layout.width * layout.height;
    float *rgb = pixels <= SIZE_MAX / (3 * sizeof *rgb)
                     ? memory_take(allocator, pixels * 3 * sizeof *rgb)
                     : NULL;
    if (rgb == NULL) {
        return memory_fail(error);
    }
    kiln_image_scaling scaling = kiln_image_scaling_of(image, &layout, preprocess);
    status = image_scale(allocator, image, &scaling, rgb, error);
    if (status == KILN_OK) {
        image_store(rgb, &layout, preprocess, input->dtype, index, buffer.data);
    }
    memory_free(rgb);
    return status;
}

kiln_status kiln_image_to_input(const kiln_image *image, const kiln_tensor_info *input,
                                const kiln_preprocess *preprocess, uint32_t index,
                                kiln_buffer buffer, kiln_error *error) {
    return image_to_input(NULL, image, input, preprocess, index, buffer, error);
}
