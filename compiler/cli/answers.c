/* Answers in several formats: see answers.h. */
#include "compiler/cli/answers.h"
#include "runtime/base/text.h"

#include <stdlib.h>
#include <string.h>

void answers_begin(answers *a, FILE *out, answer_format format, const char *header) {
    *a = (answers){.out = out, .format = format};
    if (format == ANSWERS_JSON) {
        fputc('[', out);
    } else if (format == ANSWERS_CSV) {
        fprintf(out, "%s\n", header);
    }
}

void answers_next(answers *a) {
    if (a->format == ANSWERS_JSON && a->count > 0) {
        fputs(",\n ", a->out);
    }
    a->count++;
}

void answers_close(const answers *a) {
    if (a->format != ANSWERS_JSON) {
        fputc('\n', a->out);
    }
}

void answers_end(const answers *a) {
    if (a->format == ANSWERS_JSON) {
        fputs("]\n", a->out);
    }
}

bool answers_are_objects(const answers *a) {
    return a->format == ANSWERS_JSON || a->format == ANSWERS_JSONL;
}

void csv_string(FILE *out, const char *text) {
    size_t room = strlen(text) * 4 + 16;
    char few[512], *escaped = room <= sizeof few ? few : malloc(room);
    const char *field =
        text_escape(text, escaped != NULL ? escaped : few, escaped != NULL ? room : sizeof few);
    bool quoted = strpbrk(field, ",\"") != NULL || field[0] == ' ' || field[0] == '\0';
    if (quoted) {
        fputc('"', out);
    }
    for (const char *at = field; *at != '\0'; at++) {
        fputs(*at == '"' ? "\"\"" : (char[]){*at, '\0'}, out);
    }
    if (quoted) {
        fputc('"', out);
    }
    if (escaped != few) {
        free(escaped);
    }
}

const char *answer_format_word(unsigned k) {
    static const char *const words[] = {"text", "json", "jsonl", "csv"};
    return k < sizeof words / sizeof *words ? words[k] : NULL;
}

int take_json(const command *self, void *at, const char *value) {
    (void)self;
    (void)value;
    *(answer_format *)at = ANSWERS_JSON;
    return 0;
}
