/* What finding and aligning cost beside the two networks: a photograph's pixels to the features of
 * its faces (kiln_recogniser_run), beside the detector's and the network's sessions alone, each as
 * often. The least time of each, in turns.
 *
 *   pipeline DETECTOR.plan NETWORK.plan PHOTOGRAPH [ROUNDS] [THREADS] */
#include "compiler/cli/picture.h"
#include <kiln/faces.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { MOST_FACES = 64 };

static kiln_error error;

static void need(kiln_status status) {
    if (status != KILN_OK) {
        fprintf(stderr, "pipeline: %s\n", error.message);
        exit(EXIT_FAILURE);
    }
}

static double now(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

/* A network with buffers of its own. */
typedef struct alone {
    kiln_session *session;
    kiln_buffer input, outputs[16];
    size_t output_count;
} alone;

static alone open_alone(const kiln_plan *plan, uint32_t threads) {
    alone a = {.output_count = kiln_plan_output_count(plan)};
    kiln_session_options options;
    kiln_tensor_info info;
    kiln_session_options_init(&options);
    options.threads = threads;
    need(kiln_session_create(plan, &options, &a.session, &error));
    need(kiln_plan_input(plan, 0, &info));
    a.input = (kiln_buffer){calloc(1, info.bytes), info.bytes};
    for (size_t k = 0; k < a.output_count && k < 16; k++) {
        need(kiln_plan_output(plan, k, &info));
        a.outputs[k] = (kiln_buffer){calloc(1, info.bytes), info.bytes};
    }
    return a;
}

static double time_alone(const alone *a) {
    double begin = now();
    need(kiln_session_run(a->session, 1, &a->input, 1, a->outputs, a->output_count, &error));
    return now() - begin;
}

static void close_alone(alone *a) {
    kiln_session_destroy(a->session);
    free(a->input.data);
    for (size_t k = 0; k < 16; k++) {
        free(a->outputs[k].data);
    }
}

static double least(double a, double b) {
    return a < b ? a : b;
}

static void measure(kiln_recogniser *recogniser, const kiln_image *image, const alone *finds,
                    const alone *embeds, long rounds) {
    double all = 1e9, finding = 1e9, embedding = 1e9;
    kiln_face faces[MOST_FACES];
    float *numbers = calloc(MOST_FACES * kiln_recogniser_numbers(recogniser), sizeof *numbers);
    size_t count = 0;
    for (long k = 0; k < rounds && numbers != NULL; k++) {
        finding = least(finding, time_alone(finds));
        embedding = least(embedding, time_alone(embeds));
        double begin = now();
        need(kiln_recogniser_run(recogniser, image, faces, numbers, MOST_FACES, &count, &error));
        all = least(all, now() - begin);
    }
    double networks = finding + (double)count * embedding;
    printf("%zu faces: %.3f ms; the networks alone %.3f (%.3f and %.3f a face): %.3f\n", count, all,
           networks, finding, embedding, all / networks);
    free(numbers);
}

int main(int argc, char **argv) {
    kiln_plan *finds = NULL, *embeds = NULL;
    kiln_detector *detector = NULL;
    kiln_recogniser *recogniser = NULL;
    rgb_picture picture = {0};
    if (argc < 4) {
        fputs("pipeline DETECTOR.plan NETWORK.plan PHOTOGRAPH [ROUNDS] [THREADS]\n", stderr);
        return 2;
    }
    long rounds = argc > 4 ? strtol(argv[4], NULL, 10) : 100;
    uint32_t threads = argc > 5 ? (uint32_t)strtoul(argv[5], NULL, 10) : 1;
    need(kiln_plan_open(argv[1], NULL, &finds, &error));
    need(kiln_plan_open(argv[2], NULL, &embeds, &error));
    need(picture_load(argv[3], &picture, &error));
    kiln_detector_options find = {.size = sizeof find, .threads = threads};
    kiln_recogniser_options embed = {.size = sizeof embed, .threads = threads};
    need(kiln_detector_create(finds, &find, &detector, &error));
    need(kiln_recogniser_create(detector, embeds, &embed, &recogniser, &error));
    kiln_image image = picture_image(&picture);
    alone finding = open_alone(finds, threads), embedding = open_alone(embeds, threads);
    measure(recogniser, &image, &finding, &embedding, rounds);
    close_alone(&finding);
    close_alone(&embedding);
    kiln_recogniser_destroy(recogniser);
    kiln_detector_destroy(detector);
    picture_free(&picture);
    kiln_plan_close(finds);
    kiln_plan_close(embeds);
    return 0;
}
