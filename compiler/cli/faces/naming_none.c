/* Names for faces where training is not built: nobody has one, since nothing stands on people. */
#include "compiler/cli/people/naming.h"

kiln_status naming_open(const char *path, uint32_t threads, naming *out_naming, kiln_error *error) {
    (void)path;
    (void)threads;
    (void)error;
    *out_naming = (naming){0};
    return KILN_OK;
}

void naming_close(naming *n) {
    (void)n;
}

bool naming_is_open(const naming *n) {
    (void)n;
    return false;
}

kiln_status naming_ask(naming *n, const rgb_picture *picture, const kiln_face *face,
                       face_name *out_name, kiln_error *error) {
    (void)n;
    (void)picture;
    (void)face;
    *out_name = (face_name){0};
    return kiln_fail(error, KILN_ERROR_UNSUPPORTED, "this kiln was built without training");
}
