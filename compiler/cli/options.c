/* Reading options by their rows: see options.h. */
#include "compiler/cli/options.h"
#include "compiler/cli/cli.h"

#include <assert.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

int option_wrong(const command *self, const char *name, const char *value, const char *expected) {
    return usage(self, "--%s %s: expected %s", name, value, expected);
}

/* ---- Values -------------------------------------------------------------------------------- */

static int wrong_value(const command *self, const option_row *row, const char *value) {
    char text[200] = "a number";
    if (row->expected != NULL) {
        return option_wrong(self, row->name, value, row->expected);
    }
    if (row->word != NULL) {
        option_words(row, text, sizeof text);
    } else if (row->kind == OPTION_SIZE) {
        snprintf(text, sizeof text, "a size as 8M or 512K");
    } else if (row->low < row->high) {
        snprintf(text, sizeof text, "a number from %.9g to %.9g", row->low, row->high);
    }
    return option_wrong(self, row->name, value, text);
}

/* Stores the place of the word; false: there is no such word. */
static bool find_word(const option_row *row, const char *value, unsigned *out_place) {
    const char *word;
    for (unsigned k = 0; (word = row->word(k)) != NULL; k++) {
        if (strcmp(word, value) == 0) {
            *out_place = k;
            return true;
        }
    }
    return false;
}

/* A number of one of the kinds, to where it belongs. */
static bool take_number(const option_row *row, void *at, const char *value) {
    unsigned long number;
    uint64_t size;
    double real;
    switch (row->kind) {
    case OPTION_NUMBER:
        if (!parse_number(value, (unsigned long)row->low, (unsigned long)row->high, &number)) {
            return false;
        }
        memcpy(at, &(uint32_t){(uint32_t)number}, sizeof(uint32_t));
        return true;
    case OPTION_SIZE:
        if (!parse_size(value, &size)) {
            return false;
        }
        memcpy(at, &size, sizeof size);
        return true;
    default: /* OPTION_REAL, OPTION_SINGLE */
        if (!parse_real(value, &real) ||
            (row->low < row->high && (real < row->low || real > row->high))) {
            return false;
        }
        if (row->kind == OPTION_REAL) {
            memcpy(at, &real, sizeof real);
        } else {
            memcpy(at, &(float){(float)real}, sizeof(float));
        }
        return true;
    }
}

static int take(const command *self, const option_row *row, void *call, const char *value) {
    char *at = (char *)call + row->place;
    unsigned word = 0;
    if (row->word != NULL && !find_word(row, value, &word)) {
        return wrong_value(self, row, value);
    }
    switch (row->kind) {
    case OPTION_TEXT:
        memcpy(at, &value, sizeof value);
        return 0;
    case OPTION_CHOICE:
        memcpy(at, &word, sizeof word);
        return 0;
    case OPTION_SET:
    case OPTION_CLEAR:
        memcpy(at, &(bool){row->kind == OPTION_SET}, sizeof(bool));
        return 0;
    case OPTION_CALL:
        return row->take(self, at, value);
    default:
        return take_number(row, at, value) ? 0 : wrong_value(self, row, value);
    }
}

/* ---- Reading ------------------------------------------------------------------------------- */

enum { MOST_ROWS = 80, FIRST = 256 /* getopt's numbers of rows: beside all letters */ };

/* The rows in getopt's form. A row's number there is FIRST and its place. */
typedef struct reader {
    const option_row *rows[MOST_ROWS];
    size_t count;
    struct option names[MOST_ROWS + 1];
    char letters[2 * MOST_ROWS + 2];
} reader;

static void add_rows(reader *r, const option_row *row) {
    for (; row->help != NULL; row++) {
        if (row->kind != OPTION_HEADING) {
            assert(r->count < MOST_ROWS);
            r->rows[r->count++] = row;
        }
    }
}

static void make_reader(const command *self, reader *out_reader) {
    reader *r = out_reader;
    size_t names = 0, letters = 0;
    *r = (reader){.count = 0};
    add_rows(r, self->options);
    add_rows(r, options_common(self));
    r->letters[letters++] = ':'; /* missing values are told apart */
    for (size_t k = 0; k < r->count; k++) {
        const option_row *row = r->rows[k];
        if (row->name != NULL) {
            r->names[names++] =
                (struct option){row->name, row->value != NULL ? required_argument : no_argument,
                                NULL, FIRST + (int)k};
        }
        if (row->letter != 0) {
            r->letters[letters++] = row->letter;
            r->letters[letters] = ':';
            letters += row->value != NULL;
        }
    }
    r->letters[letters] = '\0';
}

static const option_row *row_of(const reader *r, int option) {
    for (size_t k = 0; k < r->count; k++) {
        if (option == FIRST + (int)k || (option < FIRST && option == r->rows[k]->letter)) {
            return r->rows[k];
        }
    }
    return NULL;
}

int options_read(const command *self, void *call, int *inout_argc, char ***inout_argv) {
    reader r;
    int status = 0, option;
    char **argv = *inout_argv;
    make_reader(self, &r);
    while (status == 0 &&
           (option = getopt_long(*inout_argc, argv, r.letters, r.names, NULL)) != -1) {
        const option_row *row = row_of(&r, option);
        if (row == NULL) {
            return usage(self, option == ':' ? "option %s needs a value" : "unknown option %s",
                         argv[optind - 1]);
        }
        if (row->take == NULL && row->kind == OPTION_CALL) { /* --help */
            return show_help(self);
        }
        status = take(self, row, call, optarg);
    }
    *inout_argv += optind;
    *inout_argc -= optind;
    return status != 0 ? status : OPTIONS_READ;
}
