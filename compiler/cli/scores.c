/* The best classes of an answer. */
#include "compiler/cli/scores.h"
#include "compiler/cli/format.h"
#include "runtime/base/text.h"
#include <kiln/element.h>

#include <math.h>
#include <stdlib.h>

typedef struct score {
    double value;
    size_t index;
} score;

static int by_value(const void *a, const void *b) {
    const score *x = a, *y = b;
    return x->value > y->value ? -1 : x->value < y->value ? 1 : x->index < y->index ? -1 : 1;
}

/* Probabilities: all in 0..1 and summing to one. */
static bool is_distribution(const score *scores, size_t count) {
    double sum = 0;
    for (size_t k = 0; k < count; k++) {
        if (!(scores[k].value >= 0 && scores[k].value <= 1)) {
            return false;
        }
        sum += scores[k].value;
    }
    return fabs(sum - 1) < 1e-3;
}

static void print_scores(score_printer *p, const char *picture, const score *scores, size_t count,
                         bool distribution) {
    size_t top = p->top < count ? p->top : count;
    if (p->json) {
        printf("%s{\"image\": ", p->printed++ > 0 ? ",\n " : "[");
        json_string(stdout, picture);
        printf(", \"top\": [");
    } else {
        text_print(stdout, "%s\n", picture);
    }
    for (size_t k = 0; k < top; k++) {
        const char *label = kiln_plan_label(p->plan, scores[k].index);
        if (p->json) {
            printf("%s{\"class\": %zu, \"label\": ", k > 0 ? ", " : "", scores[k].index);
            json_string(stdout, label != NULL ? label : "");
            printf(", \"%s\": ", distribution ? "probability" : "score");
            json_number(stdout, scores[k].value);
            putchar('}');
        } else {
            text_print(stdout, "  %-11s %9.4f  class %zu%s%s\n",
                       distribution ? "probability" : "score", scores[k].value, scores[k].index,
                       label != NULL ? " " : "", label != NULL ? label : "");
        }
    }
    if (p->json) {
        printf("]}");
    }
}

kiln_status scores_print(score_printer *p, const char *picture, const void *output,
                         kiln_error *error) {
    kiln_tensor_info info;
    (void)kiln_plan_output(p->plan, kiln_plan_output_count(p->plan) - 1, &info);
    size_t count = kiln_element_count(&info);
    score *scores = calloc(count + 1, sizeof *scores);
    if (scores == NULL) {
        return kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    }
    for (size_t k = 0; k < count; k++) {
        scores[k] = (score){kiln_element_number(info.dtype, output, k), k};
    }
    bool distribution = is_distribution(scores, count);
    qsort(scores, count, sizeof *scores, by_value);
    print_scores(p, picture, scores, count, distribution);
    free(scores);
    return KILN_OK;
}

void scores_end(const score_printer *p) {
    if (p->json && p->printed > 0) {
        printf("]\n");
    }
}
