/* Makes a person known by frames, asking who is on the first one before and after; then saves.
 *   namer FACES.plan NAME WIDTH HEIGHT OUT.plan FRAME.nv21... */
#include <kiln/namer.h>

#include <stdio.h>
#include <stdlib.h>

enum { MOST = 8 };

static kiln_error error;
static kiln_namer *namer;

static void need(kiln_status status) {
    if (status != KILN_OK) {
        fprintf(stderr, "namer: %s\n", error.message);
        exit(EXIT_FAILURE);
    }
}

static void tell(const kiln_image *image) {
    kiln_named_face faces[MOST];
    size_t count;
    need(kiln_namer_run(namer, image, faces, MOST, &count, &error));
    for (size_t k = 0; k < count; k++) {
        printf("%s %s\n", faces[k].known ? "known" : "unknown", faces[k].name);
    }
}

/* Somebody joins a single person, at a rate that the two cannot vouch for: enrolled all the same,
 * but nobody is known then. Writes a plan of that person to `path`. */
static bool enrols_beyond_rate(const kiln_plan *all, const char *path, const kiln_image *image) {
    const kiln_namer_options options = {.size = sizeof options, .rate = 1e-4};
    kiln_people *people;
    kiln_plan *plan;
    size_t place;
    need(kiln_people_open(all, &people, &error));
    while (kiln_people_count(people) > 1) {
        need(kiln_people_forget(people, kiln_people_name(people, 0), &error));
    }
    need(kiln_people_save(people, all, path, &error));
    kiln_people_close(people);
    need(kiln_plan_open(path, NULL, &plan, &error));
    need(kiln_namer_open(plan, &options, &namer, &error));
    need(kiln_namer_enrol(namer, "zoe", image, 1, &error));
    kiln_named_face face;
    need(kiln_namer_run(namer, image, &face, 1, &place, &error));
    bool right = place == 1 && !face.known &&
                 kiln_people_find(kiln_namer_people(namer), "zoe", &place) &&
                 kiln_namer_decide(namer, &error) == KILN_ERROR_ARGUMENT;
    kiln_namer_close(namer);
    kiln_plan_close(plan);
    return right;
}

int main(int argc, char **argv) {
    kiln_plan *plan;
    kiln_image images[MOST] = {{0}};
    size_t count = argc > 6 ? (size_t)argc - 6 : 0;
    if (count < 1 || count > MOST) {
        return 2;
    }
    size_t width = strtoul(argv[3], NULL, 10), height = strtoul(argv[4], NULL, 10);
    size_t bytes = width * height * 3 / 2;
    for (size_t k = 0; k < count; k++) {
        FILE *file = fopen(argv[6 + k], "rb");
        uint8_t *pixels = malloc(bytes);
        need(file != NULL && pixels != NULL && fread(pixels, 1, bytes, file) == bytes
                 ? KILN_OK
                 : kiln_fail(&error, KILN_ERROR_IO, "cannot read %s", argv[6 + k]));
        images[k] = (kiln_image){KILN_IMAGE_NV21, (uint32_t)width, (uint32_t)height, pixels,
                                 .stride = width};
        (void)fclose(file);
    }
    need(kiln_plan_open(argv[1], NULL, &plan, &error));
    if (!enrols_beyond_rate(plan, argv[5], &images[0])) {
        return 4;
    }
    need(kiln_namer_open(plan, NULL, &namer, &error));
    tell(&images[0]);
    /* A picture without a face enrols nobody. */
    uint8_t *blank = calloc(1, bytes);
    const kiln_image empty = {
        .format = KILN_IMAGE_GRAY, .width = 64, .height = 64, .pixels = blank, .stride = 64};
    if (kiln_namer_enrol(namer, argv[2], &empty, 1, &error) != KILN_ERROR_ARGUMENT ||
        kiln_people_find(kiln_namer_people(namer), argv[2], &count)) {
        return 3;
    }
    need(kiln_namer_enrol(namer, argv[2], images, (size_t)argc - 6, &error));
    tell(&images[0]);
    need(kiln_people_save(kiln_namer_people(namer), plan, argv[5], &error));
    kiln_namer_close(namer);
    kiln_plan_close(plan);
    for (size_t k = 0; k < MOST; k++) {
        free((void *)(uintptr_t)images[k].pixels);
    }
    free(blank);
    return 0;
}
