/* Plans that know people: see known.h. */
#include "compiler/cli/people/known.h"

#include <stdlib.h>
#include <string.h>

kiln_status known_open(const char *path, const scorer_options *options, known *out_known,
                       kiln_error *error) {
    known *k = out_known;
    kiln_error why;
    *k = (known){.path = path};
    kiln_status status = KILN_OK;
    if (options != NULL) {
        scorer_options to_features = *options;
        to_features.people = true;
        status = scorer_open(path, &to_features, &k->scorer, error);
        k->plan = k->scorer.plan;
    } else {
        status = open_plan(path, PACKED_NOWHERE, &k->plan, error);
    }
    if (status == KILN_OK) {
        status = kiln_people_open(k->plan, &k->people, &why);
        status = status == KILN_OK ? status : kiln_fail(error, status, "%s: %s", path, why.message);
    }
    if (status == KILN_OK && options != NULL) {
        size_t count = kiln_people_feature_count(k->people);
        if (count != k->scorer.count) {
            status =
                kiln_fail(error, KILN_ERROR_FORMAT, "%s: people of %zu features, a network of %zu",
                          path, count, k->scorer.count);
        }
        k->features = malloc(count * sizeof *k->features);
        if (status == KILN_OK && k->features == NULL) {
            status = kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
        }
    }
    return status;
}

void known_close(known *k) {
    kiln_people_close(k->people);
    if (k->scorer.plan == NULL) {
        kiln_plan_close(k->plan);
    }
    scorer_close(&k->scorer);
    free(k->features);
    *k = (known){0};
}

kiln_status known_look(known *k, const char *picture, kiln_error *error) {
    return scorer_run_file(&k->scorer, picture, k->features, error);
}

kiln_status known_save(const known *k, const char *output, kiln_error *error) {
    return kiln_people_save(k->people, k->plan, output != NULL ? output : k->path, error);
}

/* ---- Names --------------------------------------------------------------------------------- */

static char lower(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c;
}

/* Whether one begins with the other, in any case. */
static bool nearly(const char *a, const char *b) {
    while (*a != '\0' && *b != '\0' && lower(*a) == lower(*b)) {
        a++;
        b++;
    }
    return *a == '\0' || *b == '\0';
}

kiln_status known_person(const known *k, const char *name, size_t *out_person, kiln_error *error) {
    if (kiln_people_find(k->people, name, out_person)) {
        return KILN_OK;
    }
    char alike[200] = "";
    for (size_t j = 0; j < kiln_people_count(k->people) && name[0] != '\0'; j++) {
        const char *other = kiln_people_name(k->people, j);
        if (nearly(name, other)) {
            text_list_add(alike, sizeof alike, other);
        }
    }
    return kiln_fail(error, KILN_ERROR_ARGUMENT, "%s: nobody is called '%s'%s%s%s", k->path, name,
                     alike[0] != '\0' ? " (did you mean " : "", alike,
                     alike[0] != '\0' ? "?)" : "; kiln people lists them");
}

bool known_nearest(const known *k, size_t person, size_t *out_other, double *out_cosine) {
    size_t count = kiln_people_count(k->people);
    *out_cosine = -2;
    for (size_t j = 0; j < count; j++) {
        double cosine = j == person ? -2 : (double)kiln_people_alike(k->people, person, j);
        if (cosine > *out_cosine) {
            *out_cosine = cosine;
            *out_other = j;
        }
    }
    return count > 1;
}

/* ---- Similarity ---------------------------------------------------------------------------- */

static int by_similarity(const void *a, const void *b) {
    const ranked_person *x = a, *y = b;
    if (x->similarity.value != y->similarity.value) {
        return x->similarity.value < y->similarity.value ? 1 : -1;
    }
    return x->person < y->person ? -1 : x->person > y->person;
}

kiln_status known_rank(const known *k, float threshold, ranked_person **out_ranked,
                       size_t *out_count, kiln_error *error) {
    size_t count = kiln_people_count(k->people);
    ranked_person *all = calloc(count + 1, sizeof *all);
    kiln_status status =
        all != NULL ? KILN_OK : kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    for (size_t j = 0; j < count && status == KILN_OK; j++) {
        ranked_person *r = &all[j];
        r->person = j;
        status =
            kiln_people_similarity(k->people, k->features, j, threshold, &r->similarity, error);
        if (status == KILN_OK) {
            status = kiln_people_picture(k->people, j, r->similarity.kept, &r->nearest, error);
        }
    }
    if (status != KILN_OK) {
        free(all);
        return status;
    }
    qsort(all, count, sizeof *all, by_similarity);
    *out_ranked = all;
    *out_count = count;
    return KILN_OK;
}

bool ranked_is_known(const ranked_person *r) {
    return r->similarity.value >= r->similarity.asked;
}

const char *picture_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

/* ---- Calls --------------------------------------------------------------------------------- */

int people_read_call(const command *self, people_call *call, int *inout_argc, char ***inout_argv,
                     int least, int most) {
    int status = options_read(self, call, inout_argc, inout_argv);
    if (status == OPTIONS_READ && (*inout_argc < least || (most > 0 && *inout_argc > most))) {
        return usage(self, "expected %s", self->synopsis);
    }
    return status;
}
