/* A photograph in, names out: recognise FACES.plan PHOTOGRAPH.jpg, with a plan of kiln train that
 * has its detector (--detector FILE --bundle). kiln_detector_create opens one that is apart. */
#include <stdio.h>

#include <jpeglib.h>
#include <kiln/faces.h>
#include <stdlib.h>

static kiln_error error;
static void need(kiln_status status) {
    if (status != KILN_OK && fprintf(stderr, "recognise: %s\n", error.message) > 0)
        exit(EXIT_FAILURE);
}

static kiln_image load(FILE *file) {
    struct jpeg_error_mgr errors;
    struct jpeg_decompress_struct jpeg = {.err = jpeg_std_error(&errors)};
    jpeg_create_decompress(&jpeg);
    jpeg_stdio_src(&jpeg, file);
    (void)jpeg_read_header(&jpeg, TRUE);
    jpeg.out_color_space = JCS_RGB;
    (void)jpeg_start_decompress(&jpeg);
    kiln_image image = {.format = KILN_IMAGE_RGB, .width = jpeg.output_width};
    image.height = jpeg.output_height, image.stride = (size_t)image.width * 3;
    JSAMPROW row = malloc(image.stride * image.height);
    for (image.pixels = row; row && jpeg.output_scanline < image.height;)
        row += jpeg_read_scanlines(&jpeg, &row, 1) * image.stride;
    jpeg_destroy_decompress(&jpeg);
    return image;
}

int main(int argc, char **argv) {
    kiln_plan *plan;
    kiln_detector *detector;
    kiln_recogniser *recogniser;
    kiln_face faces[16];
    size_t count;
    FILE *file = argc == 3 ? fopen(argv[2], "rb") : NULL;
    need(file ? KILN_OK : kiln_fail(&error, KILN_ERROR_IO, "expected a plan and a photograph"));
    need(kiln_plan_open(argv[1], NULL, &plan, &error));
    need(kiln_detector_open_bundled(plan, NULL, &detector, &error));
    need(kiln_recogniser_create(detector, plan, NULL, &recogniser, &error));
    kiln_image photograph = load(file);
    size_t labels = kiln_recogniser_numbers(recogniser);
    float *scores = calloc(16 * labels, sizeof *scores);
    need(kiln_recogniser_run(recogniser, &photograph, faces, scores, 16, &count, &error));
    for (size_t k = 0; k < count; k++) {
        const float *row = scores + k * labels, *best = row;
        for (size_t c = 1; c < labels; c++)
            best = row[c] > *best ? row + c : best;
        printf("%s (%.2f) at %.0f, %.0f\n", kiln_plan_label(plan, (size_t)(best - row)),
               (double)*best, (double)faces[k].left, (double)faces[k].top);
    }
    kiln_recogniser_destroy(recogniser);
    kiln_detector_destroy(detector);
    kiln_plan_close(plan);
    free(scores);
    free((void *)photograph.pixels);
    return fclose(file);
}
