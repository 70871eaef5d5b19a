/* Curves of training: SVG. */
#include "compiler/cli/train/report.h"

#include <math.h>

enum { WIDTH = 480, HEIGHT = 280, LEFT = 48, BOTTOM = 40, TOP = 12, RIGHT = 14 };
enum { MOST_TICKS = 6, MOST_DOTS = 60 };

typedef struct chart {
    FILE *out;
    const kiln_epoch *epochs;
    size_t count;
    double first, last; /* epochs */
    double low, high, step;
} chart;

typedef float (*series)(const kiln_epoch *e);

static float loss_of(const kiln_epoch *e) {
    return e->loss;
}

static float validation_loss_of(const kiln_epoch *e) {
    return e->validation_loss;
}

static float accuracy_of(const kiln_epoch *e) {
    return e->accuracy;
}

static float validation_accuracy_of(const kiln_epoch *e) {
    return e->validation_accuracy;
}

static double x_of(const chart *c, double epoch) {
    double share = c->last > c->first ? (epoch - c->first) / (c->last - c->first) : 0.5;
    return LEFT + share * (WIDTH - LEFT - RIGHT);
}

static double y_of(const chart *c, double value) {
    return HEIGHT - BOTTOM - (value - c->low) / (c->high - c->low) * (HEIGHT - BOTTOM - TOP);
}

/* 1, 2 or 5 times a power of ten, at most MOST_TICKS of which make the range. */
static double nice_step(double range) {
    double power = pow(10, floor(log10(range / MOST_TICKS)));
    double step = power;
    for (int k = 0; step * MOST_TICKS < range; k++) {
        static const double factors[] = {2, 5, 10};
        step = power * factors[k];
    }
    return step;
}

/* ---- Drawing ------------------------------------------------------------------------------- */

static void write_series(const chart *c, series of, const char *colour, const char *name) {
    bool any = false;
    for (size_t k = 0; k < c->count; k++) {
        any = any || isfinite(of(&c->epochs[k]));
    }
    if (!any) {
        return;
    }
    fprintf(c->out, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"2\" points=\"", colour);
    for (size_t k = 0; k < c->count; k++) {
        double value = (double)of(&c->epochs[k]);
        if (isfinite(value)) {
            fprintf(c->out, "%.1f,%.1f ", x_of(c, c->epochs[k].epoch), y_of(c, value));
        }
    }
    fprintf(c->out, "\"><title>%s</title></polyline>\n", name);
    for (size_t k = 0; c->count <= MOST_DOTS && k < c->count; k++) {
        double value = (double)of(&c->epochs[k]);
        if (isfinite(value)) {
            fprintf(c->out,
                    "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"%s\"><title>%s, epoch %u: "
                    "%.4f</title></circle>\n",
                    x_of(c, c->epochs[k].epoch), y_of(c, value), colour, name, c->epochs[k].epoch,
                    value);
        }
    }
}

static void write_line(const chart *c, double x1, double x2, double y1, double y2) {
    fprintf(c->out, "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"#e3e8ef\"/>",
            x1, x2, y1, y2);
}

static void write_axes(const chart *c) {
    double bottom = HEIGHT - BOTTOM;
    int ticks = (int)((c->high - c->low) / c->step + 1e-3);
    for (int k = 0; k <= ticks; k++) {
        double value = c->low + k * c->step, y = y_of(c, value);
        write_line(c, LEFT, WIDTH - RIGHT, y, y);
        fprintf(c->out, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.6g</text>\n", LEFT - 6,
                y + 4, value);
    }
    double range = c->last - c->first, step = range > 0 ? fmax(1, nice_step(range)) : 1;
    int first = (int)ceil(c->first / step), last = (int)floor(c->last / step);
    for (int k = first; k <= last; k++) {
        double epoch = k * step;
        double x = x_of(c, epoch);
        write_line(c, x, x, bottom, bottom + 4);
        fprintf(c->out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%.0f</text>\n", x,
                bottom + 18, epoch);
    }
}

static void write_best(const chart *c, uint32_t best) {
    if ((double)best >= c->first && (double)best <= c->last) {
        double x = x_of(c, best);
        fprintf(c->out,
                "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\" stroke=\"#8a94a3\" "
                "stroke-dasharray=\"3 3\"><title>epoch %u: kept</title></line>\n",
                x, x, TOP, HEIGHT - BOTTOM, best);
    }
}

/* Losses from 0 on, unless they stay far above it; accuracies up to 1, from where they begin. */
static void set_range(chart *c, series a, series b, bool loss) {
    double least = INFINITY, most = 0;
    for (size_t k = 0; k < c->count; k++) {
        const double values[2] = {(double)a(&c->epochs[k]), (double)b(&c->epochs[k])};
        for (int s = 0; s < 2; s++) {
            least = isfinite(values[s]) && values[s] < least ? values[s] : least;
            most = isfinite(values[s]) && values[s] > most ? values[s] : most;
        }
    }
    bool from_zero = !isfinite(least) || (loss && least < 0.7 * most);
    c->low = from_zero ? 0 : loss ? least : fmin(fmax(least, 0), 0.95);
    c->high = !loss ? 1 : most > c->low ? most : c->low + 1;
    c->step = nice_step(c->high - c->low);
    c->low = floor(c->low / c->step + 1e-9) * c->step;
    c->high = loss ? ceil(c->high / c->step - 1e-9) * c->step : 1;
}

static void write_chart(const chart *like, uint32_t best, bool loss) {
    chart c = *like;
    series training = loss ? loss_of : accuracy_of;
    series validation = loss ? validation_loss_of : validation_accuracy_of;
    const char *title = loss ? "loss" : "accuracy";
    set_range(&c, training, validation, loss);
    fprintf(c.out, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s by epoch\">\n", WIDTH,
            HEIGHT, title);
    write_axes(&c);
    fprintf(c.out, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">%s by epoch</text>\n",
            (WIDTH + LEFT) / 2, HEIGHT - 4, title);
    write_best(&c, best);
    write_series(&c, training, "#2f6fdb", "training");
    write_series(&c, validation, "#d9542b", "validation");
    fprintf(c.out, "</svg>\n");
}

void report_curves(const training *t, FILE *out) {
    chart c = {.out = out};
    c.count = kiln_trainer_history(t->trainer, &c.epochs);
    if (kiln_trainer_epochs(t->trainer) == 0) {
        fprintf(out, "<h2>Training</h2>\n<p>None: the head is computed at once.</p>\n");
        return;
    }
    uint32_t best = kiln_trainer_best_epoch(t->trainer);
    c.first = c.epochs[0].epoch;
    c.last = c.epochs[c.count - 1].epoch;
    fprintf(out,
            "<h2>Training</h2>\n<p><span style=\"color:#2f6fdb\">training</span>, <span "
            "style=\"color:#d9542b\">validation</span>; epoch %u was kept.</p>\n"
            "<div class=\"curves\">\n",
            best);
    write_chart(&c, best, true);
    write_chart(&c, best, false);
    fprintf(out, "</div>\n");
}
