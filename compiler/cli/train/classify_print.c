/* What kiln classify says of a subject: its class or, of plans that know people, who it is. */
#include "compiler/cli/cli.h"
#include "compiler/cli/train/classify.h"
#include "compiler/cli/train/metrics.h"

#include <math.h>
#include <string.h>

/* ---- The class of one subject ---------------------------------------------------------------- */

static void print_class(const classify_call *c, const answers *to, const char *name, float value,
                        bool first) {
    FILE *out = to->out;
    if (answers_are_objects(to)) {
        fprintf(out, "%s{\"label\": ", first ? "" : ", ");
        json_string(out, name);
        fprintf(out, ", \"%s\": ", c->measure);
        json_number(out, (double)value);
        fputc('}', out);
    } else {
        text_print(out, "%s%s (%s%.4f)", first ? "" : ", ", name, c->probable ? "" : "score ",
                   (double)value);
    }
}

/* The next best: each time the largest that has not been told. */
static void print_top(const classify_call *c, const answers *to, const float *scores,
                      bool after_best) {
    memcpy(c->left, scores, c->classes * sizeof *scores);
    for (size_t k = 0; k < c->top && k < c->classes; k++) {
        size_t next = metrics_best(c->left, c->classes);
        if (k > 0 || !after_best) {
            print_class(c, to, c->names[next], c->left[next], k == 0 && !after_best);
        }
        c->left[next] = -INFINITY;
    }
}

const char *classify_name(const classify_call *c, const scored_picture *p, size_t which) {
    if (c->people != NULL) {
        const verdict *v = &p->verdicts[which];
        bool known = v->known && !((double)v->probability < c->reject);
        return known ? kiln_people_name(c->people, v->person) : NULL;
    }
    const float *scores = p->rows + which * c->classes;
    size_t best = metrics_best(scores, c->classes);
    return (double)scores[best] < c->reject ? NULL : c->names[best];
}

static void print_answer(const classify_call *c, const answers *to, const scored_picture *p,
                         size_t which) {
    FILE *out = to->out;
    const float *scores = p->rows + which * c->classes;
    float best = scores[metrics_best(scores, c->classes)];
    const char *known = classify_name(c, p, which), *name = known != NULL ? known : UNKNOWN;
    bool unknown = known == NULL;
    if (answers_are_objects(to)) {
        fprintf(out, "\"label\": ");
        json_string(out, name);
        fprintf(out, ", \"%s\": ", c->measure);
        json_number(out, (double)best);
        fprintf(out, ", \"top\": [");
        print_top(c, to, scores, false);
        fputc(']', out);
    } else if (to->format == ANSWERS_CSV) {
        csv_string(out, name);
        fprintf(out, ",%.6g", (double)best);
    } else {
        print_class(c, to, name, best, true);
        fputs(unknown ? ", " : "", out);
        print_top(c, to, scores, !unknown);
    }
}

/* ---- The name of one subject ----------------------------------------------------------------- */

static void print_similarity(FILE *out, const verdict *v) {
    fprintf(out, ", \"similarity\": ");
    json_number(out, (double)v->similarity);
    fprintf(out, ", \"asked\": ");
    json_number(out, (double)v->asked);
}

/* Who is not known has no probability in words, as it would be one among the known. */
static void print_ranked(const classify_call *c, const answers *to, const verdict *v, bool first) {
    FILE *out = to->out;
    const char *name = kiln_people_name(c->people, v->person);
    if (answers_are_objects(to)) {
        fprintf(out, "%s{\"label\": ", first ? "" : ", ");
        json_string(out, name);
        fprintf(out, ", \"probability\": ");
        json_number(out, (double)v->probability);
        print_similarity(out, v);
        fputc('}', out);
    } else if (isnan(v->probability) || !v->known) {
        text_print(out, "%s%s (similarity %.2f)", first ? "" : ", ", name, (double)v->similarity);
    } else {
        text_print(out, "%s%s (%.4f, similarity %.2f)", first ? "" : ", ", name,
                   (double)v->probability, (double)v->similarity);
    }
}

static void print_unknown(const classify_call *c, FILE *out, const verdict *v) {
    bool close = v->asked - v->similarity < 0.01f; /* two digits could be the same */
    const char *nearest = kiln_people_name(c->people, v->person);
    if (v->known) { /* but in doubt: --reject */
        text_print(out, "unknown (in doubt: %s, %.4f)", nearest, (double)v->probability);
    } else {
        text_print(out, "unknown (nearest: %s, %.*f where %.*f is asked)", nearest, close ? 4 : 2,
                   (double)v->similarity, close ? 4 : 2, (double)v->asked);
    }
}

static void print_person(const classify_call *c, const answers *to, const scored_picture *p,
                         size_t which) {
    FILE *out = to->out;
    size_t told = c->scoring.ranked;
    const verdict *v = &p->verdicts[which], *ranks = p->ranks + which * told;
    const char *nearest = kiln_people_name(c->people, v->person);
    bool known = classify_name(c, p, which) != NULL;
    const char *name = known ? nearest : UNKNOWN;
    if (answers_are_objects(to)) {
        fprintf(out, "\"label\": ");
        json_string(out, name);
        fprintf(out, ", \"probability\": ");
        json_number(out, (double)v->probability);
        fprintf(out, ", \"known\": %s, \"nearest\": ", known ? "true" : "false");
        json_string(out, nearest);
        print_similarity(out, v);
        fprintf(out, ", \"far\": ");
        json_number(out, c->scoring.workers[0].judge.threshold.rate);
        fprintf(out, ", \"top\": [");
        for (size_t k = 0; k < told; k++) {
            print_ranked(c, to, &ranks[k], k == 0);
        }
        fputc(']', out);
    } else if (to->format == ANSWERS_CSV) {
        char probability[32] = "";
        if (!isnan(v->probability)) {
            snprintf(probability, sizeof probability, "%.6g", (double)v->probability);
        }
        csv_string(out, name);
        fprintf(out, ",%s,%.6g,%.6g", probability, (double)v->similarity, (double)v->asked);
    } else {
        if (known) {
            print_ranked(c, to, v, true);
        } else {
            print_unknown(c, out, v);
        }
        for (size_t k = known ? 1 : 0; c->top > 1 && k < told; k++) {
            print_ranked(c, to, &ranks[k], false);
        }
    }
}

void classify_print(const classify_call *c, const answers *to, const scored_picture *p,
                    size_t which) {
    (c->people != NULL ? print_person : print_answer)(c, to, p, which);
}
