/* What an app most often wants, each in a few lines:
 *
 *   short labels NET.plan WIDTH HEIGHT FRAME.nv21             what is on a camera's frame
 *   short names FACES.plan WIDTH HEIGHT FRAME.nv21            who is (kiln train --bundle)
 *   short alike NET.plan WIDTH HEIGHT FRAME.nv21 FRAME.nv21   how alike two frames are
 */
#include <kiln/answer.h>
#include <kiln/namer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A camera's frame (NV21, as Android gives it) to labels. */
static kiln_status labels(kiln_session *session, const uint8_t *nv21, uint32_t width,
                          uint32_t height, kiln_error *error) {
    kiln_answer best[5];
    size_t count;
    const kiln_image frame = {KILN_IMAGE_NV21, width, height, nv21, .stride = width};
    kiln_status status = kiln_classify(session, &frame, best, 5, &count, error);
    for (size_t k = 0; k < count; k++)
        printf("%s %.3f\n", best[k].label, (double)best[k].score);
    return status;
}

/* To names. */
static kiln_status names(kiln_namer *namer, const uint8_t *nv21, uint32_t width, uint32_t height,
                         kiln_error *error) {
    kiln_named_face faces[8];
    size_t count;
    const kiln_image frame = {KILN_IMAGE_NV21, width, height, nv21, .stride = width};
    kiln_status status = kiln_namer_run(namer, &frame, faces, 8, &count, error);
    for (size_t k = 0; k < count; k++)
        printf("%s %.3f\n", faces[k].known ? faces[k].name : "?", (double)faces[k].similarity);
    return status;
}

/* How alike two images are to a network of 256 features. */
static float alike(kiln_session *session, const kiln_image *a, const kiln_image *b,
                   kiln_error *error) {
    float features[2][256];
    if (kiln_embed(session, a, features[0], 256, error) != KILN_OK ||
        kiln_embed(session, b, features[1], 256, error) != KILN_OK)
        return -1;
    return kiln_similarity(features[0], features[1], 256);
}

static uint8_t *load(const char *path, size_t bytes) {
    uint8_t *pixels = malloc(bytes);
    FILE *file = fopen(path, "rb");
    if (pixels == NULL || file == NULL || fread(pixels, 1, bytes, file) != bytes) {
        fprintf(stderr, "short: %s: not a frame of %zu bytes\n", path, bytes);
        exit(EXIT_FAILURE);
    }
    (void)fclose(file);
    return pixels;
}

int main(int argc, char **argv) {
    kiln_plan *plan = NULL;
    kiln_session *session = NULL;
    kiln_namer *namer = NULL;
    kiln_error error = {0};
    if (argc < 6 || (strcmp(argv[1], "alike") == 0 && argc < 7))
        return fputs("usage: short labels|names|alike PLAN WIDTH HEIGHT FRAME.nv21...\n", stderr);
    uint32_t width = (uint32_t)strtoul(argv[3], NULL, 10),
             height = (uint32_t)strtoul(argv[4], NULL, 10);
    size_t bytes = (size_t)width * height + (size_t)2 * ((width + 1) / 2) * ((height + 1) / 2);
    uint8_t *a = load(argv[5], bytes), *b = load(argv[argc - 1], bytes);
    const kiln_image first = {KILN_IMAGE_NV21, width, height, a, .stride = width};
    const kiln_image second = {KILN_IMAGE_NV21, width, height, b, .stride = width};
    kiln_status status = kiln_plan_open(argv[2], NULL, &plan, &error);
    if (status == KILN_OK && strcmp(argv[1], "names") == 0) {
        status = kiln_namer_open(plan, NULL, &namer, &error);
        if (status == KILN_OK)
            status = names(namer, a, width, height, &error);
    } else if (status == KILN_OK) {
        status = kiln_session_create(plan, NULL, &session, &error);
        if (status == KILN_OK && strcmp(argv[1], "labels") == 0)
            status = labels(session, a, width, height, &error);
        else if (status == KILN_OK)
            printf("%.4f\n", (double)alike(session, &first, &second, &error));
    }
    if (status != KILN_OK)
        fprintf(stderr, "short: %s\n", error.message);
    kiln_namer_close(namer);
    kiln_session_destroy(session);
    kiln_plan_close(plan);
    free(a);
    free(b);
    return status == KILN_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
