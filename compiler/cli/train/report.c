/* The report of training: one HTML page with nothing outside of it. */
#include "compiler/cli/cli.h"
#include "compiler/cli/data/thumbnail.h"
#include "compiler/cli/train/training.h"

#include <math.h>
#include <stdlib.h>

static const char style[] =
    "<style>\n"
    "body{font:15px/1.45 system-ui,sans-serif;margin:2em auto;max-width:70em;padding:0 1em;"
    "color:#1c2430;background:#fff}\n"
    "h1{font-size:1.5em}h2{font-size:1.15em;margin-top:2em}\n"
    "table{border-collapse:collapse}td,th{padding:.25em .7em;text-align:right}\n"
    "th{background:#f1f4f8;font-weight:600}td:first-child,th:first-child{text-align:left}\n"
    "tr+tr td{border-top:1px solid #e3e8ef}\n"
    ".curves{display:flex;flex-wrap:wrap;gap:2em}\n"
    ".mistakes{display:flex;flex-wrap:wrap;gap:1em}\n"
    "figure{margin:0;width:128px;font-size:.85em}figure img{width:128px;display:block;"
    "border-radius:4px}\n"
    ".wide{overflow-x:auto}.matrix{font-size:.8em}\n"
    ".matrix td,.matrix th{padding:.2em .45em;text-align:center;min-width:1.6em}\n"
    ".matrix th{font-weight:400;background:none;text-align:right}\n"
    ".turned{writing-mode:vertical-rl;transform:rotate(180deg);max-height:11em}\n"
    "svg text{font:12px system-ui,sans-serif;fill:#5b6675}\n"
    "</style>\n";

/* ---- Curves -------------------------------------------------------------------------------- */

enum { WIDTH = 460, HEIGHT = 260, LEFT = 46, BOTTOM = 28, TOP = 12, RIGHT = 10 };

typedef struct chart {
    FILE *out;
    const kiln_epoch *epochs;
    size_t count;
    double low, high;
} chart;

static float value_of(const kiln_epoch *e, int series) {
    switch (series) {
    case 0:
        return e->loss;
    case 1:
        return e->validation_loss;
    case 2:
        return e->accuracy;
    default:
        return e->validation_accuracy;
    }
}

static double x_of(const chart *c, size_t k) {
    double share = c->count > 1 ? (double)k / (double)(c->count - 1) : 0.5;
    return LEFT + share * (WIDTH - LEFT - RIGHT);
}

static double y_of(const chart *c, double value) {
    return HEIGHT - BOTTOM - (value - c->low) / (c->high - c->low) * (HEIGHT - BOTTOM - TOP);
}

static void write_series(const chart *c, int series, const char *colour, const char *name) {
    bool any = false;
    for (size_t k = 0; k < c->count; k++) {
        any = any || isfinite(value_of(&c->epochs[k], series));
    }
    if (!any) {
        return;
    }
    fprintf(c->out, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"2\" points=\"", colour);
    for (size_t k = 0; k < c->count; k++) {
        double value = (double)value_of(&c->epochs[k], series);
        if (isfinite(value)) {
            fprintf(c->out, "%.1f,%.1f ", x_of(c, k), y_of(c, value));
        }
    }
    fprintf(c->out, "\"><title>%s</title></polyline>\n", name);
    for (size_t k = 0; c->count <= 60 && k < c->count; k++) {
        double value = (double)value_of(&c->epochs[k], series);
        if (isfinite(value)) {
            fprintf(c->out,
                    "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"%s\"><title>%s, epoch %u: "
                    "%.4f</title></circle>\n",
                    x_of(c, k), y_of(c, value), colour, name, c->epochs[k].epoch, value);
        }
    }
}

static void write_axes(const chart *c, const char *title) {
    fprintf(c->out, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">%s by epoch</text>\n",
            (WIDTH + LEFT) / 2, HEIGHT - 4, title);
    for (int k = 0; k <= 4; k++) {
        double value = c->low + (c->high - c->low) * k / 4, y = y_of(c, value);
        fprintf(c->out,
                "<line x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"#e3e8ef\"/>"
                "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.3g</text>\n",
                LEFT, WIDTH - RIGHT, y, y, LEFT - 6, y + 4, value);
    }
}

static void write_chart(FILE *out, const kiln_epoch *epochs, size_t count, bool loss) {
    chart c = {.out = out, .epochs = epochs, .count = count, .low = 0, .high = loss ? 0 : 1};
    int first = loss ? 0 : 2;
    for (size_t k = 0; k < count && loss; k++) {
        for (int s = 0; s < 2; s++) {
            double value = (double)value_of(&epochs[k], s);
            c.high = isfinite(value) && value > c.high ? value : c.high;
        }
    }
    c.high = c.high > 0 ? c.high : 1;
    fprintf(out, "<svg width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" role=\"img\">\n", WIDTH,
            HEIGHT, WIDTH, HEIGHT);
    write_axes(&c, loss ? "loss" : "accuracy");
    write_series(&c, first, "#2f6fdb", "training");
    write_series(&c, first + 1, "#d9542b", "validation");
    fprintf(out, "</svg>\n");
}

static void write_curves(const training *t, FILE *out) {
    const kiln_epoch *epochs;
    size_t count = kiln_trainer_history(t->trainer, &epochs);
    fprintf(out,
            "<h2>Training</h2>\n<p><span style=\"color:#2f6fdb\">training</span>, <span "
            "style=\"color:#d9542b\">validation</span>; the weights kept are those after epoch "
            "%u.</p>\n<div class=\"curves\">\n",
            kiln_trainer_best_epoch(t->trainer));
    write_chart(out, epochs, count, true);
    write_chart(out, epochs, count, false);
    fprintf(out, "</div>\n");
}

/* ---- Tables -------------------------------------------------------------------------------- */

static void write_ratio(FILE *out, double value) {
    if (isfinite(value)) {
        fprintf(out, "<td>%.3f</td>", value);
    } else {
        fprintf(out, "<td>-</td>");
    }
}

static void write_classes(const training *t, FILE *out) {
    fprintf(out, "<h2>Classes</h2>\n<table><tr><th>class</th><th>samples</th><th>precision</th>"
                 "<th>recall</th><th>F1</th></tr>\n");
    for (size_t c = 0; c < t->results.classes; c++) {
        class_metrics of = metrics_of_class(&t->results, c);
        fprintf(out, "<tr><td>");
        html_text(out, t->data.classes[c]);
        fprintf(out, "</td><td>%zu</td>", of.support);
        write_ratio(out, of.precision);
        write_ratio(out, of.recall);
        write_ratio(out, of.f1);
        fprintf(out, "</tr>\n");
    }
    fprintf(out, "</table>\n");
}

static void write_confused(const training *t, FILE *out) {
    confused_pair pairs[10];
    size_t count = metrics_confused(&t->results, pairs, 10);
    if (count == 0) {
        fprintf(out, "<p>No class was taken for another.</p>\n");
        return;
    }
    fprintf(out, "<h2>Confused most</h2>\n<table><tr><th>class</th><th>taken for</th>"
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

static void write_cell(FILE *out, uint32_t count, size_t support, bool right) {
    double share = support > 0 ? (double)count / (double)support : 0;
    if (count == 0) {
        fprintf(out, "<td></td>");
        return;
    }
    fprintf(out, "<td style=\"background:rgba(%s,%.2f)\">%u</td>",
            right ? "47,111,219" : "217,84,43", 0.15 + 0.75 * share, count);
}

static void write_matrix(const training *t, FILE *out) {
    const metrics *m = &t->results;
    fprintf(out, "<h2>Confusion matrix</h2>\n<p>A row a class, a column what it was taken "
                 "for.</p>\n<div class=\"wide\"><table class=\"matrix\"><tr><th></th>");
    for (size_t c = 0; c < m->classes; c++) {
        fprintf(out, "<th><div class=\"turned\">");
        html_text(out, t->data.classes[c]);
        fprintf(out, "</div></th>");
    }
    fprintf(out, "</tr>\n");
    for (size_t a = 0; a < m->classes; a++) {
        fprintf(out, "<tr><th>");
        html_text(out, t->data.classes[a]);
        fprintf(out, "</th>");
        for (size_t p = 0; p < m->classes; p++) {
            write_cell(out, m->confusion[a * m->classes + p], metrics_of_class(m, a).support,
                       a == p);
        }
        fprintf(out, "</tr>\n");
    }
    fprintf(out, "</table></div>\n");
}

/* ---- Mistakes ------------------------------------------------------------------------------ */

typedef struct mistake {
    size_t item, predicted;
    float score;
} mistake;

static int by_score(const void *a, const void *b) {
    float x = ((const mistake *)a)->score, y = ((const mistake *)b)->score;
    return x > y ? -1 : x < y;
}

/* Validation items in the order in which their features were added. */
static size_t find_mistakes(const training *t, mistake *out) {
    size_t found = 0, row = 0, classes = t->data.class_count;
    for (size_t k = 0; k < t->data.count; k++) {
        if (!t->data.items[k].validation) {
            continue;
        }
        const float *scores = t->scores + row++ * classes;
        size_t best = metrics_best(scores, classes);
        if (best != t->data.items[k].label) {
            out[found++] = (mistake){k, best, scores[best]};
        }
    }
    if (found > 0) {
        qsort(out, found, sizeof *out, by_score);
    }
    return found;
}

static kiln_status write_mistakes(const training *t, FILE *out, kiln_error *error) {
    mistake *mistakes = malloc((t->data.count + 1) * sizeof *mistakes);
    if (mistakes == NULL) {
        return kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    }
    kiln_status status = KILN_OK;
    size_t count = find_mistakes(t, mistakes);
    if (count > 0) {
        fprintf(out, "<h2>Worst mistakes</h2>\n<p>Validation samples that were taken for another "
                     "class, the surest first.</p>\n<div class=\"mistakes\">\n");
    }
    for (size_t k = 0; k < count && k < 24 && status == KILN_OK; k++) {
        const data_item *item = &t->data.items[mistakes[k].item];
        fprintf(out, "<figure>");
        status = thumbnail_write(&t->data, item, out, error);
        fprintf(out, "<figcaption>");
        html_text(out, t->data.classes[item->label]);
        fprintf(out, "<br>taken for ");
        html_text(out, t->data.classes[mistakes[k].predicted]);
        fprintf(out, " (%.2f)</figcaption></figure>\n", (double)mistakes[k].score);
    }
    if (count > 0) {
        fprintf(out, "</div>\n");
    }
    free(mistakes);
    return status;
}

/* ---- The page ------------------------------------------------------------------------------ */

static void write_head(const training *t, FILE *out) {
    fprintf(out, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n<title>");
    html_text(out, t->plan_path);
    fprintf(out, "</title>\n<link rel=\"icon\" href=\"data:,\">\n%s</head><body>\n<h1>", style);
    html_text(out, t->plan_path);
    fprintf(out, "</h1>\n<p>%zu classes; %zu training and %zu validation samples; ",
            t->data.class_count, kiln_trainer_sample_count(t->trainer, KILN_TRAINING),
            kiln_trainer_sample_count(t->trainer, KILN_VALIDATION));
    if (t->backbone_path != NULL) {
        html_text(out, t->backbone_path);
        fprintf(out, " up to ");
        html_text(out, kiln_trainer_cut(t->trainer));
        fprintf(out, " (%zu features).", kiln_trainer_feature_count(t->trainer));
    } else {
        fprintf(out, "from scratch.");
    }
    if (t->results.count > 0) {
        fprintf(out, " <strong>Validation accuracy %.1f %%</strong> (%zu of %zu).",
                100 * metrics_accuracy(&t->results), t->results.correct, t->results.count);
    }
    fprintf(out, "</p>\n");
}

kiln_status report_write(const training *t, const char *path, kiln_error *error) {
    file_writer out;
    kiln_status status = file_begin(&out, path, error);
    if (status != KILN_OK) {
        return status;
    }
    write_head(t, out.file);
    write_curves(t, out.file);
    if (t->results.count > 0) {
        write_classes(t, out.file);
        write_confused(t, out.file);
        write_matrix(t, out.file);
        status = write_mistakes(t, out.file, error);
    }
    if (status == KILN_OK) {
        status = report_faces(t, out.file, error);
    }
    fprintf(out.file, "</body></html>\n");
    return file_end(&out, status, error);
}
