/* Pictures to files, as PNG. */
#include "compiler/cli/picture.h"
#include "runtime/base/files.h"

#include <png.h>

kiln_status picture_write(const rgb_picture *picture, const char *path, kiln_error *error) {
    file_writer out;
    kiln_status status = file_begin(&out, path, error);
    if (status != KILN_OK) {
        return status;
    }
    png_image png = {.version = PNG_IMAGE_VERSION,
                     .width = (png_uint_32)picture->width,
                     .height = (png_uint_32)picture->height,
                     .format = PNG_FORMAT_RGB};
    if (png_image_write_to_stdio(&png, out.file, 0, picture->rgb, 0, NULL) == 0) {
        status = kiln_fail(error, KILN_ERROR_IO, "%s: %s", path, png.message);
    }
    return file_end(&out, status, error);
}
