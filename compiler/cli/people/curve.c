/* The page of an open set: who passes against who is named. */
#include "compiler/cli/cli.h"
#include "compiler/cli/people/open_set.h"

#include <math.h>

enum { WIDTH = 560, HEIGHT = 320, LEFT = 60, TOP = 20 };

static const char style[] =
    "body{font:15px system-ui,sans-serif;margin:16px auto;max-width:720px;padding:0 12px;"
    "color:#1b1f24;background:#fff}h1{font-size:21px;overflow-wrap:anywhere}"
    "table{border-collapse:collapse;width:100%}th,td{padding:4px 6px;border-bottom:1px solid "
    "#e3e6ea;text-align:right}th:first-child,td:first-child{text-align:left}"
    "svg{width:100%;height:auto}text{font:11px system-ui,sans-serif;fill:#555}";

/* Rates on a logarithmic axis, from the lowest that the strangers can show, at most 0.1 %. */
static double lowest_rate(const open_set *o) {
    double least = o->strangers.count > 0 ? 1 / (double)o->strangers.count : 0.001;
    return fmin(least, 0.001);
}

static double x_of(double rate, double lowest) {
    return LEFT + WIDTH * (1 - log10(fmax(rate, lowest)) / log10(lowest));
}

static double y_of(double named) {
    return TOP + HEIGHT * (1 - named);
}

static void write_axes(FILE *out, double lowest) {
    int decades = (int)floor(-log10(lowest) + 0.001);
    for (int k = 0; k <= decades; k++) {
        double rate = pow(10, -k), x = x_of(rate, lowest);
        fprintf(out,
                "<line x1='%.1f' x2='%.1f' y1='%d' y2='%d' stroke='#e3e6ea'/>"
                "<text x='%.1f' y='%d' text-anchor='middle'>%g %%</text>",
                x, x, TOP, TOP + HEIGHT, x, TOP + HEIGHT + 16, 100 * rate);
    }
    for (int k = 0; k <= 10; k += 2) {
        double y = y_of(k / 10.0);
        fprintf(out,
                "<line x1='%d' x2='%d' y1='%.1f' y2='%.1f' stroke='#e3e6ea'/>"
                "<text x='%d' y='%.1f' text-anchor='end'>%d %%</text>",
                LEFT, LEFT + WIDTH, y, y, LEFT - 6, y + 4, 10 * k);
    }
    fprintf(out,
            "<text x='%d' y='%d' text-anchor='middle'>strangers who pass (FPIR)</text>"
            "<text x='%d' y='%d'>people named (1 - FNIR)</text>",
            LEFT + WIDTH / 2, TOP + HEIGHT + 34, LEFT, TOP - 8);
}

static void write_curve(FILE *out, const open_set *o) {
    double lowest = lowest_rate(o);
    fprintf(out, "<svg viewBox='0 0 %d %d' role='img'>", LEFT + WIDTH + 24, TOP + HEIGHT + 44);
    write_axes(out, lowest);
    fprintf(out, "<polyline fill='none' stroke='#1f6feb' stroke-width='2' points='");
    for (size_t k = 0; k <= o->strangers.count; k++) {
        operating_point at = open_set_at(o, (double)k / fmax(1, (double)o->strangers.count));
        fprintf(out, "%.1f,%.1f ", x_of(at.passing.value, lowest), y_of(at.named.value));
    }
    double rate = share_of(o->passed, o->strangers.count).value;
    double named = share_of(o->named, o->known.count).value;
    fprintf(out,
            "'/><circle cx='%.1f' cy='%.1f' r='5' fill='#d1242f'><title>the plan's own "
            "threshold</title></circle></svg>",
            x_of(rate, lowest), y_of(named));
}

static void write_row(FILE *out, const char *what, share s) {
    fprintf(out, "<tr><td>%s</td><td>%.2f %%</td><td>%.2f to %.2f</td><td>%zu of %zu</td></tr>",
            what, 100 * s.value, 100 * s.low, 100 * s.high, s.of, s.all);
}

static void write_page(FILE *out, const open_set *o, const char *title) {
    fprintf(out, "<!DOCTYPE html><html lang='en'><head><meta charset='utf-8'><meta name='viewport' "
                 "content='width=device-width'><title>");
    html_text(out, title);
    fprintf(out, "</title><style>%s</style></head><body><h1>", style);
    html_text(out, title);
    fprintf(out,
            "</h1><p>Known where the similarity is %.3f or more, which was chosen so that at most "
            "%.3g %% of strangers pass (by %zu impostor scores of %zu people). The dot is this "
            "threshold, the curve are all others.</p>",
            (double)o->threshold.similarity, 100 * o->threshold.rate, o->threshold.scores,
            o->threshold.groups);
    if (o->strangers.count > 0 && o->known.count > 0) {
        write_curve(out, o);
    }
    fprintf(out, "<table><tr><th></th><th>share</th><th>95 %% (Wilson)</th><th>pictures</th></tr>");
    write_row(out, "strangers who pass (FPIR)", share_of(o->passed, o->strangers.count));
    write_row(out, "people not named (FNIR)", share_of(o->known.count - o->named, o->known.count));
    write_row(out, "named where 0.1 % of these strangers pass", open_set_at(o, 0.001).named);
    write_row(out, "named where 1 % of these strangers pass", open_set_at(o, 0.01).named);
    write_row(out, "named where 10 % of these strangers pass", open_set_at(o, 0.1).named);
    fprintf(out, "</table></body></html>\n");
}

kiln_status open_set_write(const open_set *o, const char *title, const char *path,
                           kiln_error *error) {
    file_writer out;
    kiln_status status = file_begin(&out, path, error);
    if (status == KILN_OK) {
        write_page(out.file, o, title);
        status = file_end(&out, KILN_OK, error);
    }
    return status;
}
