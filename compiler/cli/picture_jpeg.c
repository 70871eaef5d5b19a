/* JPEG through libjpeg (-turbo): baseline and progressive, gray, YCbCr, RGB, CMYK, YCCK. */
#include "compiler/cli/picture.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <jpeglib.h>

#include <jerror.h>

/* A progressive file may repeat scans for ever; no encoder writes more than some dozens. */
#define MAX_SCANS 500

typedef struct decoder {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf on_error;
    kiln_error *error;
    kiln_status status; /* what a jump is for */
    uint8_t *row;       /* owned; here so that it survives a jump */
} decoder;

static decoder *decoder_of(j_common_ptr jpeg) {
    return jpeg->client_data;
}

static void fail(j_common_ptr jpeg) {
    char message[JMSG_LENGTH_MAX];
    jpeg->err->format_message(jpeg, message);
    bool memory = jpeg->err->msg_code == JERR_OUT_OF_MEMORY;
    decoder_of(jpeg)->status =
        memory ? kiln_fail(decoder_of(jpeg)->error, KILN_ERROR_MEMORY, "out of memory")
               : kiln_fail(decoder_of(jpeg)->error, KILN_ERROR_FORMAT, "JPEG: %s", message);
    longjmp(decoder_of(jpeg)->on_error, 1);
}

/* libjpeg only warns about missing data and fills in gray: an answer computed from that would
 * mislead, so it is an error here. Other warnings are harmless oddities. */
static void on_message(j_common_ptr jpeg, int level) {
    int code = jpeg->err->msg_code;
    if (level < 0 && (code == JWRN_JPEG_EOF || code == JWRN_HIT_MARKER)) {
        fail(jpeg);
    }
}

static void on_output(j_common_ptr jpeg) {
    (void)jpeg;
}

static void on_progress(j_common_ptr jpeg) {
    decoder *d = decoder_of(jpeg);
    if (d->jpeg.input_scan_number > MAX_SCANS) {
        d->status =
            kiln_fail(d->error, KILN_ERROR_UNSUPPORTED, "JPEG: more than %d scans", MAX_SCANS);
        longjmp(d->on_error, 1);
    }
}

/* Adobe writes inks inverted: 255 is none. */
static void cmyk_to_rgb(const uint8_t *cmyk, size_t width, bool inverted, uint8_t *rgb) {
    for (size_t x = 0; x < width; x++, cmyk += 4, rgb += 3) {
        unsigned black = inverted ? cmyk[3] : 255u - cmyk[3];
        for (size_t c = 0; c < 3; c++) {
            unsigned ink = inverted ? cmyk[c] : 255u - cmyk[c];
            rgb[c] = (uint8_t)((ink * black + 127u) / 255u);
        }
    }
}

/* XMP has the same marker as EXIF and may stand before it. */
static unsigned orientation_of(const struct jpeg_decompress_struct *jpeg) {
    unsigned orientation = 1;
    for (jpeg_saved_marker_ptr m = jpeg->marker_list; m != NULL && orientation == 1; m = m->next) {
        if (m->marker == JPEG_APP0 + 1) {
            orientation = picture_exif_orientation((kiln_span){m->data, m->data_length});
        }
    }
    return orientation;
}

static kiln_status read_rows(decoder *d, rgb_picture *out_picture) {
    size_t width = d->jpeg.output_width;
    bool cmyk = d->jpeg.out_color_space == JCS_CMYK;
    while (d->jpeg.output_scanline < d->jpeg.output_height) {
        uint8_t *target = out_picture->rgb + d->jpeg.output_scanline * width * 3;
        JSAMPROW row = cmyk ? d->row : target;
        (void)jpeg_read_scanlines(&d->jpeg, &row, 1);
        if (cmyk) {
            cmyk_to_rgb(d->row, width, d->jpeg.saw_Adobe_marker, target);
        }
    }
    return KILN_OK;
}

/* Everything that may jump. Nothing here owns memory across a jump but what lies in *d and
 * *out_picture. */
static kiln_status decode(decoder *d, kiln_span bytes, rgb_picture *out_picture,
                          unsigned *out_orientation) {
    if (setjmp(d->on_error) != 0) {
        return d->status;
    }
    jpeg_create_decompress(&d->jpeg);
    d->jpeg.progress = &d->progress;
    jpeg_mem_src(&d->jpeg, bytes.data, bytes.size);
    jpeg_save_markers(&d->jpeg, JPEG_APP0 + 1, 0xffff);
    (void)jpeg_read_header(&d->jpeg, TRUE);
    kiln_status status =
        picture_begin(bytes, out_picture, d->jpeg.image_width, d->jpeg.image_height, d->error);
    if (status != KILN_OK) {
        return status;
    }
    bool inks = d->jpeg.jpeg_color_space == JCS_CMYK || d->jpeg.jpeg_color_space == JCS_YCCK;
    d->jpeg.out_color_space = inks ? JCS_CMYK : JCS_RGB;
    (void)jpeg_start_decompress(&d->jpeg);
    d->row = inks ? malloc((size_t)d->jpeg.output_width * 4) : NULL;
    if (inks && d->row == NULL) {
        return kiln_fail(d->error, KILN_ERROR_MEMORY, "out of memory");
    }
    status = read_rows(d, out_picture);
    *out_orientation = orientation_of(&d->jpeg);
    (void)jpeg_finish_decompress(&d->jpeg);
    return status;
}

kiln_status picture_decode_jpeg(kiln_span bytes, rgb_picture *out_picture, kiln_error *error) {
    decoder d = {.error = error};
    unsigned orientation = 1;
    d.jpeg.err = jpeg_std_error(&d.errors);
    d.jpeg.client_data = &d;
    d.errors.error_exit = fail;
    d.errors.emit_message = on_message;
    d.errors.output_message = on_output;
    d.progress.progress_monitor = on_progress;
    kiln_status status = decode(&d, bytes, out_picture, &orientation);
    jpeg_destroy_decompress(&d.jpeg);
    free(d.row);
    return status == KILN_OK ? picture_orient(out_picture, orientation, error) : status;
}
