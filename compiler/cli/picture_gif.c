/* GIF through giflib: the first frame on its screen. */
#include "compiler/cli/picture.h"

#include <stdlib.h>
#include <string.h>

#include <gif_lib.h>

static int read_bytes(GifFileType *gif, GifByteType *out, int size) {
    kiln_span *rest = gif->UserData;
    size_t wanted = size > 0 ? (size_t)size : 0;
    size_t count = wanted < rest->size ? wanted : rest->size;
    if (count > 0) {
        memcpy(out, rest->data, count);
    }
    rest->data = (const uint8_t *)rest->data + count;
    rest->size -= count;
    return (int)count;
}

static kiln_status refuse(int code, kiln_error *error) {
    const char *why = GifErrorString(code);
    return code == D_GIF_ERR_NOT_ENOUGH_MEM
               ? kiln_fail(error, KILN_ERROR_MEMORY, "out of memory")
               : kiln_fail(error, KILN_ERROR_FORMAT, "GIF: %s", why != NULL ? why : "no picture");
}

/* Goes to the first frame, past what stands before it. */
static kiln_status find_frame(GifFileType *gif, kiln_error *error) {
    GifRecordType type = UNDEFINED_RECORD_TYPE;
    while (DGifGetRecordType(gif, &type) == GIF_OK && type == EXTENSION_RECORD_TYPE) {
        int code;
        GifByteType *block;
        if (DGifGetExtension(gif, &code, &block) == GIF_ERROR) {
            return refuse(gif->Error, error);
        }
        while (block != NULL) {
            if (DGifGetExtensionNext(gif, &block) == GIF_ERROR) {
                return refuse(gif->Error, error);
            }
        }
    }
    return type == IMAGE_DESC_RECORD_TYPE && DGifGetImageDesc(gif) == GIF_OK
               ? KILN_OK
               : refuse(gif->Error, error);
}

static void write_row(const GifPixelType *row, size_t width, const ColorMapObject *colours,
                      uint8_t *rgb) {
    for (size_t x = 0; x < width; x++) {
        size_t index = row[x] < colours->ColorCount ? row[x] : 0;
        const GifColorType *colour = &colours->Colors[index];
        rgb[x * 3] = colour->Red;
        rgb[x * 3 + 1] = colour->Green;
        rgb[x * 3 + 2] = colour->Blue;
    }
}

/* What the frame leaves free: the background, where there is a palette for it. */
static void fill(const GifFileType *gif, rgb_picture *picture) {
    const ColorMapObject *colours = gif->SColorMap;
    size_t pixels = (size_t)picture->width * picture->height;
    GifPixelType background = (GifPixelType)gif->SBackGroundColor;
    memset(picture->rgb, 0, pixels * 3);
    for (size_t k = 0; colours != NULL && colours->ColorCount > 0 && k < pixels; k++) {
        write_row(&background, 1, colours, picture->rgb + k * 3);
    }
}

/* Row k of `height` in the order of an interlaced file (GIF89a, appendix E). */
static size_t interlaced(size_t k, size_t height) {
    static const size_t first[4] = {0, 4, 2, 1}, step[4] = {8, 8, 4, 2};
    for (size_t pass = 0; pass < 4; pass++) {
        size_t rows =
            height > first[pass] ? (height - first[pass] + step[pass] - 1) / step[pass] : 0;
        if (k < rows) {
            return first[pass] + k * step[pass];
        }
        k -= rows;
    }
    return 0;
}

static kiln_status read_rows(GifFileType *gif, rgb_picture *out_picture, kiln_error *error) {
    const GifImageDesc *frame = &gif->Image;
    const ColorMapObject *colours = frame->ColorMap != NULL ? frame->ColorMap : gif->SColorMap;
    size_t width = (size_t)frame->Width, height = (size_t)frame->Height;
    if (colours == NULL || colours->ColorCount == 0) {
        return kiln_fail(error, KILN_ERROR_FORMAT, "GIF: no palette");
    }
    GifPixelType *row = malloc(width);
    if (row == NULL) {
        return kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    }
    fill(gif, out_picture);
    kiln_status status = KILN_OK;
    for (size_t k = 0; k < height && status == KILN_OK; k++) {
        size_t y = (size_t)frame->Top + (frame->Interlace ? interlaced(k, height) : k);
        if (DGifGetLine(gif, row, frame->Width) == GIF_ERROR) {
            status = refuse(gif->Error, error);
        } else {
            write_row(row, width, colours,
                      out_picture->rgb + (y * out_picture->width + (size_t)frame->Left) * 3);
        }
    }
    free(row);
    return status;
}

/* The screen, or what the frame needs where that is more, as browsers do. */
static kiln_status decode(GifFileType *gif, kiln_span file, rgb_picture *out_picture,
                          kiln_error *error) {
    kiln_status status = find_frame(gif, error);
    if (status != KILN_OK) {
        return status;
    }
    const GifImageDesc *frame = &gif->Image;
    if (frame->Left < 0 || frame->Top < 0 || frame->Width <= 0 || frame->Height <= 0) {
        return kiln_fail(error, KILN_ERROR_FORMAT, "the picture is empty");
    }
    int right = frame->Left + frame->Width, bottom = frame->Top + frame->Height;
    int width = gif->SWidth > right ? gif->SWidth : right;
    int height = gif->SHeight > bottom ? gif->SHeight : bottom;
    status = picture_begin(file, out_picture, (uint64_t)width, (uint64_t)height, error);
    return status == KILN_OK ? read_rows(gif, out_picture, error) : status;
}

kiln_status picture_decode_gif(kiln_span bytes, rgb_picture *out_picture, kiln_error *error) {
    kiln_span rest = bytes;
    int code = 0;
    GifFileType *gif = DGifOpen(&rest, read_bytes, &code);
    if (gif == NULL) {
        return refuse(code, error);
    }
    kiln_status status = decode(gif, bytes, out_picture, error);
    (void)DGifCloseFile(gif, NULL);
    return status;
}
