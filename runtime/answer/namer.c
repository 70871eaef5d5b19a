/* Faces, features and people, one after the other. */
#include "runtime/base/memory.h"
#include "runtime/base/options.h"
#include "runtime/faces/detector.h"
#include "runtime/plan/plan.h"
#include <kiln/namer.h>

#include <math.h>

#define FACES 16 /* of a frame, unless the options say so */
#define MOST_FACES 4096
#define NOBODY 2.0F /* a similarity that nobody reaches */

struct kiln_namer {
    kiln_detector *detector;
    kiln_recogniser *recogniser; /* of the whole plan */
    kiln_people *people;         /* NULL: the plan knows none */
    const kiln_plan *plan;
    double rate;
    float threshold;
    size_t most; /* faces of an image */
    kiln_face *faces;
    size_t numbers; /* scores of a face */
    float *scores;
    /* With people: what feeds the head, of each face. */
    size_t step, feature_count, seen;
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
        n->feature_count = kiln_people_feature_count(n->people);
        status = kiln_people_step(n->plan, &n->step, error);
    }
    return status == KILN_OK ? kiln_namer_decide(n, error) : status;
}

/* Features are there when a face's run has come to the step that makes them. */
static bool watch(void *context, kiln_session *session, size_t step) {
    kiln_namer *n = context;
    if (step == n->step && n->seen < n->most) {
        const kiln_buffer to = {n->features + n->seen * n->feature_count,
                                n->feature_count * sizeof *n->features};
        n->seen += kiln_session_step_read(session, step, 0, to, NULL) == KILN_OK;
    }
    return true;
}

static kiln_status check_features(const kiln_namer *n, kiln_error *error) {
    kiln_tensor_info info;
    return kiln_session_step_output(recogniser_session(n->recogniser), n->step, 0, &info) ==
                       KILN_OK &&
                   info.dtype == KILN_F32 && info.bytes == n->feature_count * sizeof(float)
               ? KILN_OK
               : kiln_fail(error, KILN_ERROR_FORMAT,
                           "damaged plan: its people have %zu features, its network others",
                           n->feature_count);
}

static kiln_status open_network(kiln_namer *n, const kiln_namer_options *o, kiln_error *error) {
    const kiln_recogniser_options options = {.size = sizeof options, .threads = o->threads};
    const kiln_allocator *allocator = &n->plan->allocator;
    kiln_status status =
        kiln_recogniser_create(n->detector, n->plan, &options, &n->recogniser, error);
    if (status == KILN_OK && n->people != NULL) {
        kiln_session_observe(recogniser_session(n->recogniser), watch, n);
        status = check_features(n, error);
    }
    if (status != KILN_OK) {
        return status;
    }
    n->numbers = kiln_recogniser_numbers(n->recogniser);
    n->faces = memory_zeros(allocator, n->most, sizeof *n->faces);
    n->scores = memory_zeros(allocator, n->most, n->numbers * sizeof *n->scores);
    n->features = memory_zeros(allocator, n->most, n->feature_count * sizeof *n->features);
    return n->faces != NULL && n->scores != NULL && n->features != NULL ? KILN_OK
                                                                        : memory_fail(error);
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
        return memory_fail(error);
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
        memory_free(namer->faces);
        memory_free(namer->scores);
        memory_free(namer->features);
        memory_free(namer);
    }
}

/* ---- Naming ---------------------------------------------------------------------------------- */

/* The faces of an image, with the scores of each and, where the plan knows people, the features. */
static kiln_status look(kiln_namer *n, const kiln_image *image, size_t most, size_t *out_found,
                        kiln_error *error) {
    n->seen = 0;
    kiln_status status =
        kiln_recogniser_run(n->recogniser, image, n->faces, n->scores, most, out_found, error);
    return status == KILN_OK && n->people != NULL && n->seen != *out_found
               ? kiln_fail(error, KILN_ERROR_INTERNAL, "%zu faces, the features of %zu", *out_found,
                           n->seen)
               : status;
}

static kiln_status name_person(const kiln_namer *n, size_t which, kiln_named_face *out,
                               kiln_error *error) {
    kiln_people_verdict v;
    if (kiln_people_count(n->people) == 0) {
        return KILN_OK;
    }
    kiln_status status =
        kiln_people_judge(n->people, n->features + which * n->feature_count,
                          n->scores + which * n->numbers, n->numbers, n->threshold, &v, error);
    if (status == KILN_OK) {
        out->known = v.known;
        out->name = kiln_people_name(n->people, v.person);
        out->similarity = v.similarity;
        out->asked = v.asked;
        out->probability = v.probability;
    }
    return status;
}

static void name_class(const kiln_namer *n, size_t which, kiln_named_face *out) {
    const float *scores = n->scores + which * n->numbers;
    size_t best = 0;
    for (size_t k = 1; k < n->numbers; k++) {
        best = scores[k] > scores[best] ? k : best;
    }
    const char *label = kiln_plan_label(n->plan, best);
    out->known = label != NULL;
    out->name = label != NULL ? label : "";
    out->similarity = out->probability = scores[best];
}

kiln_status kiln_namer_run(kiln_namer *namer, const kiln_image *image, kiln_named_face *out_faces,
                           size_t capacity, size_t *out_count, kiln_error *error) {
    kiln_namer *n = namer;
    size_t found = 0;
    *out_count = 0;
    kiln_status status = look(n, image, capacity < n->most ? capacity : n->most, &found, error);
    for (size_t k = 0; status == KILN_OK && k < found; k++) {
        out_faces[k] = (kiln_named_face){.face = n->faces[k], .name = "", .probability = NAN};
        if (n->people != NULL) {
            status = name_person(n, k, &out_faces[k], error);
        } else {
            name_class(n, k, &out_faces[k]);
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
    size_t found = 0, largest = 0;
    kiln_status status = look(n, image, n->most, &found, error);
    if (status != KILN_OK) {
        return status;
    }
    if (found == 0) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT, "image %zu shows no face", number);
    }
    for (size_t k = 1; k < found; k++) {
        largest = area(&n->faces[k]) > area(&n->faces[largest]) ? k : largest;
    }
    memcpy(out_features, n->features + largest * n->feature_count,
           n->feature_count * sizeof *out_features);
    return KILN_OK;
}

kiln_status kiln_namer_enrol(kiln_namer *namer, const char *name, const kiln_image *images,
                             size_t count, kiln_error *error) {
    kiln_namer *n = namer;
    if (n->people == NULL) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT, "the plan knows no people");
    }
    float *features =
        memory_zeros(&n->plan->allocator, count + 1, n->feature_count * sizeof *features);
    kiln_status status =
        features != NULL ? KILN_OK
                         : kiln_fail(error, KILN_ERROR_MEMORY, "no memory for %zu images", count);
    for (size_t k = 0; k < count && status == KILN_OK; k++) {
        status = features_of(n, &images[k], k, features + k * n->feature_count, error);
    }
    if (status == KILN_OK) {
        status = kiln_people_enrol(n->people, name, features, count, NULL, error);
    }
    memory_free(features);
    if (status == KILN_OK) {
        /* Enrolled they are, whatever comes of this: without a threshold nobody is known. */
        (void)kiln_namer_decide(n, NULL);
    }
    return status;
}
