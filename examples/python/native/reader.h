/* What the Python package adds to the library: pictures as they come in files, decoded as the kiln
 * command does it, and run by the batch, so that the interpreter's lock is released once for many.
 * Files are untrusted. Not for other programs, and free to change. */
#ifndef KILN_PYTHON_READER_H
#define KILN_PYTHON_READER_H

#include <kiln/faces.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A picture's file: its path, or (path NULL) its bytes. */
typedef struct kiln_picture_file {
    const char *path;
    kiln_span bytes;
} kiln_picture_file;

/* RGB, upright. The pixels are released with kiln_picture_free; on failure there are none. */
KILN_API kiln_status kiln_picture_read(const kiln_picture_file *file, kiln_image *out_image,
                                       kiln_error *error);
KILN_API void kiln_picture_free(uint8_t *pixels);

/* How pictures become a network's input; one thread's at a time. */
typedef struct kiln_reader kiln_reader;

/* detector: finds the face that counts in each picture, and outlives the reader; NULL: whole
 * pictures. only: a picture with several faces fails, instead of that its largest near the middle
 * counts. input: of a network that takes pictures (kiln_image_layout_of). */
KILN_API kiln_status kiln_reader_create(kiln_detector *detector, bool only,
                                        const kiln_tensor_info *input,
                                        const kiln_preprocess *preprocess, kiln_reader **out_reader,
                                        kiln_error *error);
KILN_API void kiln_reader_destroy(kiln_reader *reader);

/* A network that is run on each picture: of one input, as the reader's, and one output. */
typedef struct kiln_reader_network {
    kiln_session *session;
    kiln_tensor_info output;
    /* Instead of a session: where an earlier network's run leaves such an output
     * (kiln_session_capture). */
    const void *captured;
    float *rows; /* [pictures][numbers of the output] */
} kiln_reader_network;

/* Runs each picture through all the networks. Why a picture failed is its error (else KILN_OK), and
 * its rows are NaN; with paths the message begins with them, as those of the kiln command do. Fails
 * itself only without memory. errors: as many as there are files. */
KILN_API kiln_status kiln_reader_run(kiln_reader *reader, const kiln_picture_file *files,
                                     size_t count, const kiln_reader_network *networks,
                                     size_t network_count, kiln_error *errors, kiln_error *error);

#ifdef __cplusplus
}
#endif
#endif
