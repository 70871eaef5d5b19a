/* An item of a data set as a picture. */
#include "compiler/cli/data/data.h"

static kiln_status picture_of_array(const data_set *data, const float *values,
                                    rgb_picture *out_picture, kiln_error *error) {
    uint32_t channels = data->dims[0];
    size_t pixels = (size_t)data->dims[1] * data->dims[2];
    kiln_status status = picture_allocate(out_picture, data->dims[2], data->dims[1], error);
    for (size_t k = 0; status == KILN_OK && k < pixels * 3; k++) {
        float value = values[(channels == 3 ? k % 3 : 0) * pixels + k / 3];
        out_picture->rgb[k] = (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value + 0.5f);
    }
    return status;
}

kiln_status data_item_picture(const data_set *data, const data_item *from, rgb_picture *out_picture,
                              kiln_error *error) {
    *out_picture = (rgb_picture){0};
    if (from->path != NULL) {
        return picture_load(from->path, out_picture, error);
    }
    return data->pictures ? picture_of_array(data, data->values + from->index * data->sample_size,
                                             out_picture, error)
                          : kiln_fail(error, KILN_ERROR_FORMAT, "no picture");
}

kiln_status data_picture(const data_set *data, size_t item, rgb_picture *out_picture,
                         kiln_error *error) {
    return data_item_picture(data, &data->items[item], out_picture, error);
}
