/* Binary PGM (P5) and PPM (P6): https://netpbm.sourceforge.net/doc/ppm.html. */
#include "compiler/cli/picture.h"

#include <string.h>

typedef struct reader {
    const uint8_t *at, *end;
} reader;

static bool is_space(uint8_t c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The next number of the header, after white space and comments. */
static bool read_number(reader *r, uint64_t *out_number) {
    while (r->at < r->end && (is_space(*r->at) || *r->at == '#')) {
        if (*r->at++ == '#') {
            while (r->at < r->end && *r->at != '\n' && *r->at != '\r') {
                r->at++;
            }
        }
    }
    const uint8_t *start = r->at;
    uint64_t number = 0;
    while (r->at < r->end && *r->at >= '0' && *r->at <= '9' && number < UINT32_MAX) {
        number = number * 10 + (uint64_t)(*r->at++ - '0');
    }
    *out_number = number;
    return r->at > start;
}

/* A sample of one or two bytes (big-endian), scaled from 0..maximum to 0..255. */
static uint8_t sample(const uint8_t *at, bool wide, uint32_t maximum) {
    uint32_t value = wide ? (uint32_t)at[0] << 8 | at[1] : at[0];
    value = value < maximum ? value : maximum;
    return (uint8_t)((value * 255u + maximum / 2) / maximum);
}

/* Nearly all files have bytes up to 255, which need no division. */
static void read_pixels(const uint8_t *from, size_t pixels, size_t channels, uint32_t maximum,
                        uint8_t *rgb) {
    bool wide = maximum > 255, plain = maximum == 255;
    size_t step = wide ? 2 : 1, next = channels == 3 ? step : 0;
    if (plain && channels == 3) {
        memcpy(rgb, from, pixels * 3);
        return;
    }
    for (size_t p = 0; p < pixels; p++, rgb += 3) {
        const uint8_t *at = from + p * channels * step;
        for (size_t c = 0; c < 3; c++) {
            rgb[c] = plain ? *at : sample(at + c * next, wide, maximum);
        }
    }
}

kiln_status picture_decode_pnm(kiln_span bytes, rgb_picture *out_picture, kiln_error *error) {
    const uint8_t *data = bytes.data;
    reader r = {data + 2, data + bytes.size};
    size_t channels = data[1] == '6' ? 3 : 1;
    uint64_t width = 0, height = 0, maximum = 0;
    if (!read_number(&r, &width) || !read_number(&r, &height) || !read_number(&r, &maximum) ||
        maximum == 0 || maximum > 65535 || r.at == r.end || !is_space(*r.at++)) {
        return kiln_fail(error, KILN_ERROR_FORMAT, "damaged PGM or PPM header");
    }
    kiln_status status = picture_begin(bytes, out_picture, width, height, error);
    if (status != KILN_OK) {
        return status;
    }
    size_t pixels = (size_t)(width * height), step = maximum > 255 ? 2 : 1;
    if ((size_t)(r.end - r.at) < pixels * channels * step) {
        return kiln_fail(error, KILN_ERROR_FORMAT, "the PGM or PPM file is cut short");
    }
    read_pixels(r.at, pixels, channels, (uint32_t)maximum, out_picture->rgb);
    return KILN_OK;
}
