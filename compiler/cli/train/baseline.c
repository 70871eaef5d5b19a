/* What a network must beat to be worth its weights: the nearest neighbour by raw pixels. */
#include "compiler/cli/train/training.h"

#include <math.h>
#include <stdlib.h>

enum { SIDE = 32, PIXELS = SIDE * SIDE };

static kiln_status gray_pixels(const data_set *data, const data_item *item, float *out,
                               kiln_error *error) {
    static const kiln_tensor_info gray = {
        .name = "gray", .dtype = KILN_F32, .rank = 3, .dims = {1, SIDE, SIDE}};
    static const kiln_preprocess plain = {
        .present = true, .resize = KILN_RESIZE_STRETCH, .crop_fraction = 1, .scale = {1, 1, 1, 1}};
    rgb_picture picture = {0};
    kiln_buffer pixels = {out, PIXELS * sizeof *out};
    if (item->path == NULL) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT, "--baseline is for folders of pictures");
    }
    kiln_status status = data_item_picture(data, item, &picture, error);
    if (status == KILN_OK) {
        status = subject_to_input(&picture, &item->subject, &gray, &plain, 0, pixels, error);
    }
    picture_free(&picture);
    double mean = 0, squares = 0;
    for (int k = 0; status == KILN_OK && k < PIXELS; k++) {
        mean += (double)out[k] / PIXELS;
        squares += (double)out[k] * (double)out[k] / PIXELS;
    }
    /* Brightness and contrast taken out, which is kind to the baseline. */
    double deviation = sqrt(fmax(squares - mean * mean, 1));
    for (int k = 0; status == KILN_OK && k < PIXELS; k++) {
        out[k] = (float)(((double)out[k] - mean) / deviation);
    }
    return status;
}

static double distance(const float *a, const float *b) {
    double sum = 0;
    for (int k = 0; k < PIXELS; k++) {
        double difference = (double)a[k] - (double)b[k];
        sum += difference * difference;
    }
    return sum;
}

kiln_status baseline_accuracy(const data_set *data, double *out_accuracy, kiln_error *error) {
    float *pixels = malloc((data->count * PIXELS + 1) * sizeof *pixels);
    kiln_status status =
        pixels != NULL ? KILN_OK : kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    for (size_t k = 0; k < data->count && status == KILN_OK; k++) {
        status = gray_pixels(data, &data->items[k], pixels + k * PIXELS, error);
    }
    size_t right = 0, asked = 0;
    for (size_t v = 0; v < data->count && status == KILN_OK; v++) {
        double least = INFINITY;
        uint32_t label = 0;
        if (!data->items[v].validation) {
            continue;
        }
        for (size_t k = 0; k < data->count; k++) {
            double d = data->items[k].validation
                           ? INFINITY
                           : distance(pixels + v * PIXELS, pixels + k * PIXELS);
            label = d < least ? data->items[k].label : label;
            least = d < least ? d : least;
        }
        asked++;
        right += label == data->items[v].label;
    }
    free(pixels);
    *out_accuracy = asked > 0 ? (double)right / (double)asked : NAN;
    return status;
}
