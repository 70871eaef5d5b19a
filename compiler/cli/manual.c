/* Manual pages, in the macros of man(7). */
#include "compiler/cli/generate.h"

#include <string.h>

/* Text of one line: hyphens that stay hyphens, no escapes, no requests. */
static void put_text(FILE *out, const char *text, size_t length) {
    if (length > 0 && (text[0] == '.' || text[0] == '\'')) {
        fputs("\\&", out);
    }
    for (size_t k = 0; k < length; k++) {
        if (text[k] == '\\') {
            fputs("\\e", out);
        } else {
            fprintf(out, text[k] == '-' ? "\\%c" : "%c", text[k]);
        }
    }
}

/* Lines, each after `before` and with `after` behind it; empty ones end paragraphs. */
static void put_lines(FILE *out, const char *text, const char *before, const char *after) {
    while (*text != '\0') {
        size_t length = strcspn(text, "\n");
        fputs(length > 0 ? before : ".PP", out);
        put_text(out, text, length);
        fputs(length > 0 ? after : "\n", out);
        text += length + (text[length] == '\n');
    }
}

static void put_rows(FILE *out, const option_row *row) {
    for (; row->help != NULL; row++) {
        char text[600];
        if (row->kind == OPTION_HEADING) {
            fputs(".SS ", out);
        } else {
            option_label(row, text, sizeof text);
            fputs(".TP\n.B ", out);
            put_text(out, text, strlen(text));
            fputc('\n', out);
        }
        option_description(row, text, sizeof text);
        put_text(out, text, strlen(text));
        fputc('\n', out);
    }
}

static void put_title(FILE *out, const char *name, const char *command, const char *summary) {
    fprintf(out, ".TH %s 1 \"\" \"Kiln " KILN_VERSION "\"\n.SH NAME\nkiln%s%s \\- ", name,
            command[0] != '\0' ? "\\-" : "", command);
    put_text(out, summary, strlen(summary));
    fputs("\n.SH SYNOPSIS\n", out);
}

void manual_print(FILE *out, const command *c) {
    char name[64];
    char synopsis[80];
    snprintf(name, sizeof name, "kiln-%s", c->name);
    snprintf(synopsis, sizeof synopsis, ".B kiln %s\n", c->name);
    put_title(out, name, c->name, c->summary);
    put_lines(out, c->synopsis, synopsis, "\n.br\n");
    fputs(".SH DESCRIPTION\n", out);
    put_lines(out, c->about, "", "\n");
    fputs(".SH OPTIONS\n", out);
    put_rows(out, c->options);
    put_rows(out, options_common(c));
    if (c->notes != NULL) {
        fputs(".SH NOTES\n", out);
        put_lines(out, c->notes, "", "\n");
    }
    if (c->examples != NULL) {
        fputs(".SH EXAMPLES\n.nf\n", out);
        put_lines(out, c->examples, "", "\n");
        fputs(".fi\n", out);
    }
    fputs(".SH \"SEE ALSO\"\n.BR kiln (1)\n", out);
}

void manual_print_overview(FILE *out, const command *const *commands) {
    put_title(out, "kiln", "", "compile ONNX networks and run them");
    fputs(".B kiln\n.I command\n[options]\n.SH COMMANDS\n", out);
    for (size_t k = 0; commands[k] != NULL; k++) {
        fprintf(out, ".TP\n.BR kiln\\-%s (1)\n", commands[k]->name);
        put_text(out, commands[k]->summary, strlen(commands[k]->summary));
        fputc('\n', out);
    }
    fputs(".SH \"EXIT STATUS\"\n0 done, 1 failed, 2 wrong usage, 3 results differ\n"
          "(kiln\\-verify).\n",
          out);
}
