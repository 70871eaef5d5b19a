/* The report of training: one HTML page with nothing outside of it, as wide as the screen is. */
#include "compiler/cli/train/report.h"
#include "compiler/cli/cli.h"

#include <math.h>
#include <stdlib.h>

static const char style[] =
    "<style>\n"
    "body{font:15px/1.45 system-ui,sans-serif;margin:2em auto;max-width:70em;padding:0 1em;"
    "color:#1c2430;background:#fff;overflow-wrap:anywhere}\n"
    "h1{font-size:1.5em}h2{font-size:1.15em;margin-top:2em}\n"
    "table{border-collapse:collapse}td,th{padding:.25em .4em;text-align:right}\n"
    "th{background:#f1f4f8;font-weight:600}td,th{overflow-wrap:normal}\n"
    "td:first-child,.pairs td:nth-child(2),.settings td{overflow-wrap:anywhere}\n"
    "td:first-child,th:first-child{text-align:left}\n"
    "tr+tr td{border-top:1px solid #e3e8ef}.settings td,.pairs td:nth-child(2),.pairs "
    "th:nth-child(2){text-align:left}\n"
    ".curves{display:flex;flex-wrap:wrap;gap:2em}.curves svg{flex:1 1 300px;max-width:480px}\n"
    ".mistakes{display:flex;flex-wrap:wrap;gap:1em}\n"
    "figure{margin:0;width:128px;font-size:.85em}figure img{max-width:128px;display:block;"
    "border-radius:4px}\n"
    "small{color:#5b6675}details{margin:.5em 0}summary{cursor:pointer}ul{padding-left:1.2em}\n"
    "svg{width:100%;height:auto;display:block}\n"
    "svg text{font:12px system-ui,sans-serif;fill:#5b6675}\n"
    "</style>\n";

static void write_head(const training *t, FILE *out) {
    fprintf(out,
            "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
            "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n<title>");
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

/* NaN, which a class without samples has, counts as more than all. */
static int by_trouble(const void *a, const void *b) {
    const report_class *x = a, *y = b;
    double p = isnan(x->of.f1) ? INFINITY : x->of.f1, q = isnan(y->of.f1) ? INFINITY : y->of.f1;
    if (p < q || p > q) {
        return p < q ? -1 : 1;
    }
    if (x->of.support != y->of.support) {
        return x->of.support > y->of.support ? -1 : 1;
    }
    return x->index < y->index ? -1 : x->index > y->index;
}

static kiln_status write_results(const training *t, FILE *out, kiln_error *error) {
    report_class *classes = malloc((t->results.classes + 1) * sizeof *classes);
    if (classes == NULL) {
        return kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    }
    for (size_t c = 0; c < t->results.classes; c++) {
        classes[c] = (report_class){c, metrics_of_class(&t->results, c)};
    }
    qsort(classes, t->results.classes, sizeof *classes, by_trouble);
    kiln_status status = report_mistakes(t, out, error);
    report_confused(t, out);
    report_classes(t, classes, out);
    report_matrix(t, classes, out);
    free(classes);
    return status;
}

kiln_status report_write(const training *t, const char *path, kiln_error *error) {
    file_writer out;
    kiln_status status = file_begin(&out, path, error);
    if (status != KILN_OK) {
        return status;
    }
    write_head(t, out.file);
    report_curves(t, out.file);
    if (t->results.count > 0) {
        status = write_results(t, out.file, error);
    }
    if (status == KILN_OK) {
        status = report_faces(t, out.file, error);
    }
    report_settings(t, out.file);
    report_left_out(t, out.file);
    fprintf(out.file, "</body></html>\n");
    return file_end(&out, status, error);
}
