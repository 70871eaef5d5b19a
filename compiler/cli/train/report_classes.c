/* Tables of the report: classes, and pairs of them that were confused. */
#include "compiler/cli/cli.h"
#include "compiler/cli/train/report.h"

#include <math.h>

enum { MOST_OPEN = 40, MOST_PAIRS = 20 }; /* rows that are shown without asking; pairs at all */

static void write_ratio(FILE *out, double value) {
    if (isfinite(value)) {
        fprintf(out, "<td>%.3f</td>", value);
    } else {
        fprintf(out, "<td>-</td>");
    }
}

static void write_rows(const training *t, const report_class *classes, size_t count, FILE *out) {
    fprintf(out, "<table><tr><th>class</th><th>samples</th><th>precision</th><th>recall</th>"
                 "<th>F1</th></tr>\n");
    for (size_t k = 0; k < count; k++) {
        fprintf(out, "<tr><td>");
        html_text(out, t->data.classes[classes[k].index]);
        fprintf(out, "</td><td>%zu</td>", classes[k].of.support);
        write_ratio(out, classes[k].of.precision);
        write_ratio(out, classes[k].of.recall);
        write_ratio(out, classes[k].of.f1);
        fprintf(out, "</tr>\n");
    }
    fprintf(out, "</table>\n");
}

void report_classes(const training *t, const report_class *classes, FILE *out) {
    size_t count = t->results.classes, open = count < MOST_OPEN ? count : MOST_OPEN;
    fprintf(out, "<h2>Classes</h2>\n<p>Of samples held out; those in most trouble first.</p>\n");
    write_rows(t, classes, open, out);
    if (count > open) {
        fprintf(out, "<details><summary>The other %zu classes</summary>\n", count - open);
        write_rows(t, classes + open, count - open, out);
        fprintf(out, "</details>\n");
    }
}

void report_confused(const training *t, FILE *out) {
    confused_pair pairs[MOST_PAIRS];
    size_t count = metrics_confused(&t->results, pairs, MOST_PAIRS);
    if (count == 0) {
        fprintf(out, "<p>No class was taken for another.</p>\n");
        return;
    }
    fprintf(out,
            "<h2>Confused most</h2>\n<table class=\"pairs\"><tr><th>class</th><th>taken for</th>"
            "<th>times</th></tr>\n");
    for (size_t k = 0; k < count; k++) {
        fprintf(out, "<tr><td>");
        html_text(out, t->data.classes[pairs[k].actual]);
        fprintf(out, "</td><td>");
        html_text(out, t->data.classes[pairs[k].predicted]);
        fprintf(out, "</td><td>%zu</td></tr>\n", pairs[k].count);
    }
    fprintf(out, "</table>\n");
}
