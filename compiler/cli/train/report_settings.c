/* What was asked of the training, and the thresholds that it found. */
#include "compiler/cli/cli.h"
#include "compiler/cli/train/report.h"

#include <math.h>

static void begin_row(FILE *out, const char *name) {
    fprintf(out, "<tr><td>%s</td><td>", name);
}

static void end_row(FILE *out) {
    fprintf(out, "</td></tr>\n");
}

static void write_text(FILE *out, const char *name, const char *text) {
    if (text != NULL) {
        begin_row(out, name);
        html_text(out, text);
        end_row(out);
    }
}

static void write_number(FILE *out, const char *name, double value) {
    begin_row(out, name);
    fprintf(out, "%.6g", value); /* most are f32 */
    end_row(out);
}

static void write_head(const training *t, FILE *out) {
    if (t->options.head.rule != KILN_RULE_DESCENT) {
        write_text(out, "head", kiln_rule_name(t->options.head.rule));
        return;
    }
    begin_row(out, "head");
    for (size_t k = 0; k < kiln_trainer_layer_count(t->trainer); k++) {
        kiln_dense_info layer;
        if (kiln_trainer_layer(t->trainer, k, &layer) == KILN_OK) {
            fprintf(out, "%s%zu %s", k > 0 ? ", " : "", layer.units,
                    kiln_activation_name(layer.activation));
        }
    }
    end_row(out);
}

static void write_split(const training *t, FILE *out) {
    begin_row(out, "validation");
    if (t->split.validation_path != NULL) {
        html_text(out, t->split.validation_path);
    } else if (held_out_in_folds(t)) {
        fprintf(out, "each once, in %u parts", t->options.folds);
    } else if (t->split.train_per_class > 0) {
        fprintf(out, "all but %u of each class", t->split.train_per_class);
    } else {
        fprintf(out, "%.3g of each class", t->split.validation);
    }
    end_row(out);
}

static void write_descent(const training *t, FILE *out) {
    const kiln_train_options *o = &t->options;
    write_text(out, "start", kiln_start_name(o->start));
    write_text(out, "loss", kiln_loss_name(o->loss));
    write_text(out, "optimizer", o->optimizer);
    write_number(out, "learning rate", (double)o->learning_rate);
    write_text(out, "schedule", kiln_schedule_name(o->schedule));
    write_number(out, "epochs, at most", kiln_trainer_epochs(t->trainer));
    write_number(out, "batch size", o->batch_size);
    if (o->patience > 0) {
        write_number(out, "patience", o->patience);
    }
}

static void write_strangers(const training *t, FILE *out) {
    kiln_people_threshold found;
    if (t->people != NULL && kiln_people_decide(t->people, 0, &found, NULL) == KILN_OK) {
        begin_row(out, "strangers are refused below a similarity of");
        fprintf(out, "%.3f; at most %.3g %% of them pass (by %zu scores of %zu people)",
                (double)found.similarity, 100 * found.rate, found.scores, found.groups);
        end_row(out);
    }
}

static void write_thresholds(const training *t, FILE *out) {
    fprintf(out, "<h2>Thresholds</h2>\n<table class=\"settings\">\n");
    begin_row(out, "temperature of probabilities");
    fprintf(out, is_calibrated(t) ? "%.4g" : "not calibrated", (double)t->temperature);
    end_row(out);
    write_strangers(t, out);
    if (t->has_threshold) {
        begin_row(out, "two pictures show one class from a similarity of");
        fprintf(out, "%.3f on", t->same_threshold);
        end_row(out);
    }
    fprintf(out, "</table>\n");
}

void report_settings(const training *t, FILE *out) {
    const kiln_train_options *o = &t->options;
    fprintf(out, "<h2>Settings</h2>\n<table class=\"settings\">\n");
    write_text(out, "data", t->data_path);
    write_split(t, out);
    write_text(out, "network", t->backbone_path);
    write_text(out, "faces, by", t->faces.detector);
    write_text(out, "preprocessing", t->preset);
    write_head(t, out);
    if (kiln_trainer_epochs(t->trainer) > 0) {
        write_descent(t, out);
    }
    if (kiln_trainer_refitted(t->trainer) > 0) {
        write_number(out, "trained anew on samples", (double)kiln_trainer_refitted(t->trainer));
    }
    if (t->source.variants > 0) {
        write_number(out, "variants of a picture", t->source.variants);
    }
    write_number(out, "seed", (double)o->seed);
    fprintf(out, "</table>\n");
    write_thresholds(t, out);
}
