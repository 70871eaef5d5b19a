/* What an app asks of frames, for faults to be tried on: opens a plan as Android's assets are, with
 * a file of packed weights, looks inside, names people, makes one known and saves; and prints where
 * it failed.
 *
 *   api_app FACES.plan FRAME.nv21 WIDTH HEIGHT OUT.plan      a plan of kiln train --bundle */
#include <kiln/answer.h>
#include <kiln/namer.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TRY(call)                                                                                  \
    if (status == KILN_OK) {                                                                       \
        status = (call);                                                                           \
    }

enum { MOST = 4, FEATURES = 512, LABELS = 16 };

static void heed_nothing(void *context, const char *message) {
    (void)context;
    (void)message;
}

static kiln_status fail_by_errno(const char *path, kiln_error *error) {
    kiln_status status = errno == ENOMEM ? KILN_ERROR_MEMORY : KILN_ERROR_IO;
    return kiln_fail(error, status, "%s: %s", path, strerror(errno));
}

static kiln_status open_asset(const char *path, const char *prepacked, kiln_plan **out_plan,
                              kiln_error *error) {
    struct stat about;
    kiln_plan_options options = {.size = sizeof options, .log = heed_nothing};
    options.prepacked_path = prepacked;
    int file = open(path, O_RDONLY);
    kiln_status status =
        file >= 0 && fstat(file, &about) == 0
            ? kiln_plan_open_fd(file, 0, (uint64_t)about.st_size, &options, out_plan, error)
            : fail_by_errno(path, error);
    if (file >= 0) {
        (void)close(file);
    }
    return status;
}

/* Labels of the whole frame, and its features, by the plan and by the part before its head. */
static kiln_status answer(const kiln_plan *plan, const kiln_image *frame, kiln_error *error) {
    kiln_session *session = NULL, *cut_session = NULL;
    kiln_plan *cut = NULL;
    kiln_tensor_info info = {0};
    kiln_answer best[MOST];
    float features[FEATURES];
    size_t count = 0;
    const kiln_session_options options = {.size = sizeof options, .threads = 2, .profile = true};
    kiln_status status = kiln_session_create(plan, &options, &session, error);
    TRY(kiln_classify(session, frame, best, MOST, &count, error))
    for (size_t k = 0; k < count; k++) {
        printf("%s %.3f\n", best[k].label, (double)best[k].score);
    }
    TRY(kiln_people_cut(plan, &cut, error))
    TRY(kiln_plan_output(cut, 0, &info))
    TRY(kiln_session_create(cut, NULL, &cut_session, error))
    TRY(kiln_embed(cut_session, frame, features, info.bytes / sizeof *features, error))
    if (status == KILN_OK) {
        printf("%.3f\n", (double)kiln_similarity(features, features, info.bytes / 4));
    }
    kiln_session_destroy(cut_session);
    kiln_plan_close(cut);
    kiln_session_destroy(session);
    return status;
}

static kiln_status recognise(const kiln_plan *plan, const kiln_image *frame, kiln_error *error) {
    kiln_detector *detector = NULL;
    kiln_recogniser *recogniser = NULL;
    kiln_face faces[MOST];
    float numbers[MOST * LABELS];
    size_t count = 0;
    kiln_status status = kiln_detector_open_bundled(plan, NULL, &detector, error);
    TRY(kiln_recogniser_create(detector, plan, NULL, &recogniser, error))
    if (status == KILN_OK && kiln_recogniser_numbers(recogniser) > LABELS) {
        status = kiln_fail(error, KILN_ERROR_ARGUMENT, "too many labels");
    }
    TRY(kiln_recogniser_run(recogniser, frame, faces, numbers, MOST, &count, error))
    printf("%zu faces\n", count);
    kiln_recogniser_destroy(recogniser);
    kiln_detector_destroy(detector);
    return status;
}

/* All that changes a gallery, or asks it. */
static kiln_status ask_people(const kiln_plan *plan, kiln_error *error) {
    kiln_people *people = NULL;
    kiln_people_threshold threshold = {0};
    kiln_people_verdict verdicts[MOST];
    kiln_person_picture picture = {0};
    void *section = NULL;
    float features[FEATURES];
    size_t size = 0, count = 0;
    kiln_status status = kiln_people_open(plan, &people, error);
    TRY(kiln_people_picture(people, 0, 0, &picture, error))
    if (status == KILN_OK) {
        memcpy(features, picture.features, kiln_people_feature_count(people) * sizeof *features);
        features[0] += 1;
    }
    TRY(kiln_people_correct(people, kiln_people_name(people, 0), features, "a.jpg", error))
    TRY(kiln_people_add_stranger(people, features, 0, error))
    TRY(kiln_people_enrol(people, "zoe", features, 1, NULL, error))
    TRY(kiln_people_rename(people, "zoe", "yan", error))
    TRY(kiln_people_learn(people, error))
    TRY(kiln_people_decide(people, 0, &threshold, error))
    TRY(kiln_people_rank(people, features, NULL, 0, threshold.similarity, verdicts, MOST, &count,
                         error))
    TRY(kiln_people_forget(people, "yan", error))
    TRY(kiln_people_section(people, &section, &size, error))
    printf("%zu bytes, %zu people\n", size, count);
    kiln_free(section);
    kiln_people_close(people);
    return status;
}

/* Also that a gallery which could not take somebody is as it was. */
static kiln_status name(const kiln_plan *plan, const kiln_image *frame, const char *out,
                        kiln_error *error) {
    kiln_namer *namer = NULL;
    kiln_named_face faces[MOST];
    const kiln_namer_options options = {.size = sizeof options, .threads = 2};
    size_t count = 0;
    kiln_status status = kiln_namer_open(plan, &options, &namer, error);
    TRY(kiln_namer_run(namer, frame, faces, MOST, &count, error))
    for (size_t k = 0; k < count; k++) {
        printf("%d %s\n", faces[k].known, faces[k].name);
    }
    if (status == KILN_OK) {
        kiln_people *people = kiln_namer_people(namer);
        size_t before = kiln_people_count(people);
        status = kiln_namer_enrol(namer, "felix", frame, 1, error);
        if (kiln_people_count(people) != before + (status == KILN_OK)) {
            status = kiln_fail(error, status, "internal error: the gallery has changed");
        }
    }
    TRY(kiln_people_save(kiln_namer_people(namer), plan, out, error))
    kiln_namer_close(namer);
    return status;
}

int main(int argc, char **argv) {
    static const char prepacked[] = "tmp/app.packed";
    kiln_error error = {0};
    kiln_plan *plan = NULL;
    if (argc != 6) {
        return 2;
    }
    uint32_t width = (uint32_t)strtoul(argv[3], NULL, 10);
    uint32_t height = (uint32_t)strtoul(argv[4], NULL, 10);
    size_t bytes = (size_t)width * height * 3 / 2;
    FILE *file = fopen(argv[2], "rb");
    uint8_t *pixels = file != NULL ? malloc(bytes) : NULL;
    kiln_status status = pixels == NULL || fread(pixels, 1, bytes, file) != bytes
                             ? fail_by_errno(argv[2], &error)
                             : KILN_OK;
    const kiln_image frame = {KILN_IMAGE_NV21, width, height, pixels, .stride = width};
    for (int k = 0; k < 2; k++) { /* packs, then takes what was packed */
        TRY(open_asset(argv[1], prepacked, &plan, &error))
        TRY(answer(plan, &frame, &error))
        if (k == 0) {
            kiln_plan_close(plan);
            plan = NULL;
        }
    }
    TRY(recognise(plan, &frame, &error))
    TRY(ask_people(plan, &error))
    TRY(name(plan, &frame, argv[5], &error))
    kiln_plan_close(plan);
    (void)remove(prepacked);
    free(pixels);
    if (file != NULL) {
        (void)fclose(file);
    }
    if (status != KILN_OK) {
        fprintf(stderr, "%s: %s\n", kiln_status_name(status), error.message);
    }
    return status == KILN_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
