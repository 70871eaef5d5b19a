/* Faces, features and people, one after the other. */
#include "runtime/base/memory.h"
#include "runtime/base/options.h"
#include "runtime/plan/plan.h"
#include <kiln/namer.h>

#define FACES 16 /* of a frame, unless the options say so */
#define MOST_FACES 4096
#define NOBODY 2.0F /* a similarity that nobody reaches */

struct kiln_namer {
    kiln_detector *detector;
    kiln_plan *cut; /* the network up to its head; NULL: without people */
    kiln_recogniser *recogniser;
    kiln_people *people; /* NULL: the plan knows none */
    const kiln_plan *plan;
    double rate;
    float threshold;
    size_t most, numbers; /* faces, and numbers of each */
    kiln_face *faces;
    float *features;
};

/* ---- Opening --------------------------------------------------------------------------------- */

static kiln_status open_detector(kiln_namer *n, const kiln_namer_options *o, kiln_error *error) {
    const kiln_detector_options options = {.size = sizeof options, .threads = o->threads};
    return o->detector != NULL ? kiln_detector_create(o->detector, &options, &n->detector, error)
                               : kiln_detector_open_bundled(n->plan, &options, &n->detector, error);
}

static kiln_status open_people(kiln_namer *n, kiln_error *error) {
    if (!kiln_people_are_in(n->plan)) {
        return KILN_OK;
    }
    kiln_status status = kiln_people_open(n->plan, &n->people, error);
    if (status == KILN_OK) {
        status = kiln_namer_decide(n, error);
    }
    return status == KILN_OK ? kiln_people_cut(n->plan, &n->cut, error) : status;
}

static kiln_status open_network(kiln_namer *n, const kiln_namer_options *o, kiln_error *error) {
    const kiln_recogniser_options options = {.size = sizeof options, .threads = o->threads};
    kiln_status status = kiln_recogniser_create(n->detector, n->cut != NULL ? n->cut : n->plan,
                                                &options, &n->recogniser, error);
    if (status != KILN_OK) {
        return status;
    }
    n->numbers = kiln_recogniser_numbers(n->recogniser);
    n->faces = memory_zeros(&n->plan->allocator, n->most, sizeof *n->faces);
    n->features = memory_zeros(&n->plan->allocator, n->most, n->numbers * sizeof *n->features);
    if (n->faces == NULL || n->features == NULL) {
        return kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    }
    return n->people == NULL || kiln_people_feature_count(n->people) == n->numbers
               ? KILN_OK
               : kiln_fail(error, KILN_ERROR_FORMAT,
                           "damaged plan: its people have %zu features, its network %zu",
                           kiln_people_feature_count(n->people), n->numbers);
}

kiln_status kiln_namer_open(const kiln_plan *plan, const kiln_namer_options *options,
                            kiln_namer **out_namer, kiln_error *error) {
    kiln_namer_options used;
    *out_namer = NULL;
    kiln_status status = OPTIONS_TAKE(kiln_namer_options, options, &used, error);
    if (status == KILN_OK && used.faces > MOST_FACES) {
        status =
            kiln_fail(error, KILN_ERROR_ARGUMENT, "%u faces: at most %d", used.faces, MOST_FACES);
    }
    if (status != KILN_OK) {
        return status;
    }
    kiln_namer *n = memory_zeros(&plan->allocator, 1, sizeof *n);
    if (n == NULL) {
        return kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    }
    *n =
        (kiln_namer){.plan = plan, .rate = used.rate, .most = used.faces == 0 ? FACES : used.faces};
    status = open_detector(n, &used, error);
    if (status == KILN_OK) {
        status = open_people(n, error);
    }
    if (status == KILN_OK) {
        status = open_network(n, &used, error);
    }
    if (status != KILN_OK) {
        kiln_namer_close(n);
        return status;
    }
    *out_namer = n;
    return KILN_OK;
}

void kiln_namer_close(kiln_namer *namer) {
    if (namer != NULL) {
        kiln_recogniser_destroy(namer->recogniser);
        kiln_detector_destroy(namer->detector);
        kiln_people_close(namer->people);
        kiln_plan_close(namer->cut);
        memory_free(namer->faces);
        memory_free(namer->features);
        memory_free(namer);
    }
}

/* ---- Naming ---------------------------------------------------------------------------------- */

static kiln_status name_person(const kiln_namer *n, const float *features, kiln_named_face *out,
                               kiln_error *error) {
    kiln_people_answer answer;
    if (kiln_people_count(n->people) == 0) {
        return KILN_OK;
    }
    kiln_status status = kiln_people_match(n->people, features, n->threshold, &answer, error);
    if (status == KILN_OK) {
        out->known = answer.known;
        out->name = kiln_people_name(n->people, answer.person);
        out->similarity = answer.similarity;
        out->asked = answer.asked;
    }
    return status;
}

static void name_class(const kiln_namer *n, const float *scores, kiln_named_face *out) {
    size_t best = 0;
    for (size_t k = 1; k < n->numbers; k++) {
        best = scores[k] > scores[best] ? k : best;
    }
    const char *label = kiln_plan_label(n->plan, best);
    out->known = label != NULL;
    out->name = label != NULL ? label : "";
    out->similarity = scores[best];
}

kiln_status kiln_namer_run(kiln_namer *namer, const kiln_image *image, kiln_named_face *out_faces,
                           size_t capacity, size_t *out_count, kiln_error *error) {
    kiln_namer *n = namer;
    *out_count = 0;
    size_t most = capacity < n->most ? capacity : n->most, found = 0;
    kiln_status status =
        kiln_recogniser_run(n->recogniser, image, n->faces, n->features, most, &found, error);
    for (size_t k = 0; status == KILN_OK && k < found; k++) {
        const float *features = n->features + k * n->numbers;
        out_faces[k] = (kiln_named_face){.face = n->faces[k], .name = ""};
        if (n->people != NULL) {
            status = name_person(n, features, &out_faces[k], error);
        } else {
            name_class(n, features, &out_faces[k]);
        }
    }
    *out_count = status == KILN_OK ? found : 0;
    return status;
}

/* ---- People ---------------------------------------------------------------------------------- */

kiln_people *kiln_namer_people(kiln_namer *namer) {
    return namer->people;
}

kiln_status kiln_namer_decide(kiln_namer *namer, kiln_error *error) {
    kiln_people_threshold threshold;
    const kiln_people *people = namer->people;
    namer->threshold = NOBODY;
    if (people == NULL ||
        (kiln_people_count(people) < 2 && kiln_people_stranger_count(people) == 0)) {
        return KILN_OK;
    }
    kiln_status status = kiln_people_decide(people, namer->rate, &threshold, error);
    if (status == KILN_OK) {
        namer->threshold = threshold.similarity;
    }
    return status;
}

static float area(const kiln_face *face) {
    return (face->right - face->left) * (face->bottom - face->top);
}

/* The features of the largest face. */
static kiln_status features_of(kiln_namer *n, const kiln_image *image, size_t number,
                               float *out_features, kiln_error *error) {
    size_t found, largest = 0;
    kiln_status status =
        kiln_recogniser_run(n->recogniser, image, n->faces, n->features, n->most, &found, error);
    if (status != KILN_OK) {
        return status;
    }
    if (found == 0) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT, "image %zu shows no face", number);
    }
    for (size_t k = 1; k < found; k++) {
        largest = area(&n->faces[k]) > area(&n->faces[largest]) ? k : largest;
    }
    memcpy(out_features, n->features + largest * n->numbers, n->numbers * sizeof *out_features);
    return KILN_OK;
}

kiln_status kiln_namer_enrol(kiln_namer *namer, const char *name, const kiln_image *images,
                             size_t count, kiln_error *error) {
    kiln_namer *n = namer;
    if (n->people == NULL) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT, "the plan knows no people");
    }
    float *features = memory_zeros(&n->plan->allocator, count + 1, n->numbers * sizeof *features);
    kiln_status status =
        features != NULL ? KILN_OK
                         : kiln_fail(error, KILN_ERROR_MEMORY, "no memory for %zu images", count);
    for (size_t k = 0; k < count && status == KILN_OK; k++) {
        status = features_of(n, &images[k], k, features + k * n->numbers, error);
    }
    if (status == KILN_OK) {
        status = kiln_people_enrol(n->people, name, features, count, NULL, error);
    }
    memory_free(features);
    return status == KILN_OK ? kiln_namer_decide(n, error) : status;
}
