/* Counting what a classifier gets right. */
#include "compiler/cli/train/metrics.h"
#include "compiler/cli/cli.h"

#include <math.h>
#include <stdlib.h>

kiln_status metrics_create(size_t classes, metrics *out_metrics, kiln_error *error) {
    *out_metrics =
        (metrics){.classes = classes, .confusion = calloc(classes * classes, sizeof(uint32_t))};
    return out_metrics->confusion != NULL ? KILN_OK
                                          : kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
}

void metrics_free(metrics *m) {
    free(m->confusion);
    *m = (metrics){0};
}

size_t metrics_best(const float *scores, size_t classes) {
    size_t best = 0;
    for (size_t c = 1; c < classes; c++) {
        best = scores[c] > scores[best] ? c : best;
    }
    return best;
}

void metrics_add(metrics *m, const float *scores, uint32_t label) {
    size_t best = metrics_best(scores, m->classes), above = 0;
    for (size_t c = 0; c < m->classes; c++) {
        above += scores[c] > scores[label];
    }
    m->count++;
    m->correct += best == label;
    m->correct5 += above < 5;
    m->loss -= log(fmax((double)scores[label], 1e-30));
    m->confusion[label * m->classes + best]++;
}

double metrics_accuracy(const metrics *m) {
    return m->count > 0 ? (double)m->correct / (double)m->count : NAN;
}

class_metrics metrics_of_class(const metrics *m, size_t c) {
    size_t present = 0, predicted = 0, right = m->confusion[c * m->classes + c];
    for (size_t k = 0; k < m->classes; k++) {
        present += m->confusion[c * m->classes + k];
        predicted += m->confusion[k * m->classes + c];
    }
    double precision = predicted > 0 ? (double)right / (double)predicted : NAN;
    double recall = present > 0 ? (double)right / (double)present : NAN;
    double f1 = present + predicted > 0 ? 2 * (double)right / (double)(present + predicted) : NAN;
    return (class_metrics){present, precision, recall, f1};
}

size_t metrics_confused(const metrics *m, confused_pair *out_pairs, size_t room) {
    size_t kept = 0;
    for (size_t k = 0; k < m->classes * m->classes; k++) {
        confused_pair pair = {k / m->classes, k % m->classes, m->confusion[k]};
        if (pair.actual == pair.predicted || pair.count == 0) {
            continue;
        }
        size_t at = kept;
        while (at > 0 && out_pairs[at - 1].count < pair.count) {
            if (at < room) {
                out_pairs[at] = out_pairs[at - 1];
            }
            at--;
        }
        if (at < room) {
            out_pairs[at] = pair;
        }
        kept += kept < room;
    }
    return kept;
}

/* ---- Text ---------------------------------------------------------------------------------- */

static void print_ratio(FILE *out, double value) {
    if (isfinite(value)) {
        fprintf(out, " %9.4f", value);
    } else {
        fprintf(out, " %9s", "-");
    }
}

void metrics_print(const metrics *m, const char *const *names, FILE *out) {
    confused_pair pairs[5];
    fprintf(out, "%-24s %8s %9s %9s %9s\n", "class", "samples", "precision", "recall", "F1");
    for (size_t c = 0; c < m->classes; c++) {
        class_metrics of = metrics_of_class(m, c);
        char name[TEXT_COLUMN(24)];
        fprintf(out, "%s %8zu", text_column(names[c], 24, name), of.support);
        print_ratio(out, of.precision);
        print_ratio(out, of.recall);
        print_ratio(out, of.f1);
        fputc('\n', out);
    }
    size_t count = metrics_confused(m, pairs, 5);
    for (size_t k = 0; k < count; k++) {
        text_print(out, "%s%s taken for %s: %zu\n", k == 0 ? "confused most: " : "               ",
                   names[pairs[k].actual], names[pairs[k].predicted], pairs[k].count);
    }
    fprintf(out, "accuracy %.4f (%zu of %zu)", metrics_accuracy(m), m->correct, m->count);
    if (m->classes > 5 && m->count > 0) {
        fprintf(out, ", top-5 %.4f", (double)m->correct5 / (double)m->count);
    }
    fputc('\n', out);
}

void metrics_json(const metrics *m, const char *const *names, FILE *out) {
    double count = m->count > 0 ? (double)m->count : NAN;
    fprintf(out, "\"count\": %zu, \"accuracy\": ", m->count);
    json_number(out, metrics_accuracy(m));
    fprintf(out, ", \"top5_accuracy\": ");
    json_number(out, (double)m->correct5 / count);
    fprintf(out, ", \"loss\": ");
    json_number(out, m->loss / count);
    fprintf(out, ", \"classes\": [");
    for (size_t c = 0; c < m->classes; c++) {
        class_metrics of = metrics_of_class(m, c);
        fprintf(out, "%s{\"name\": ", c > 0 ? ", " : "");
        json_string(out, names[c]);
        fprintf(out, ", \"samples\": %zu, \"precision\": ", of.support);
        json_number(out, of.precision);
        fprintf(out, ", \"recall\": ");
        json_number(out, of.recall);
        fprintf(out, ", \"f1\": ");
        json_number(out, of.f1);
        fputc('}', out);
    }
    fprintf(out, "], \"confusion\": [");
    for (size_t a = 0; a < m->classes; a++) {
        fprintf(out, "%s[", a > 0 ? ", " : "");
        for (size_t p = 0; p < m->classes; p++) {
            fprintf(out, "%s%u", p > 0 ? ", " : "", m->confusion[a * m->classes + p]);
        }
        fputc(']', out);
    }
    fputc(']', out);
}
