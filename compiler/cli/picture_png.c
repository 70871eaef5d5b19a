/* PNG through libpng: any bit depth, palette, gray, interlaced; to 8-bit RGB. */
#include "compiler/cli/picture.h"

#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#define MAX_CHUNK_BYTES (64u << 20)

typedef struct source {
    kiln_span rest, whole;
    kiln_error *error;
    bool out_of_memory;
    png_bytep *rows; /* owned; here so that it survives a jump */
} source;

static void on_error(png_structp png, png_const_charp message) {
    const source *from = png_get_error_ptr(png);
    if (from->out_of_memory) {
        kiln_fail(from->error, KILN_ERROR_MEMORY, "out of memory");
    } else {
        kiln_fail(from->error, KILN_ERROR_FORMAT, "PNG: %s", message);
    }
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp message) {
    (void)png;
    (void)message;
}

/* libpng's own, but it remembers. */
static png_voidp allocate(png_structp png, png_alloc_size_t size) {
    source *from = png_get_mem_ptr(png);
    void *memory = malloc(size);
    from->out_of_memory = from->out_of_memory || memory == NULL;
    return memory;
}

static void release(png_structp png, png_voidp memory) {
    (void)png;
    free(memory);
}

static void read_bytes(png_structp png, png_bytep out, size_t size) {
    source *from = png_get_io_ptr(png);
    if (size > from->rest.size) {
        png_error(png, "the file is cut short");
    }
    memcpy(out, from->rest.data, size);
    from->rest.data = (const uint8_t *)from->rest.data + size;
    from->rest.size -= size;
}

static void expect_rgb8(png_structp png, png_infop info) {
    png_set_expand(png);
    png_set_scale_16(png);
    png_set_gray_to_rgb(png);
    png_set_strip_alpha(png);
    (void)png_set_interlace_handling(png);
    png_read_update_info(png, info);
}

/* PNG 1.2 extensions 1.5.0, chunk eXIf. */
static unsigned orientation_of(png_structp png, png_infop info) {
    unsigned orientation = 1;
#ifdef PNG_eXIf_SUPPORTED
    png_uint_32 size = 0;
    png_bytep exif = NULL;
    if (png_get_eXIf_1(png, info, &size, &exif) != 0) {
        orientation = picture_tiff_orientation((kiln_span){exif, size});
    }
#endif
    return orientation;
}

/* Texts, profiles and the like are not even looked at: what is packed in some KB of them takes
 * hundreds of MB. */
static void skip_chunks(png_structp png) {
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, NULL, -1); /* all but critical ones */
#ifdef PNG_eXIf_SUPPORTED
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_AS_DEFAULT, (png_const_bytep) "eXIf", 1);
#endif
}

/* Everything that may jump. Nothing here owns memory across a jump but what lies in *from and
 * *out_picture. */
static kiln_status decode(png_structp png, png_infop info, source *from, rgb_picture *out_picture,
                          unsigned *out_orientation) {
    if (setjmp(png_jmpbuf(png)) != 0) {
        return from->out_of_memory ? KILN_ERROR_MEMORY : KILN_ERROR_FORMAT;
    }
    png_set_read_fn(png, from, read_bytes);
    skip_chunks(png);
    /* Larger pictures are refused by picture_allocate, with our own words. */
    png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_chunk_malloc_max(png, from->whole.size < MAX_CHUNK_BYTES ? from->whole.size
                                                                     : MAX_CHUNK_BYTES);
    png_read_info(png, info);
    uint32_t width = png_get_image_width(png, info), height = png_get_image_height(png, info);
    kiln_status status = picture_begin(from->whole, out_picture, width, height, from->error);
    if (status != KILN_OK) {
        return status;
    }
    expect_rgb8(png, info);
    if (png_get_rowbytes(png, info) != (size_t)width * 3) {
        png_error(png, "unexpected pixel format");
    }
    from->rows = malloc(height * sizeof *from->rows);
    if (from->rows == NULL) {
        return kiln_fail(from->error, KILN_ERROR_MEMORY, "out of memory");
    }
    for (size_t y = 0; y < height; y++) {
        from->rows[y] = out_picture->rgb + y * width * 3;
    }
    png_read_image(png, from->rows);
    png_read_end(png, info); /* EXIF may come last */
    *out_orientation = orientation_of(png, info);
    return KILN_OK;
}

kiln_status picture_decode_png(kiln_span bytes, rgb_picture *out_picture, kiln_error *error) {
    source from = {.rest = bytes, .whole = bytes, .error = error};
    unsigned orientation = 1;
    png_structp png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, &from, on_error, on_warning,
                                               &from, allocate, release);
    png_infop info = png != NULL ? png_create_info_struct(png) : NULL;
    kiln_status status = info != NULL ? decode(png, info, &from, out_picture, &orientation)
                                      : kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    png_destroy_read_struct(&png, &info, NULL);
    free(from.rows);
    return status == KILN_OK ? picture_orient(out_picture, orientation, error) : status;
}
