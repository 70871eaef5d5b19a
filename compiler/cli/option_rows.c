/* What rows say of themselves, and the rows of several commands. */
#include "compiler/cli/cli.h"

#include <string.h>

void option_label(const option_row *row, char *out, size_t size) {
    char letter[8] = "", name[64] = "";
    if (row->letter != 0) {
        snprintf(letter, sizeof letter, "-%c%s", row->letter, row->name != NULL ? ", " : "");
    }
    if (row->name != NULL) {
        snprintf(name, sizeof name, "--%s", row->name);
    }
    snprintf(out, size, "%s%s%s%s", letter, name, row->value != NULL ? " " : "",
             row->value != NULL ? row->value : "");
}

void option_words(const option_row *row, char *out, size_t size) {
    size_t used = 0;
    const char *word;
    for (unsigned k = 0; (word = row->word(k)) != NULL && used < size; k++) {
        const char *between = k == 0 ? "" : row->word(k + 1) != NULL ? ", " : " or ";
        used += (size_t)snprintf(out + used, size - used, "%s%s", between, word);
    }
}

void option_description(const option_row *row, char *out, size_t size) {
    out[0] = '\0';
    if (row->word != NULL) {
        option_words(row, out, size);
    }
    size_t used = strlen(out);
    snprintf(out + used, size - used, "%s%s", used > 0 ? "; " : "", row->help);
}

static int take_no_mmap(const command *self, void *at, const char *value) {
    (void)self;
    (void)at;
    (void)value;
    read_plans();
    return 0;
}

static const option_row common[] = {
    {.kind = OPTION_CALL,
     .name = "no-mmap",
     .take = take_no_mmap,
     .help = "read plans into memory instead of mapping them, so that their files may change "
             "meanwhile"},
    {.kind = OPTION_CALL, .letter = 'h', .name = "help", .help = "tell all this"},
    OPTIONS_END,
};

const option_row *options_common(const command *self) {
    return self->opens_plan ? common : common + 1;
}

/* ---- Packed weights ------------------------------------------------------------------------ */

int take_prepacked(const command *self, void *at, const char *value) {
    (void)self;
    (void)value;
    *(packed_place *)at = PACKED_BESIDE;
    return 0;
}

int take_no_prepacked(const command *self, void *at, const char *value) {
    (void)self;
    (void)value;
    *(packed_place *)at = PACKED_NOWHERE;
    return 0;
}

/* ---- Presets ------------------------------------------------------------------------------- */

const char *preset_word(unsigned k) {
    static const char *const words[] = {"imagenet", "caffe", "tf", "none"};
    return k < sizeof words / sizeof *words ? words[k] : NULL;
}

int take_preset(const command *self, void *at, const char *value) {
    (void)self;
    (void)kiln_preprocess_preset(value, at); /* the words are all it knows */
    return 0;
}
