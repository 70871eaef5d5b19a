/* Whether standard input is one JSON text (RFC 8259) and nothing else: exit status 0 or 1. Values
 * are not looked at; what nests deeper than 64 is refused. */
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

typedef struct reader {
    int next;
    size_t at;
} reader;

static void advance(reader *r) {
    r->next = getchar();
    r->at++;
}

static bool take(reader *r, int c) {
    bool there = r->next == c;
    if (there) {
        advance(r);
    }
    return there;
}

static void skip_space(reader *r) {
    while (r->next != EOF && strchr(" \t\r\n", r->next) != NULL) {
        advance(r);
    }
}

static bool take_word(reader *r, const char *word) {
    while (*word != '\0' && take(r, *word)) {
        word++;
    }
    return *word == '\0';
}

static bool take_escape(reader *r) {
    if (take(r, 'u')) {
        for (int k = 0; k < 4; k++) {
            if (!isxdigit(r->next)) {
                return false;
            }
            advance(r);
        }
        return true;
    }
    bool known = r->next != EOF && strchr("\"\\/bfnrt", r->next) != NULL;
    advance(r);
    return known;
}

static bool take_string(reader *r) {
    if (!take(r, '"')) {
        return false;
    }
    while (r->next >= 0x20 && r->next != '"') {
        bool escape = r->next == '\\';
        advance(r);
        if (escape && !take_escape(r)) {
            return false;
        }
    }
    return take(r, '"');
}

static bool take_digits(reader *r) {
    bool some = isdigit(r->next);
    while (isdigit(r->next)) {
        advance(r);
    }
    return some;
}

static bool take_number(reader *r) {
    (void)take(r, '-');
    bool good = take(r, '0') || take_digits(r);
    if (good && take(r, '.')) {
        good = take_digits(r);
    }
    if (good && (take(r, 'e') || take(r, 'E'))) {
        (void)(take(r, '+') || take(r, '-'));
        good = take_digits(r);
    }
    return good;
}

static bool take_value(reader *r, int depth);

/* The members of an object or the elements of an array, after the opening bracket. */
static bool take_list(reader *r, int close, bool named, int depth) {
    skip_space(r);
    if (take(r, close)) {
        return true;
    }
    do {
        skip_space(r);
        if (named && !take_string(r)) {
            return false;
        }
        skip_space(r);
        if ((named && !take(r, ':')) || !take_value(r, depth + 1)) {
            return false;
        }
    } while (take(r, ','));
    return take(r, close);
}

static bool take_value(reader *r, int depth) {
    bool good;
    skip_space(r);
    if (depth > 64) {
        return false;
    }
    if (r->next == '"') {
        good = take_string(r);
    } else if (take(r, '{')) {
        good = take_list(r, '}', true, depth);
    } else if (take(r, '[')) {
        good = take_list(r, ']', false, depth);
    } else if (r->next == 't' || r->next == 'f') {
        good = take_word(r, r->next == 't' ? "true" : "false");
    } else if (r->next == 'n') {
        good = take_word(r, "null");
    } else {
        good = take_number(r);
    }
    skip_space(r);
    return good;
}

int main(void) {
    reader r = {0};
    advance(&r);
    bool good = take_value(&r, 0) && r.next == EOF;
    if (!good) {
        fprintf(stderr, "no JSON: stopped at byte %zu\n", r.at);
    }
    return good ? 0 : 1;
}
