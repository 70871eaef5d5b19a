/* Detection, alignment and a network for faces, one after the other. */
#include "runtime/base/options.h"
#include "runtime/faces/detector.h"

struct kiln_recogniser {
    kiln_detector *detector; /* the caller's */
    kiln_session *session;
    const kiln_allocator *allocator; /* the network's */
    kiln_tensor_info input;
    kiln_preprocess preprocess;
    kiln_buffer buffer; /* one face */
    size_t numbers;
};

static kiln_status check(const kiln_plan *network, kiln_tensor_info *out_input, size_t *out_numbers,
                         kiln_error *error) {
    kiln_tensor_info output;
    kiln_image_layout layout;
    if (kiln_plan_input_count(network) != 1 || kiln_plan_output_count(network) != 1 ||
        kiln_plan_input(network, 0, out_input) != KILN_OK ||
        kiln_plan_output(network, 0, &output) != KILN_OK || output.dtype != KILN_F32 ||
        kiln_image_layout_of(out_input, &layout, NULL) != KILN_OK || layout.count != 1) {
        return kiln_fail(error, KILN_ERROR_UNSUPPORTED,
                         "a network for faces takes one image and gives one f32 output");
    }
    *out_numbers = output.bytes / sizeof(float);
    return KILN_OK;
}

static kiln_status begin(kiln_recogniser *r, const kiln_plan *network,
                         const kiln_recogniser_options *options, kiln_error *error) {
    kiln_session_options session;
    kiln_session_options_init(&session);
    session.threads = options->threads;
    kiln_plan_preprocess(network, &r->preprocess);
    if (options->preprocess != NULL) {
        r->preprocess = *options->preprocess;
    }
    r->buffer = (kiln_buffer){memory_take(&network->allocator, r->input.bytes), r->input.bytes};
    return r->buffer.data != NULL ? kiln_session_create(network, &session, &r->session, error)
                                  : memory_fail(error);
}

kiln_status kiln_recogniser_create(kiln_detector *detector, const kiln_plan *network,
                                   const kiln_recogniser_options *options,
                                   kiln_recogniser **out_recogniser, kiln_error *error) {
    kiln_recogniser_options used;
    kiln_tensor_info input;
    size_t numbers = 0;
    *out_recogniser = NULL;
    kiln_status status = OPTIONS_TAKE(kiln_recogniser_options, options, &used, error);
    if (status == KILN_OK) {
        status = check(network, &input, &numbers, error);
    }
    if (status != KILN_OK) {
        return status;
    }
    kiln_recogniser *r = memory_zeros(&network->allocator, 1, sizeof *r);
    if (r == NULL) {
        return memory_fail(error);
    }
    *r = (kiln_recogniser){
        .detector = detector, .allocator = &network->allocator, .input = input, .numbers = numbers};
    status = begin(r, network, &used, error);
    if (status == KILN_OK) {
        *out_recogniser = r;
    } else {
        kiln_recogniser_destroy(r);
    }
    return status;
}

void kiln_recogniser_destroy(kiln_recogniser *recogniser) {
    if (recogniser != NULL) {
        kiln_session_destroy(recogniser->session);
        memory_free(recogniser->buffer.data);
        memory_free(recogniser);
    }
}

kiln_session *recogniser_session(const kiln_recogniser *recogniser) {
    return recogniser->session;
}

size_t kiln_recogniser_numbers(const kiln_recogniser *recogniser) {
    return recogniser->numbers;
}

kiln_status kiln_recogniser_run(kiln_recogniser *recogniser, const kiln_image *image,
                                kiln_face *out_faces, float *out_numbers, size_t capacity,
                                size_t *out_count, kiln_error *error) {
    kiln_recogniser *r = recogniser;
    kiln_status status =
        kiln_detector_find(r->detector, image, out_faces, capacity, out_count, error);
    for (size_t k = 0; status == KILN_OK && k < *out_count; k++) {
        kiln_buffer output = {out_numbers + k * r->numbers, r->numbers * sizeof(float)};
        status = face_to_input(r->allocator, image, &out_faces[k], &r->input, &r->preprocess, 0,
                               r->buffer, error);
        if (status == KILN_OK) {
            status = kiln_session_run(r->session, 1, &r->buffer, 1, &output, 1, error);
        }
    }
    return status;
}
