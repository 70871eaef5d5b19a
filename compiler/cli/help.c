/* What is told of a command: all of it from the command's own words and its options' rows. */
#include "compiler/cli/cli.h"

#include <string.h>

enum { WIDTH = 100, WIDEST_LABEL = 27 };

/* Words from `text` up to the end of its line, wrapped; the first line begins at column `at`, the
 * others at `indent`. Returns what follows the line. */
static const char *print_line(FILE *out, const char *text, size_t at, size_t indent) {
    bool first = true;
    while (*text != '\0' && *text != '\n') {
        size_t length = strcspn(text, " \n");
        if (!first && at + 1 + length > WIDTH) {
            fprintf(out, "\n%*s", (int)indent, "");
            at = indent;
            first = true;
        }
        fprintf(out, "%s%.*s", first ? "" : " ", (int)length, text);
        at += length + !first;
        first = false;
        text += length;
        text += *text == ' ';
    }
    fputc('\n', out);
    return *text == '\n' ? text + 1 : text;
}

static void print_text(FILE *out, const char *text) {
    while (*text != '\0') {
        text = print_line(out, text, 0, 0);
    }
}

static size_t widest_label(const option_row *row, size_t widest) {
    char label[128];
    for (; row->help != NULL; row++) {
        option_label(row, label, sizeof label);
        size_t length = strlen(label);
        widest = length > widest && length <= WIDEST_LABEL ? length : widest;
    }
    return widest;
}

static void print_rows(FILE *out, const option_row *row, size_t column) {
    char label[128], text[600];
    for (; row->help != NULL; row++) {
        if (row->kind == OPTION_HEADING) {
            fprintf(out, "\n%s\n", row->help);
            continue;
        }
        option_label(row, label, sizeof label);
        fprintf(out, "  %-*s  ", (int)column - 4, label);
        if (strlen(label) > column - 4) {
            fprintf(out, "\n%*s", (int)column, "");
        }
        option_description(row, text, sizeof text);
        (void)print_line(out, text, column, column);
    }
}

static void print_synopsis(FILE *out, const command *c) {
    const char *line = c->synopsis, *lead = "usage:";
    while (*line != '\0') {
        size_t length = strcspn(line, "\n");
        fprintf(out, "%-6s kiln %s %.*s\n", lead, c->name, (int)length, line);
        line += length + (line[length] == '\n');
        lead = "";
    }
}

static void print_examples(FILE *out, const char *examples) {
    bool one = strchr(examples, '\n') == NULL;
    fputs(one ? "\nExample: " : "\nExamples:\n", out);
    while (*examples != '\0') {
        size_t length = strcspn(examples, "\n");
        fprintf(out, "%s%.*s\n", one ? "" : "  ", (int)length, examples);
        examples += length + (examples[length] == '\n');
    }
}

int show_help(const command *c) {
    FILE *out = stdout;
    const option_row *common = options_common(c);
    size_t column = 4 + widest_label(common, widest_label(c->options, 0));
    print_synopsis(out, c);
    fputc('\n', out);
    print_text(out, c->about);
    bool grouped = c->options[0].kind == OPTION_HEADING;
    fputs(grouped ? "" : "\n", out);
    print_rows(out, c->options, column);
    fputs(grouped ? "\n" : "", out);
    print_rows(out, common, column);
    if (c->notes != NULL) {
        fputc('\n', out);
        print_text(out, c->notes);
    }
    if (c->examples != NULL) {
        print_examples(out, c->examples);
    }
    return 0;
}
