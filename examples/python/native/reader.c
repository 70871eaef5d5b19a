/* Pictures from files through networks: see reader.h. All that decides about the numbers is the
 * command's: decoding, which face counts, and how it becomes the input. */
#include "examples/python/native/reader.h"
#include "compiler/cli/faces/subjects.h"
#include <kiln/element.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

struct kiln_reader {
    subject_source source;
    subject_finder finder;
    kiln_tensor_info input;
    kiln_preprocess preprocess;
    void *tensor;
};

/* ---- Pictures ------------------------------------------------------------------------------ */

static kiln_status read_picture(const kiln_picture_file *file, rgb_picture *out_picture,
                                kiln_error *error) {
    return file->path != NULL ? picture_load(file->path, out_picture, error)
                              : picture_read(file->bytes, out_picture, error);
}

kiln_status kiln_picture_read(const kiln_picture_file *file, kiln_image *out_image,
                              kiln_error *error) {
    rgb_picture picture;
    kiln_status status = read_picture(file, &picture, error);
    *out_image = picture_image(&picture);
    return status;
}

void kiln_picture_free(uint8_t *pixels) {
    free(pixels);
}

/* ---- Readers ------------------------------------------------------------------------------- */

kiln_status kiln_reader_create(kiln_detector *detector, bool only, const kiln_tensor_info *input,
                               const kiln_preprocess *preprocess, kiln_reader **out_reader,
                               kiln_error *error) {
    kiln_reader *r = calloc(1, sizeof *r);
    void *tensor = malloc(input->bytes + 1);
    *out_reader = NULL;
    if (r != NULL && tensor != NULL) {
        *r = (kiln_reader){.source.faces = only ? FACES_ONLY : FACES_LARGEST,
                           .input = *input,
                           .preprocess = *preprocess,
                           .tensor = tensor};
        if (finder_begin(&r->source, detector, &r->finder, error) == KILN_OK) {
            *out_reader = r;
            return KILN_OK;
        }
    }
    free(tensor);
    free(r);
    return kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
}

void kiln_reader_destroy(kiln_reader *r) {
    if (r != NULL) {
        r->finder.detector = NULL; /* another's */
        finder_close(&r->finder);
        free(r->tensor);
        free(r);
    }
}

/* ---- Running ------------------------------------------------------------------------------- */

/* The picture, or the face in it that counts, as the networks' input. */
static kiln_status fill(kiln_reader *r, const rgb_picture *picture, kiln_error *error) {
    char text[64];
    const kiln_buffer tensor = {r->tensor, r->input.bytes};
    kiln_status status = finder_find(&r->finder, picture, error);
    if (status == KILN_OK && r->finder.count == 0) {
        return kiln_fail(error, KILN_ERROR_UNSUPPORTED, "%s",
                         subjects_why(r->finder.found, text, sizeof text));
    }
    return status == KILN_OK ? subject_to_input(picture, &r->finder.subjects[0], &r->input,
                                                &r->preprocess, 0, tensor, error)
                             : status;
}

static kiln_status run(kiln_reader *r, const kiln_reader_network *network, void *raw, float *row,
                       kiln_error *error) {
    const kiln_buffer input = {r->tensor, r->input.bytes}, output = {raw, network->output.bytes};
    const bool runs = network->captured == NULL;
    const void *made = runs ? raw : network->captured;
    kiln_status status =
        runs ? kiln_session_run(network->session, 1, &input, 1, &output, 1, error) : KILN_OK;
    for (size_t k = 0; status == KILN_OK && k < kiln_element_count(&network->output); k++) {
        row[k] = (float)kiln_element_number(network->output.dtype, made, k);
    }
    return status;
}

/* With the path before what is not said of a file already. */
static kiln_status run_file(kiln_reader *r, const kiln_picture_file *file, size_t index,
                            const kiln_reader_network *networks, size_t network_count, void *raw,
                            kiln_error *error) {
    rgb_picture picture;
    kiln_error why;
    kiln_status status = read_picture(file, &picture, error);
    if (status != KILN_OK) {
        return status;
    }
    status = fill(r, &picture, &why);
    picture_free(&picture);
    for (size_t k = 0; k < network_count && status == KILN_OK; k++) {
        float *row = networks[k].rows + index * kiln_element_count(&networks[k].output);
        status = run(r, &networks[k], raw, row, &why);
    }
    return status == KILN_OK
               ? KILN_OK
               : kiln_fail(error, status, "%s%s%s", file->path != NULL ? file->path : "",
                           file->path != NULL ? ": " : "", why.message);
}

kiln_status kiln_reader_run(kiln_reader *r, const kiln_picture_file *files, size_t count,
                            const kiln_reader_network *networks, size_t network_count,
                            kiln_error *errors, kiln_error *error) {
    size_t most = 1;
    for (size_t n = 0; n < network_count; n++) {
        most = networks[n].output.bytes > most ? networks[n].output.bytes : most;
    }
    void *raw = malloc(most);
    if (raw == NULL) {
        return kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    }
    for (size_t k = 0; k < count; k++) {
        errors[k].status = KILN_OK;
        if (run_file(r, &files[k], k, networks, network_count, raw, &errors[k]) == KILN_OK) {
            continue;
        }
        for (size_t n = 0; n < network_count; n++) {
            size_t size = kiln_element_count(&networks[n].output);
            for (size_t j = 0; j < size; j++) {
                networks[n].rows[k * size + j] = NAN;
            }
        }
    }
    free(raw);
    return KILN_OK;
}
