/* Names for faces: see naming.h. */
#include "compiler/cli/people/naming.h"
#include "compiler/cli/train/metrics.h"

#include <stdlib.h>

kiln_status naming_open(const char *path, uint32_t threads, naming *out_naming, kiln_error *error) {
    naming *n = out_naming;
    scorer_options options = {.subjects.faces = FACES_ALL, .threads = threads};
    *n = (naming){.names = NULL};
    kiln_status status = scorer_open(path, &options, &n->scorer, error);
    if (status == KILN_OK) {
        status = scorer_check_classifier(&n->scorer, path, error);
    }
    if (status == KILN_OK) {
        status = judge_open(&n->scorer, FAR_DEFAULT, &n->judge, error);
    }
    if (status == KILN_OK) {
        status = scorer_names(&n->scorer, &n->names, error);
    }
    if (status == KILN_OK) {
        n->measure = n->judge.people != NULL                  ? "similarity"
                     : scorer_gives_probabilities(&n->scorer) ? "probability"
                                                              : "class_score";
        n->scores = calloc(n->scorer.count + 1, sizeof *n->scores);
        status = n->scores != NULL ? KILN_OK : kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    }
    if (status != KILN_OK) {
        naming_close(n);
    }
    return status;
}

void naming_close(naming *n) {
    scorer_free_names(n->names, n->scorer.count);
    judge_close(&n->judge);
    scorer_close(&n->scorer);
    free(n->scores);
    *n = (naming){.names = NULL};
}

bool naming_is_open(const naming *n) {
    return n->names != NULL;
}

kiln_status naming_ask(naming *n, const rgb_picture *picture, const kiln_face *face,
                       face_name *out_name, kiln_error *error) {
    subject which = {.is_face = true, .face = *face};
    verdict v;
    kiln_status status = scorer_run(&n->scorer, picture, &which, n->scores, error);
    if (status == KILN_OK && n->judge.people != NULL) {
        status = judge_decide(&n->judge, n->scores, &v, error);
        const char *known =
            status == KILN_OK && v.known ? kiln_people_name(n->judge.people, v.person) : NULL;
        *out_name = (face_name){known != NULL ? known : "unknown", v.similarity};
    } else if (status == KILN_OK) {
        size_t best = metrics_best(n->scores, n->scorer.count);
        *out_name = (face_name){n->names[best], n->scores[best]};
    }
    return status;
}
