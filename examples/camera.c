/* A loop over a camera's frames: who is on each, and how long that took:
 *   camera FACES.plan VIDEO.y4m              a plan of kiln train --detector FILE --bundle
 *   camera FACES.plan FOLDER 640 480 [270]   files of NV21 frames, by their names; width, height
 *                                            and how far they are to be turned clockwise
 *   ffmpeg -i clip.mp4 -pix_fmt yuv420p -f yuv4mpegpipe - | camera FACES.plan /dev/stdin */
#include <glob.h>
#include <kiln/namer.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { FACES = 8, LINE = 1024, LARGEST = 8192 };

/* YUV4MPEG2's header: "YUV4MPEG2 W640 H480 F30:1 C420jpeg XCOLORRANGE=FULL". */
static kiln_image read_header(FILE *file) {
    char line[LINE] = "";
    bool video = fgets(line, LINE, file) != NULL && strncmp(line, "YUV4MPEG2 ", 10) == 0;
    const char *width = strstr(line, " W"), *height = strstr(line, " H"), *c = strstr(line, " C");
    bool full = strstr(line, "XCOLORRANGE=FULL") != NULL;
    bool deep = c != NULL && (strncmp(c, " C420", 5) != 0 || strncmp(c, " C420p1", 7) == 0);
    if (!video || width == NULL || height == NULL || deep)
        return (kiln_image){0};
    return (kiln_image){.format = KILN_IMAGE_I420,
                        .width = (uint32_t)strtoul(width + 2, NULL, 10),
                        .height = (uint32_t)strtoul(height + 2, NULL, 10),
                        .colour = full ? KILN_COLOUR_JPEG : KILN_COLOUR_BT601};
}

static bool read_frame(FILE *file, bool video, uint8_t *pixels, size_t bytes) {
    char line[LINE];
    return (!video || (fgets(line, LINE, file) != NULL && strncmp(line, "FRAME", 5) == 0)) &&
           fread(pixels, 1, bytes, file) == bytes;
}

static double now(void) {
    struct timespec t;
    (void)timespec_get(&t, TIME_UTC);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* Names the faces of a file's frames, which are as `frame` says or, without a width, a video's. */
static kiln_status watch(kiln_namer *namer, const char *path, kiln_image frame, kiln_error *error) {
    FILE *file = fopen(path, "rb");
    bool video = frame.width == 0;
    if (video && file != NULL)
        frame = read_header(file);
    size_t row = frame.width, chroma_row = (row + 1) / 2 * 2, count = 0, number = 0;
    size_t bytes = row * frame.height + chroma_row * ((frame.height + 1) / 2);
    bool sound = file != NULL && bytes > 0 && row <= LARGEST && frame.height <= LARGEST;
    uint8_t *pixels = sound ? malloc(bytes) : NULL;
    kiln_named_face faces[FACES];
    kiln_status status = KILN_OK;
    frame.pixels = pixels;
    frame.stride = row;
    while (pixels != NULL && status == KILN_OK && read_frame(file, video, pixels, bytes)) {
        double start = now();
        status = kiln_namer_run(namer, &frame, faces, FACES, &count, error);
        printf("%s, frame %zu, %.1f ms:", path, ++number, now() - start);
        for (size_t k = 0; k < count; k++)
            printf(" %s (%.2f) at %.0f,%.0f", faces[k].known ? faces[k].name : "unknown",
                   (double)faces[k].similarity, (double)faces[k].face.left,
                   (double)faces[k].face.top);
        putchar('\n');
    }
    free(pixels);
    if (file != NULL)
        (void)fclose(file);
    return number > 0 ? status
                      : kiln_fail(error, KILN_ERROR_FORMAT,
                                  "%s: no frame of that size, or no YUV4MPEG2 of 4:2:0", path);
}

int main(int argc, char **argv) {
    kiln_plan *plan = NULL;
    kiln_namer *namer = NULL;
    kiln_error error;
    char pattern[LINE];
    glob_t files = {0};
    kiln_image frame = {.format = KILN_IMAGE_NV21};
    if (argc != 3 && argc != 5 && argc != 6)
        return fputs("usage: camera FACES.plan VIDEO.y4m|FOLDER [WIDTH HEIGHT [TURN]]\n", stderr);
    frame.width = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 0;
    frame.height = argc > 3 ? (uint32_t)strtoul(argv[4], NULL, 10) : 0;
    frame.rotation = argc > 5 ? (uint32_t)strtoul(argv[5], NULL, 10) : 0;
    (void)snprintf(pattern, LINE, argc > 3 ? "%s/*" : "%s", argv[2]);
    kiln_status status = kiln_plan_open(argv[1], NULL, &plan, &error);
    if (status == KILN_OK)
        status = kiln_namer_open(plan, NULL, &namer, &error);
    if (status == KILN_OK && glob(pattern, GLOB_NOCHECK, NULL, &files) != 0)
        status = kiln_fail(&error, KILN_ERROR_IO, "cannot read %s", argv[2]);
    for (size_t k = 0; status == KILN_OK && k < files.gl_pathc; k++)
        status = watch(namer, files.gl_pathv[k], frame, &error);
    if (status != KILN_OK)
        fprintf(stderr, "camera: %s\n", error.message);
    globfree(&files);
    kiln_namer_close(namer);
    kiln_plan_close(plan);
    return status == KILN_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
