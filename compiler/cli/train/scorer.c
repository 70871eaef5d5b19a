/* Plans that take one picture. */
#include "compiler/cli/train/scorer.h"
#include "compiler/cli/cli.h"
#include "runtime/base/checksum.h"
#include <kiln/compile.h>
#include <kiln/element.h>
#include <kiln/people.h>
#include <kiln/plan_format.h>
#include <kiln/train.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

kiln_status choose_preprocess(const kiln_plan *plan, const char *preset,
                              kiln_preprocess *out_preprocess, kiln_error *error) {
    kiln_plan_preprocess(plan, out_preprocess);
    if (preset != NULL) {
        uint32_t resize = out_preprocess->resize;
        bool present = out_preprocess->present;
        (void)kiln_preprocess_preset(preset, out_preprocess); /* options are words it knows */
        out_preprocess->resize = present ? resize : out_preprocess->resize;
        return KILN_OK;
    }
    return out_preprocess->present
               ? KILN_OK
               : kiln_fail(error, KILN_ERROR_ARGUMENT,
                           "the plan does not say how pictures are normalised: compile it with "
                           "--preprocess, or give --preprocess here");
}

/* Faces for a classifier that has learnt whole pictures. */
static void warn_of_faces(const scorer *s, const char *path) {
    const char *task = kiln_plan_metadata(s->plan, "task");
    kiln_span record;
    if (subjects_are_faces(&s->subjects) && task != NULL && strcmp(task, "classification") == 0 &&
        !kiln_plan_find_section(s->plan, KILN_PLAN_DETECTOR, &record)) {
        text_print(stderr,
                   "kiln: warning: %s was trained on whole pictures, not on aligned faces: train "
                   "it with --detector, too\n",
                   path);
    }
}

/* What a scorer does not share. */
static kiln_status open_session(scorer *s, const kiln_plan *used, kiln_error *error) {
    kiln_session_options session;
    kiln_session_options_init(&session);
    session.threads = s->threads;
    s->tensor = malloc(s->input.bytes + 1);
    return s->tensor != NULL ? kiln_session_create(used, &session, &s->session, error)
                             : kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
}

kiln_status scorer_open(const char *path, const scorer_options *options, scorer *out_scorer,
                        kiln_error *error) {
    scorer *s = out_scorer;
    *s = (scorer){.threads = options->threads};
    kiln_status status = open_plan(path, options->prepacked, &s->plan, error);
    if (status == KILN_OK && !options->numbers) {
        status = choose_preprocess(s->plan, options->preset, &s->preprocess, error);
    }
    if (status == KILN_OK && !options->numbers) {
        status = subjects_open(&options->subjects, s->plan, path, &s->subjects, error);
        warn_of_faces(s, path);
    }
    if (status == KILN_OK && options->people) {
        status = kiln_people_cut(s->plan, &s->cut, error);
    } else if (status == KILN_OK && options->features) {
        status = kiln_plan_cut(s->plan, options->cut, &s->cut, error);
    }
    const kiln_plan *used = s->cut != NULL ? s->cut : s->plan;
    if (status == KILN_OK && kiln_plan_input_count(used) != 1) {
        status = kiln_fail(error, KILN_ERROR_ARGUMENT, "%s: the network takes more than a picture",
                           path);
    }
    if (status == KILN_OK) {
        kiln_image_layout layout;
        (void)kiln_plan_input(used, 0, &s->input);
        (void)kiln_plan_output(used, kiln_plan_output_count(used) - 1, &s->output);
        s->count = kiln_element_count(&s->output);
        status = options->numbers ? KILN_OK : picture_check_input(&s->input, &layout, error);
    }
    if (status == KILN_OK) {
        status = open_session(s, used, error);
    }
    if (status == KILN_OK && kiln_plan_output_count(used) != 1) {
        status = kiln_fail(error, KILN_ERROR_ARGUMENT, "%s: the network has several outputs", path);
    }
    if (status != KILN_OK) {
        scorer_close(s);
    }
    return status;
}

kiln_status scorer_open_beside(const scorer *first, scorer *out_scorer, kiln_error *error) {
    scorer *s = out_scorer;
    *s = *first;
    s->beside = true;
    s->session = NULL;
    s->tensor = NULL;
    s->finder = (subject_finder){0};
    kiln_status status = open_session(s, s->cut != NULL ? s->cut : s->plan, error);
    if (status != KILN_OK) {
        scorer_close(s);
    }
    return status;
}

void scorer_close(scorer *s) {
    finder_close(&s->finder);
    kiln_session_destroy(s->session);
    if (!s->beside) {
        subjects_close(&s->subjects);
        kiln_plan_close(s->cut);
        kiln_plan_close(s->plan);
    }
    free(s->tensor);
    *s = (scorer){0};
}

uint64_t network_key(const kiln_plan *plan, const kiln_preprocess *p) {
    kiln_plan_view view;
    kiln_plan_inspect(plan, &view);
    float numbers[11] = {(float)p->bgr, (float)p->resize, p->crop_fraction};
    memcpy(numbers + 3, p->scale, sizeof p->scale);
    memcpy(numbers + 7, p->bias, sizeof p->bias);
    return checksum_with_seed(numbers, sizeof numbers, view.header->checksum);
}

uint64_t scorer_key(const scorer *s) {
    return network_key(s->cut != NULL ? s->cut : s->plan, &s->preprocess);
}

kiln_status scorer_load(scorer *s, const char *path, rgb_picture *out_picture, kiln_error *error) {
    kiln_error why;
    kiln_status status = picture_load(path, out_picture, error);
    if (status == KILN_OK && s->finder.subjects == NULL) {
        status = finder_open(&s->subjects, s->threads, &s->finder, error);
    }
    if (status == KILN_OK) {
        status = finder_find(&s->finder, out_picture, &why);
        status = status == KILN_OK ? status : kiln_fail(error, status, "%s: %s", path, why.message);
    }
    if (status != KILN_OK) {
        picture_free(out_picture);
    }
    return status;
}

kiln_status scorer_run(scorer *s, const rgb_picture *picture, const subject *which, float *out,
                       kiln_error *error) {
    kiln_buffer in = {s->tensor, s->input.bytes};
    kiln_status status = subject_to_input(picture, which, &s->input, &s->preprocess, 0, in, error);
    if (status != KILN_OK) {
        return status;
    }
    void *raw = malloc(s->output.bytes + 1);
    kiln_buffer result = {raw, s->output.bytes};
    status = raw != NULL ? kiln_session_run(s->session, 1, &in, 1, &result, 1, error)
                         : kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    for (size_t k = 0; status == KILN_OK && k < s->count; k++) {
        out[k] = (float)kiln_element_number(s->output.dtype, raw, k);
    }
    free(raw);
    return status;
}

kiln_status scorer_run_file(scorer *s, const char *path, float *out, kiln_error *error) {
    rgb_picture picture = {0};
    char why[64];
    kiln_status status = scorer_load(s, path, &picture, error);
    if (status == KILN_OK && s->finder.count == 0) {
        status = kiln_fail(error, KILN_ERROR_UNSUPPORTED, "%s: %s", path,
                           subjects_why(s->finder.found, why, sizeof why));
    }
    if (status == KILN_OK) {
        status = scorer_run(s, &picture, &s->finder.subjects[0], out, error);
    }
    picture_free(&picture);
    return status;
}

kiln_status scorer_names(const scorer *s, char ***out_names, kiln_error *error) {
    char **names = calloc(s->count + 1, sizeof *names);
    bool good = names != NULL;
    for (size_t k = 0; good && k < s->count; k++) {
        char text[32];
        const char *label = kiln_plan_label(s->plan, k);
        snprintf(text, sizeof text, "class %zu", k);
        names[k] = strdup(label != NULL ? label : text);
        good = names[k] != NULL;
    }
    *out_names = names;
    return good ? KILN_OK : kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
}

void scorer_free_names(char **names, size_t count) {
    for (size_t k = 0; names != NULL && k < count; k++) {
        free(names[k]);
    }
    free(names);
}

/* ---- Similarity ---------------------------------------------------------------------------- */

double cosine_similarity(const float *a, const float *b, size_t count) {
    double ab = 0, aa = 0, bb = 0;
    for (size_t k = 0; k < count; k++) {
        ab += (double)a[k] * (double)b[k];
        aa += (double)a[k] * (double)a[k];
        bb += (double)b[k] * (double)b[k];
    }
    return aa > 0 && bb > 0 ? ab / sqrt(aa * bb) : 0;
}

typedef struct pair_similarity {
    double value;
    bool same;
} pair_similarity;

static int by_similarity(const void *a, const void *b) {
    double x = ((const pair_similarity *)a)->value, y = ((const pair_similarity *)b)->value;
    return x < y ? -1 : x > y;
}

/* Goes up through the similarities: what lies below is called different. */
static void best_cut(const pair_similarity *pairs, size_t count, size_t same, double *out_threshold,
                     double *out_accuracy) {
    size_t same_below = 0, different_below = 0, different = count - same;
    *out_accuracy = 0;
    for (size_t k = 0; k + 1 < count; k++) {
        same_below += pairs[k].same;
        different_below += !pairs[k].same;
        double right = (double)(same - same_below) / (double)same / 2 +
                       (double)different_below / (double)different / 2;
        if (right > *out_accuracy) {
            *out_accuracy = right;
            *out_threshold = (pairs[k].value + pairs[k + 1].value) / 2;
        }
    }
}

bool choose_threshold(const float *features, size_t count, size_t size, const uint32_t *labels,
                      double *out_threshold, double *out_accuracy) {
    count = count > THRESHOLD_SAMPLES ? THRESHOLD_SAMPLES : count;
    pair_similarity *pairs = malloc((count * count / 2 + 1) * sizeof *pairs);
    size_t found = 0, same = 0;
    for (size_t a = 0; pairs != NULL && a < count; a++) {
        for (size_t b = a + 1; b < count; b++) {
            double value = cosine_similarity(features + a * size, features + b * size, size);
            pairs[found] = (pair_similarity){value, labels[a] == labels[b]};
            same += pairs[found++].same;
        }
    }
    bool possible = same > 0 && same < found;
    if (possible) {
        qsort(pairs, found, sizeof *pairs, by_similarity);
        best_cut(pairs, found, same, out_threshold, out_accuracy);
    }
    free(pairs);
    return possible;
}
