/* Pictures of the report: those that were taken for another class, and those that were left out. */
#include "compiler/cli/cli.h"
#include "compiler/cli/data/thumbnail.h"
#include "compiler/cli/train/report.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_SHOWN = 24, MOST_NOTES = 200 };

typedef struct mistake {
    size_t item, predicted;
    float score;
} mistake;

static int by_score(const void *a, const void *b) {
    float x = ((const mistake *)a)->score, y = ((const mistake *)b)->score;
    return x > y ? -1 : x < y;
}

static size_t find_mistakes(const training *t, mistake *out) {
    size_t found = 0, classes = t->data.class_count;
    for (size_t k = 0; k < t->held_count; k++) {
        const float *scores = t->scores + k * classes;
        size_t best = metrics_best(scores, classes), item = t->held_items[k];
        if (best != t->data.items[item].label) {
            out[found++] = (mistake){item, best, scores[best]};
        }
    }
    if (found > 0) {
        qsort(out, found, sizeof *out, by_score);
    }
    return found;
}

/* The path as it goes on from the data's folder. */
static const char *name_of(const training *t, const data_item *item) {
    size_t length = strlen(t->data_path);
    if (item->path == NULL) {
        return NULL;
    }
    bool inside = strncmp(item->path, t->data_path, length) == 0 && item->path[length] == '/';
    return inside ? item->path + length + 1 : item->path;
}

static kiln_status write_mistake(const training *t, const mistake *m, FILE *out,
                                 kiln_error *error) {
    const data_item *item = &t->data.items[m->item];
    const char *name = name_of(t, item);
    fprintf(out, "<figure>");
    kiln_status status = thumbnail_write(&t->data, item, out, error);
    fprintf(out, "<figcaption>");
    html_text(out, t->data.classes[item->label]);
    fprintf(out, "<br>taken for ");
    html_text(out, t->data.classes[m->predicted]);
    fprintf(out, " (%.2f)<br><small>", (double)m->score);
    if (name != NULL) {
        html_text(out, name);
    } else {
        fprintf(out, "sample %zu", item->index);
    }
    fprintf(out, "</small></figcaption></figure>\n");
    return status;
}

kiln_status report_mistakes(const training *t, FILE *out, kiln_error *error) {
    mistake *mistakes = malloc((t->data.count + 1) * sizeof *mistakes);
    if (mistakes == NULL) {
        return kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    }
    kiln_status status = KILN_OK;
    size_t count = find_mistakes(t, mistakes);
    if (count > 0) {
        fprintf(out, "<h2>Worst mistakes</h2>\n<p>Samples held out that were taken for another "
                     "class, the surest first.</p>\n<div class=\"mistakes\">\n");
    }
    for (size_t k = 0; k < count && k < MOST_SHOWN && status == KILN_OK; k++) {
        status = write_mistake(t, &mistakes[k], out, error);
    }
    if (count > 0) {
        fprintf(out, "</div>\n");
    }
    if (count > MOST_SHOWN) {
        fprintf(out, "<p>And %zu more.</p>\n", count - MOST_SHOWN);
    }
    free(mistakes);
    return status;
}

static void write_notes(const char *title, const data_note *notes, size_t count, FILE *out) {
    if (count == 0) {
        return;
    }
    fprintf(out, "<details><summary>%zu %s</summary>\n<ul>\n", count, title);
    for (size_t k = 0; k < count && k < MOST_NOTES; k++) {
        fprintf(out, "<li>");
        html_text(out, notes[k].text);
        fprintf(out, "</li>\n");
    }
    if (count > MOST_NOTES) {
        fprintf(out, "<li>and %zu more</li>\n", count - MOST_NOTES);
    }
    fprintf(out, "</ul></details>\n");
}

void report_left_out(const training *t, FILE *out) {
    const data_set *d = &t->data;
    if (d->skipped_count + d->warning_count > 0) {
        fprintf(out, "<h2>Data</h2>\n");
    }
    write_notes("left out", d->skipped, d->skipped_count, out);
    write_notes("to look at", d->warnings, d->warning_count, out);
}
