/* BMP, not compressed: of 1, 4 and 8 bits with a palette, of 16, 24 and 32 bits, also with masks.
 * https://learn.microsoft.com/windows/win32/gdi/bitmap-storage. Read here, since no small library
 * of Debian's does. */
#include "compiler/cli/picture.h"

#include <string.h>

enum { FILE_HEADER = 14, OS2_HEADER = 12, INFO_HEADER = 40 };
enum { METHOD_NONE = 0, METHOD_MASKS = 3, METHOD_ALPHA_MASKS = 6 };

typedef struct bmp {
    const uint8_t *data;
    size_t size;
    uint32_t header; /* bytes of the second header */
    uint64_t width, height;
    bool top_down;
    uint32_t bits, method;
    uint32_t masks[3];              /* red, green, blue; of 16 and 32 bits */
    const uint8_t *palette;         /* blue, green, red, and with the larger header one more */
    uint32_t colours, colour_bytes; /* of the palette */
    size_t pixels_at, stride;
} bmp;

static uint32_t read16(const uint8_t *at) {
    return at[0] | (uint32_t)at[1] << 8;
}

static uint32_t read32(const uint8_t *at) {
    return read16(at) | read16(at + 2) << 16;
}

static kiln_status damaged(const char *what, kiln_error *error) {
    return kiln_fail(error, KILN_ERROR_FORMAT, "BMP: %s", what);
}

/* The header has 40 bytes or more, and they are there. */
static void read_sizes(bmp *b) {
    const uint8_t *at = b->data + FILE_HEADER;
    int32_t width = (int32_t)read32(at + 4), height = (int32_t)read32(at + 8);
    b->width = width > 0 ? (uint64_t)width : 0;
    b->top_down = height < 0;
    b->height = (uint64_t)(height < 0 ? -(int64_t)height : height);
    b->bits = read16(at + 14);
    b->method = read32(at + 16);
    b->colours = read32(at + 32);
}

static kiln_status read_header(bmp *b, kiln_error *error) {
    const uint8_t *at = b->data + FILE_HEADER;
    b->header = read32(at);
    b->pixels_at = read32(b->data + 10);
    bool known = b->header == OS2_HEADER || (b->header >= INFO_HEADER && b->header <= 124);
    if (!known || b->size < FILE_HEADER + (size_t)b->header) {
        return damaged("damaged header", error);
    }
    if (b->header == OS2_HEADER) {
        b->width = read16(at + 4);
        b->height = read16(at + 6);
        b->bits = read16(at + 10);
    } else {
        read_sizes(b);
    }
    bool masked = b->method == METHOD_MASKS || b->method == METHOD_ALPHA_MASKS;
    if (b->method != METHOD_NONE && !masked) {
        return kiln_fail(error, KILN_ERROR_UNSUPPORTED,
                         "a compressed BMP (method %u): only those without compression are read",
                         b->method);
    }
    bool depth = b->bits == 1 || b->bits == 4 || b->bits == 8 || b->bits == 24 || b->bits == 16 ||
                 b->bits == 32;
    return depth && (!masked || b->bits == 16 || b->bits == 32)
               ? KILN_OK
               : kiln_fail(error, KILN_ERROR_UNSUPPORTED, "a BMP of %u bits a pixel", b->bits);
}

/* Of 16 and 32 bits; the shorter header has masks behind it, the longer ones in it: at one place.
 */
static kiln_status read_masks(bmp *b, kiln_error *error) {
    static const uint32_t usual[2][3] = {{0x7c00, 0x03e0, 0x001f}, {0xff0000, 0xff00, 0xff}};
    memcpy(b->masks, usual[b->bits == 32], sizeof b->masks);
    if (b->method != METHOD_NONE) {
        if (b->size < FILE_HEADER + INFO_HEADER + 12) {
            return damaged("cut short", error);
        }
        for (size_t c = 0; c < 3; c++) {
            b->masks[c] = read32(b->data + FILE_HEADER + INFO_HEADER + 4 * c);
        }
    }
    return KILN_OK;
}

static kiln_status read_palette(bmp *b, kiln_error *error) {
    uint32_t most = 1u << b->bits;
    b->colour_bytes = b->header == OS2_HEADER ? 3 : 4;
    b->colours = b->colours == 0 || b->colours > most ? most : b->colours;
    size_t at = FILE_HEADER + (size_t)b->header;
    size_t room = (b->size - at) / b->colour_bytes;
    b->colours = b->colours < room ? b->colours : (uint32_t)room;
    b->palette = b->data + at;
    return b->colours > 0 ? KILN_OK : damaged("no palette", error);
}

/* What the mask lets through, scaled to 0..255. */
static uint8_t masked(uint32_t pixel, uint32_t mask) {
    if (mask == 0) {
        return 0;
    }
    uint32_t lowest = mask & (~mask + 1);
    uint64_t most = mask / lowest, value = (pixel & mask) / lowest;
    return (uint8_t)((value * 255 + most / 2) / most);
}

static void read_pixel(const bmp *b, const uint8_t *row, size_t x, uint8_t *rgb) {
    if (b->bits == 24) {
        const uint8_t *at = row + x * 3;
        rgb[0] = at[2];
        rgb[1] = at[1];
        rgb[2] = at[0];
    } else if (b->bits >= 16) {
        uint32_t pixel = b->bits == 16 ? read16(row + x * 2) : read32(row + x * 4);
        for (size_t c = 0; c < 3; c++) {
            rgb[c] = masked(pixel, b->masks[c]);
        }
    } else {
        size_t bit = x * b->bits;
        uint32_t index = (uint32_t)row[bit / 8] >> (8 - b->bits - bit % 8) & ((1u << b->bits) - 1);
        const uint8_t *at = b->palette + (size_t)(index < b->colours ? index : 0) * b->colour_bytes;
        rgb[0] = at[2];
        rgb[1] = at[1];
        rgb[2] = at[0];
    }
}

kiln_status picture_decode_bmp(kiln_span bytes, rgb_picture *out_picture, kiln_error *error) {
    bmp b = {.data = bytes.data, .size = bytes.size};
    kiln_status status = read_header(&b, error);
    if (status == KILN_OK && b.bits <= 8) {
        status = read_palette(&b, error);
    } else if (status == KILN_OK && b.bits != 24) {
        status = read_masks(&b, error);
    }
    if (status == KILN_OK) {
        status = picture_begin(bytes, out_picture, b.width, b.height, error);
    }
    if (status != KILN_OK) {
        return status;
    }
    b.stride = (size_t)((b.width * b.bits + 31) / 32 * 4);
    if (b.pixels_at > b.size || (b.size - b.pixels_at) / b.stride < b.height) {
        return damaged("cut short", error);
    }
    for (size_t y = 0; y < b.height; y++) {
        size_t row = b.top_down ? y : (size_t)b.height - 1 - y;
        const uint8_t *from = b.data + b.pixels_at + row * b.stride;
        for (size_t x = 0; x < b.width; x++) {
            read_pixel(&b, from, x, out_picture->rgb + (y * b.width + x) * 3);
        }
    }
    return KILN_OK;
}
