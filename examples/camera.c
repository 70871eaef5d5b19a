/* A loop over a camera's frames: who is on each, and how long that took.
 *
 *   camera FACES.plan VIDEO.y4m      a plan of kiln train --detector FILE --bundle
 *   ffmpeg -i clip.mp4 -pix_fmt yuv420p -f yuv4mpegpipe - | camera FACES.plan -
 *
 * An app has its frames from the camera instead, as NV21 or NV12, and may be told their rotation:
 * that is another kiln_image, and no more. */
#include <kiln/namer.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { FACES = 8, LINE = 1024, LARGEST = 8192 };

/* YUV4MPEG2's header: "YUV4MPEG2 W640 H480 F30:1 C420jpeg XCOLORRANGE=FULL". */
static bool read_header(FILE *file, kiln_image *out_frame) {
    char line[LINE];
    if (fgets(line, sizeof line, file) == NULL || strncmp(line, "YUV4MPEG2 ", 10) != 0)
        return false;
    const char *width = strstr(line, " W"), *height = strstr(line, " H"), *c = strstr(line, " C");
    long w = width != NULL ? strtol(width + 2, NULL, 10) : 0;
    long h = height != NULL ? strtol(height + 2, NULL, 10) : 0;
    bool full = strstr(line, "XCOLORRANGE=FULL") != NULL;
    bool deep = c != NULL && (strncmp(c, " C420", 5) != 0 || strncmp(c, " C420p1", 7) == 0);
    *out_frame = (kiln_image){.format = KILN_IMAGE_I420,
                              .width = (uint32_t)w,
                              .height = (uint32_t)h,
                              .stride = (size_t)w,
                              .colour = full ? KILN_COLOUR_JPEG : KILN_COLOUR_BT601};
    return w > 0 && h > 0 && w <= LARGEST && h <= LARGEST && !deep;
}

static bool read_frame(FILE *file, uint8_t *pixels, size_t bytes) {
    char line[LINE];
    return fgets(line, sizeof line, file) != NULL && strncmp(line, "FRAME", 5) == 0 &&
           fread(pixels, 1, bytes, file) == bytes;
}

static double now(void) {
    struct timespec t;
    (void)timespec_get(&t, TIME_UTC);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static kiln_status watch(kiln_namer *namer, FILE *file, kiln_error *error) {
    kiln_image frame;
    if (!read_header(file, &frame))
        return kiln_fail(error, KILN_ERROR_FORMAT, "no YUV4MPEG2 video of 8 bits, 4:2:0");
    size_t half = (size_t)((frame.width + 1) / 2) * ((frame.height + 1) / 2);
    size_t bytes = frame.stride * frame.height + 2 * half, count = 0;
    uint8_t *pixels = malloc(bytes);
    kiln_named_face faces[FACES];
    kiln_status status =
        pixels != NULL ? KILN_OK : kiln_fail(error, KILN_ERROR_MEMORY, "no memory");
    frame.pixels = pixels;
    for (unsigned number = 1; status == KILN_OK && read_frame(file, pixels, bytes); number++) {
        double start = now();
        status = kiln_namer_run(namer, &frame, faces, FACES, &count, error);
        printf("frame %u, %.1f ms:", number, now() - start);
        for (size_t k = 0; k < count; k++)
            printf(" %s (%.2f) at %.0f,%.0f", faces[k].known ? faces[k].name : "unknown",
                   (double)faces[k].similarity, (double)faces[k].face.left,
                   (double)faces[k].face.top);
        putchar('\n');
    }
    free(pixels);
    return status;
}

int main(int argc, char **argv) {
    kiln_plan *plan = NULL;
    kiln_namer *namer = NULL;
    kiln_error error;
    if (argc != 3)
        return fputs("usage: camera FACES.plan VIDEO.y4m (or - for standard input)\n", stderr);
    FILE *file = strcmp(argv[2], "-") == 0 ? stdin : fopen(argv[2], "rb");
    kiln_status status = file != NULL ? kiln_plan_open(argv[1], NULL, &plan, &error)
                                      : kiln_fail(&error, KILN_ERROR_IO, "cannot open the video");
    if (status == KILN_OK)
        status = kiln_namer_open(plan, NULL, &namer, &error);
    if (status == KILN_OK)
        status = watch(namer, file, &error);
    if (status != KILN_OK)
        fprintf(stderr, "camera: %s\n", error.message);
    kiln_namer_close(namer);
    kiln_plan_close(plan);
    return file != NULL && fclose(file) == 0 && status == KILN_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
