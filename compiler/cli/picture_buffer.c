/* Memory for pictures, and what is too large for them. */
#include "compiler/cli/picture.h"

#include <stdlib.h>

#define FREE_PIXELS ((uint64_t)16 << 20) /* of any file */
#define PIXELS_A_BYTE 256                /* photographs have less than 20 */

kiln_status picture_allocate(rgb_picture *out_picture, uint64_t width, uint64_t height,
                             kiln_error *error) {
    if (width == 0 || height == 0) {
        return kiln_fail(error, KILN_ERROR_FORMAT, "the picture is empty");
    }
    if (width > PICTURE_MAX_SIDE || height > PICTURE_MAX_SIDE ||
        width * height > PICTURE_MAX_PIXELS) {
        return kiln_fail(error, KILN_ERROR_UNSUPPORTED,
                         "%llux%llu pixels is too large: at most %u a side and %u million in all",
                         (unsigned long long)width, (unsigned long long)height, PICTURE_MAX_SIDE,
                         PICTURE_MAX_PIXELS / 1000000u);
    }
    uint8_t *rgb = malloc((size_t)(width * height * 3));
    if (rgb == NULL) {
        return kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    }
    *out_picture = (rgb_picture){.width = (uint32_t)width, .height = (uint32_t)height, .rgb = rgb};
    return KILN_OK;
}

uint64_t picture_most_pixels(kiln_span file) {
    uint64_t most = FREE_PIXELS + (uint64_t)file.size * PIXELS_A_BYTE;
    return most < PICTURE_MAX_PIXELS ? most : PICTURE_MAX_PIXELS;
}

kiln_status picture_begin(kiln_span file, rgb_picture *out_picture, uint64_t width, uint64_t height,
                          kiln_error *error) {
    uint64_t most = picture_most_pixels(file);
    if (width <= PICTURE_MAX_SIDE && height <= PICTURE_MAX_SIDE &&
        width * height <= PICTURE_MAX_PIXELS && width * height > most) {
        return kiln_fail(error, KILN_ERROR_UNSUPPORTED,
                         "%llux%llu pixels in a file of %zu bytes: at most %llu are read",
                         (unsigned long long)width, (unsigned long long)height, file.size,
                         (unsigned long long)most);
    }
    return picture_allocate(out_picture, width, height, error);
}

void picture_free(rgb_picture *picture) {
    free(picture->rgb);
    *picture = (rgb_picture){0};
}
