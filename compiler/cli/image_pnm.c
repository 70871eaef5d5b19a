/* Binary PGM (P5) and PPM (P6): https://netpbm.sourceforge.net/doc/ppm.html. */
#include "compiler/cli/image.h"

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

kiln_status image_decode_pnm(kiln_span bytes, image *out_image, kiln_error *error) {
    const uint8_t *data = bytes.data;
    reader r = {data + 2, data + bytes.size};
    size_t channels = data[1] == '6' ? 3 : 1;
    uint64_t width = 0, height = 0, maximum = 0;
    if (!read_number(&r, &width) || !read_number(&r, &height) || !read_number(&r, &maximum) ||
        maximum == 0 || maximum > 65535 || r.at == r.end || !is_space(*r.at++)) {
        return kiln_fail(error, KILN_ERROR_FORMAT, "damaged PGM or PPM header");
    }
    kiln_status status = image_allocate(out_image, width, height, error);
    if (status != KILN_OK) {
        return status;
    }
    bool wide = maximum > 255;
    size_t pixels = (size_t)(width * height), step = wide ? 2 : 1;
    if ((size_t)(r.end - r.at) < pixels * channels * step) {
        return kiln_fail(error, KILN_ERROR_FORMAT, "the PGM or PPM file is cut short");
    }
    for (size_t p = 0; p < pixels; p++) {
        for (size_t c = 0; c < 3; c++) {
            const uint8_t *at = r.at + (p * channels + (channels == 3 ? c : 0)) * step;
            out_image->rgb[p * 3 + c] = sample(at, wide, (uint32_t)maximum);
        }
    }
    return KILN_OK;
}
