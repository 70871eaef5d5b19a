/* From an item of the data to the network's input: see features.h. */
#include "compiler/cli/cli.h"
#include "compiler/cli/data/augment.h"
#include "compiler/cli/train/features.h"
#include <kiln/element.h>

#include <string.h>

/* The input's shape is a sample's, but for dims of 1 before it. */
static bool has_samples_shape(const kiln_tensor_info *info, const data_set *data) {
    return kiln_element_count(info) == data->sample_size && info->rank >= data->rank &&
           memcmp(info->dims + info->rank - data->rank, data->dims,
                  data->rank * sizeof *data->dims) == 0;
}

/* Arrays of pictures that lie as the input does need no detour over bytes. */
static bool lies_as_input(const feature_source *s, const data_set *data) {
    const kiln_tensor_info *info = &s->input;
    const kiln_preprocess *p = &s->preprocess;
    bool cropped = p->resize == KILN_RESIZE_CENTRE_CROP && p->crop_fraction < 1;
    return info->dtype == KILN_F32 && !p->bgr && !cropped && has_samples_shape(info, data);
}

static void scale_array(const feature_source *s, const data_set *data, const float *values,
                        float *out) {
    size_t plane = data->sample_size / data->dims[0];
    for (size_t k = 0; k < data->sample_size; k++) {
        size_t c = k / plane;
        out[k] = values[k] * s->preprocess.scale[c] + s->preprocess.bias[c];
    }
}

kiln_status features_check(const feature_source *s, const data_set *data, kiln_error *error) {
    if (data->pictures) {
        return KILN_OK;
    }
    if (!has_samples_shape(&s->input, data)) {
        char wanted[96], found[96];
        return kiln_fail(
            error, KILN_ERROR_ARGUMENT,
            "the network takes %s, the samples are %s; as pictures would count HxW, "
            "CxHxW or HxWxC with 1 or 3 channels, of bytes or of 0..1",
            shape_text(s->input.dims, s->input.rank, s->input.batched, wanted, sizeof wanted),
            shape_text(data->dims, data->rank, false, found, sizeof found));
    }
    return s->augment == 0 ? KILN_OK
                           : kiln_fail(error, KILN_ERROR_ARGUMENT,
                                       "--augment is for pictures; the arrays hold other numbers");
}

/* A variant of the picture, or of the face in it. A face is aligned first: before it, what moves a
 * picture would be undone by the alignment, and none but the detector's own errors would be learnt
 * from. What is left for it are these errors: see AUGMENT_FACES. */
static kiln_status vary(const feature_source *s, const kiln_image_layout *layout,
                        const data_item *from, uint64_t variant, const rgb_picture *picture,
                        rgb_picture *out_picture, kiln_error *error) {
    uint64_t seed = from->content ^ (variant * 0x9e3779b97f4a7c15u) ^ s->seed;
    unsigned kinds =
        variant == FEATURES_MIRRORED ? AUGMENT_MIRROR : s->augment & ~(unsigned)AUGMENT_MIRROR;
    if (!from->subject.is_face) {
        return augment_picture(picture, kinds, seed, out_picture, error);
    }
    rgb_picture face = {0};
    kiln_image image = picture_image(picture);
    kiln_status status = picture_allocate(&face, layout->width, layout->height, error);
    if (status == KILN_OK) {
        status = kiln_face_crop(&image, &from->subject.face, layout->width, layout->height,
                                face.rgb, error);
    }
    if (status == KILN_OK) {
        status = augment_picture(&face, kinds | AUGMENT_FACES, seed, out_picture, error);
    }
    picture_free(&face);
    return status;
}

void input_release(input_picture *p) {
    picture_free(&p->picture);
    *p = (input_picture){0};
}

static kiln_status hold(input_picture *inout, const data_set *data, size_t item,
                        kiln_error *error) {
    if (inout->held && inout->item == item) {
        return KILN_OK;
    }
    input_release(inout);
    inout->item = item;
    kiln_status status = data_picture(data, item, &inout->picture, error);
    inout->held = status == KILN_OK;
    return status;
}

static kiln_status picture_input(const feature_source *s, const data_set *data, size_t item,
                                 uint64_t variant, input_picture *inout, void *out_input,
                                 kiln_error *error) {
    const data_item *from = &data->items[item];
    rgb_picture varied = {0};
    kiln_image_layout layout;
    kiln_status status = picture_check_input(&s->input, &layout, error);
    if (status == KILN_OK) {
        status = hold(inout, data, item, error);
    }
    if (status == KILN_OK && variant != 0) {
        status = vary(s, &layout, from, variant, &inout->picture, &varied, error);
    }
    if (status == KILN_OK) {
        const subject whole = {.is_face = false};
        kiln_preprocess preprocess = s->preprocess;
        if (from->subject.is_face) { /* which has the input's size */
            preprocess.resize = KILN_RESIZE_STRETCH;
        }
        status = subject_to_input(variant == 0 ? &inout->picture : &varied,
                                  variant == 0 ? &from->subject : &whole, &s->input, &preprocess, 0,
                                  (kiln_buffer){out_input, s->input.bytes}, error);
    }
    picture_free(&varied);
    return status;
}

kiln_status features_input(const feature_source *s, const data_set *data, size_t item,
                           uint64_t variant, input_picture *inout, void *out_input,
                           kiln_error *error) {
    const data_item *from = &data->items[item];
    const float *values =
        from->path == NULL ? data->values + from->index * data->sample_size : NULL;
    if (!data->pictures) {
        for (size_t k = 0; k < data->sample_size; k++) {
            kiln_element_put_nearest(s->input.dtype, out_input, k, (double)values[k]);
        }
        return KILN_OK;
    }
    if (values != NULL && variant == 0 && !from->subject.is_face && lies_as_input(s, data)) {
        scale_array(s, data, values, out_input);
        return KILN_OK;
    }
    return picture_input(s, data, item, variant, inout, out_input, error);
}
