/* The confusion matrix: SVG that is as wide as the page lets it. Few classes have names and counts;
 * of many there are squares alone, and only where something is. */
#include "compiler/cli/cli.h"
#include "compiler/cli/train/report.h"

#include <string.h>

enum { MOST_NAMED = 40, CELL = 24, LETTERS = 16, LETTER = 7 };
enum { SHADES = 6, DOTS = 350 /* a square is at least so little of the matrix, or is not seen */ };

/* How much of a class a cell is: 0 (little) to SHADES - 1. */
static unsigned shade_of(uint32_t count, size_t support) {
    double share = support > 0 ? (double)count / (double)support : 0;
    unsigned shade = (unsigned)(share * SHADES);
    return shade < SHADES ? shade : SHADES - 1;
}

static double opacity_of(unsigned shade) {
    return 0.25 + 0.75 * (shade + 1) / SHADES;
}

static const char *colour_of(bool right) {
    return right ? "#2f6fdb" : "#d9542b";
}

static uint32_t count_of(const training *t, const report_class *classes, size_t row,
                         size_t column) {
    size_t actual = classes[row].index, predicted = classes[column].index;
    return t->results.confusion[actual * t->results.classes + predicted];
}

/* ---- Few classes ---------------------------------------------------------------------------- */

/* The beginning of a name that is long. */
static void write_name(const char *name, FILE *out) {
    char column[TEXT_COLUMN(LETTERS)];
    size_t length = strlen(text_column(name, LETTERS, column));
    while (length > 0 && column[length - 1] == ' ') {
        column[--length] = '\0';
    }
    html_text(out, column);
}

/* Room for the longest name. */
static int names_width(const training *t) {
    size_t longest = 0;
    for (size_t c = 0; c < t->data.class_count; c++) {
        size_t length = strlen(t->data.classes[c]);
        longest = length > longest ? length : longest;
    }
    return (int)(longest < LETTERS ? longest : LETTERS) * LETTER + LETTER * 2;
}

static void write_names(const training *t, const report_class *classes, size_t k, int names,
                        FILE *out) {
    const char *name = t->data.classes[classes[k].index];
    int at = names + (int)k * CELL + CELL / 2 + 4;
    fprintf(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">", names - 6, at);
    write_name(name, out);
    fprintf(out, "</text><text transform=\"translate(%d %d) rotate(-90)\">", at, names - 6);
    write_name(name, out);
    fprintf(out, "</text>\n");
}

static void write_cell(const training *t, const report_class *classes, size_t row, size_t column,
                       int names, FILE *out) {
    uint32_t count = count_of(t, classes, row, column);
    int x = names + (int)column * CELL, y = names + (int)row * CELL;
    if (count == 0) {
        return;
    }
    unsigned shade = shade_of(count, classes[row].of.support);
    fprintf(
        out,
        "<g><rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"%s\" "
        "fill-opacity=\"%.2f\"/><text x=\"%d\" y=\"%d\" text-anchor=\"middle\"%s>%u</text><title>",
        x, y, CELL - 1, CELL - 1, colour_of(row == column), opacity_of(shade), x + CELL / 2,
        y + CELL / 2 + 4, shade >= SHADES / 2 ? " style=\"fill:#fff\"" : "", count);
    html_text(out, t->data.classes[classes[row].index]);
    fprintf(out, row == column ? " rightly: %u</title></g>\n" : " taken for ", count);
    if (row != column) {
        html_text(out, t->data.classes[classes[column].index]);
        fprintf(out, ": %u</title></g>\n", count);
    }
}

static void write_named(const training *t, const report_class *classes, FILE *out) {
    size_t count = t->results.classes;
    int names = names_width(t), side = names + (int)count * CELL;
    fprintf(out,
            "<svg class=\"matrix\" style=\"max-width:%dpx\" viewBox=\"0 0 %d %d\" role=\"img\">\n",
            side, side, side);
    for (size_t row = 0; row < count; row++) {
        write_names(t, classes, row, names, out);
        for (size_t column = 0; column < count; column++) {
            write_cell(t, classes, row, column, names, out);
        }
    }
    fprintf(out, "</svg>\n");
}

/* ---- Many ------------------------------------------------------------------------------------ */

static void write_squares(const training *t, const report_class *classes, bool right,
                          unsigned shade, double side, FILE *out) {
    size_t count = t->results.classes;
    bool any = false;
    for (size_t row = 0; row < count; row++) {
        for (size_t column = right ? row : 0; column < (right ? row + 1 : count); column++) {
            uint32_t cell = count_of(t, classes, row, column);
            if (cell == 0 || (row == column) != right ||
                shade_of(cell, classes[row].of.support) != shade) {
                continue;
            }
            fprintf(out, any ? "M%zu %zuh%.3gv%.3gh-%.3gz" : "<path d=\"M%zu %zuh%.3gv%.3gh-%.3gz",
                    column, row, side, side, side);
            any = true;
        }
    }
    if (any) {
        fprintf(out, "\" fill=\"%s\" fill-opacity=\"%.2f\"/>\n", colour_of(right),
                opacity_of(shade));
    }
}

static void write_unnamed(const training *t, const report_class *classes, FILE *out) {
    size_t count = t->results.classes;
    double side = count > DOTS ? (double)count / DOTS : 1;
    fprintf(
        out,
        "<svg class=\"matrix\" style=\"max-width:700px;border:1px solid #e3e8ef\" viewBox=\"0 0 "
        "%.6g %.6g\" role=\"img\">\n",
        (double)count + side, (double)count + side);
    for (unsigned shade = 0; shade < SHADES; shade++) {
        write_squares(t, classes, true, shade, side, out);
    }
    for (unsigned shade = 0; shade < SHADES; shade++) { /* above what is right */
        write_squares(t, classes, false, shade, side, out);
    }
    fprintf(out, "</svg>\n");
}

void report_matrix(const training *t, const report_class *classes, FILE *out) {
    fprintf(out, "<h2>Confusion matrix</h2>\n<p>A row a class, a column what it was taken for, in "
                 "the order of the table: blue what is right, red what is not.</p>\n");
    if (t->results.classes <= MOST_NAMED) {
        write_named(t, classes, out);
    } else {
        write_unnamed(t, classes, out);
    }
}
