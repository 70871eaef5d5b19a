/* Cameras write pictures as the sensor lies and note in EXIF how to rotate them. */
#include "compiler/cli/picture.h"

#include <string.h>

#define TAG_ORIENTATION 0x0112u

typedef struct tiff {
    const uint8_t *data;
    size_t size;
    bool big_endian;
} tiff;

static uint32_t read16(const tiff *t, size_t at) {
    if (at + 2 > t->size) {
        return 0;
    }
    uint32_t a = t->data[at], b = t->data[at + 1];
    return t->big_endian ? a << 8 | b : b << 8 | a;
}

static uint32_t read32(const tiff *t, size_t at) {
    uint32_t a = read16(t, at), b = read16(t, at + 2);
    return t->big_endian ? a << 16 | b : b << 16 | a;
}

/* TIFF 6.0, section 2: a header, then its first directory. */
unsigned picture_tiff_orientation(kiln_span bytes) {
    const uint8_t *data = bytes.data;
    if (bytes.size < 8) {
        return 1;
    }
    tiff t = {data, bytes.size, data[0] == 'M'};
    size_t directory = read32(&t, 4);
    uint32_t entries = read16(&t, directory);
    for (size_t k = 0; k < entries; k++) {
        size_t entry = directory + 2 + k * 12;
        if (entry + 12 > t.size) {
            break;
        }
        if (read16(&t, entry) == TAG_ORIENTATION) {
            uint32_t orientation = read16(&t, entry + 8);
            return orientation >= 1 && orientation <= 8 ? orientation : 1;
        }
    }
    return 1;
}

/* EXIF 2.3, section 4.5: "Exif\0\0", then TIFF. */
unsigned picture_exif_orientation(kiln_span marker) {
    const uint8_t *data = marker.data;
    bool exif = marker.size >= 6 && memcmp(data, "Exif\0\0", 6) == 0;
    return exif ? picture_tiff_orientation((kiln_span){data + 6, marker.size - 6}) : 1;
}

kiln_status picture_orient(rgb_picture *inout_picture, unsigned orientation, kiln_error *error) {
    if (orientation == 1) {
        return KILN_OK;
    }
    /* 5..8 swap rows and columns; the others mirror. Which source pixel (x, y) goes to (u, v): */
    bool transposed = orientation >= 5;
    bool mirror_x = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
    bool mirror_y = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
    const rgb_picture from = *inout_picture;
    rgb_picture to = {0};
    kiln_status status = picture_allocate(&to, transposed ? from.height : from.width,
                                          transposed ? from.width : from.height, error);
    if (status != KILN_OK) {
        return status;
    }
    for (size_t v = 0; v < to.height; v++) {
        for (size_t u = 0; u < to.width; u++) {
            size_t x = transposed ? v : u, y = transposed ? u : v;
            x = mirror_x ? from.width - 1 - x : x;
            y = mirror_y ? from.height - 1 - y : y;
            memcpy(to.rgb + (v * to.width + u) * 3, from.rgb + (y * from.width + x) * 3, 3);
        }
    }
    picture_free(inout_picture);
    *inout_picture = to;
    return KILN_OK;
}
