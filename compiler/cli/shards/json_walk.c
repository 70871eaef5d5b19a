/* Walking through JSON: see json_walk.h. */
#include "compiler/cli/shards/json_walk.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { DEEPEST = 16, LONGEST = 1 << 14, LONGEST_NAME = 64 };

typedef struct walk {
    const char *at, *end;
    json_taker take;
    void *context;
    unsigned depth; /* of objects */
    char text[LONGEST];
} walk;

static void skip_space(walk *w) {
    while (w->at < w->end && strchr(" \t\r\n", *w->at) != NULL && *w->at != '\0') {
        w->at++;
    }
}

static bool take_char(walk *w, char c) {
    skip_space(w);
    bool there = w->at < w->end && *w->at == c;
    w->at += there;
    return there;
}

/* ---- Strings ------------------------------------------------------------------------------- */

static bool read_hex(walk *w, uint32_t *out) {
    *out = 0;
    for (int k = 0; k < 4; k++) {
        const char *digits = "0123456789abcdef";
        char c = w->at < w->end ? *w->at++ : '\0';
        c = (char)(c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c);
        const char *digit = c != '\0' ? strchr(digits, c) : NULL;
        if (digit == NULL) {
            return false;
        }
        *out = *out * 16 + (uint32_t)(digit - digits);
    }
    return true;
}

/* A code point behind "\u", of two where it takes a pair of surrogates. */
static bool read_point(walk *w, uint32_t *out) {
    uint32_t low;
    if (!read_hex(w, out) || *out == 0 || (*out >= 0xdc00 && *out < 0xe000)) {
        return false;
    }
    if (*out < 0xd800 || *out >= 0xdc00) {
        return true;
    }
    if (w->end - w->at < 2 || w->at[0] != '\\' || w->at[1] != 'u') {
        return false;
    }
    w->at += 2;
    if (!read_hex(w, &low) || low < 0xdc00 || low >= 0xe000) {
        return false;
    }
    *out = 0x10000 + ((*out - 0xd800) << 10) + (low - 0xdc00);
    return true;
}

static size_t put_point(char *out, uint32_t p) {
    static const uint32_t limits[3] = {0x80, 0x800, 0x10000};
    static const unsigned char marks[4] = {0, 0xc0, 0xe0, 0xf0};
    size_t more = 0;
    while (more < 3 && p >= limits[more]) {
        more++;
    }
    for (size_t k = more; k > 0; k--) {
        out[k] = (char)(0x80 | (p & 0x3f));
        p >>= 6;
    }
    out[0] = (char)(marks[more] | p);
    return more + 1;
}

static bool read_escape(walk *w, char *out, size_t *inout_length) {
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    char c = w->at < w->end ? *w->at++ : '\0';
    uint32_t point;
    const char *place = c != '\0' ? strchr(from, c) : NULL;
    if (place != NULL) {
        out[(*inout_length)++] = to[place - from];
        return true;
    }
    if (c != 'u' || !read_point(w, &point)) {
        return false;
    }
    *inout_length += put_point(out + *inout_length, point);
    return true;
}

static bool read_string(walk *w, char *out, size_t size) {
    size_t length = 0;
    if (!take_char(w, '"')) {
        return false;
    }
    while (w->at < w->end && *w->at != '"') {
        char c = *w->at++;
        if ((unsigned char)c < 0x20 || length + 5 > size) {
            return false;
        }
        if (c != '\\') {
            out[length++] = c;
        } else if (!read_escape(w, out, &length)) {
            return false;
        }
    }
    out[length] = '\0';
    return w->at < w->end && *w->at++ == '"';
}

/* ---- Values -------------------------------------------------------------------------------- */

static bool read_number(walk *w, double *out) {
    char digits[64], *end;
    size_t length = 0;
    while (w->at < w->end && length + 1 < sizeof digits && *w->at != '\0' &&
           strchr("+-.0123456789eE", *w->at) != NULL) {
        digits[length++] = *w->at++;
    }
    digits[length] = '\0';
    *out = strtod(digits, &end);
    return length > 0 && *end == '\0' && strchr("-0123456789", digits[0]) != NULL;
}

static bool read_word(walk *w, const char *word) {
    size_t length = strlen(word);
    bool there = (size_t)(w->end - w->at) >= length && memcmp(w->at, word, length) == 0;
    w->at += there ? length : 0;
    return there;
}

static bool read_value(walk *w, unsigned depth, const char *name);

static bool read_object(walk *w, unsigned depth) {
    char name[LONGEST_NAME];
    w->depth++;
    bool good = true, more = !take_char(w, '}');
    while (good && more) {
        good = read_string(w, name, sizeof name) && take_char(w, ':') &&
               read_value(w, depth + 1, name);
        more = good && take_char(w, ',');
        good = good && (more || take_char(w, '}'));
    }
    w->depth--;
    return good;
}

static bool read_array(walk *w, unsigned depth) {
    bool good = true, more = !take_char(w, ']');
    while (good && more) {
        good = read_value(w, depth + 1, NULL);
        more = good && take_char(w, ',');
        good = good && (more || take_char(w, ']'));
    }
    return good;
}

/* name: of the member; NULL: it is none. */
static bool read_value(walk *w, unsigned depth, const char *name) {
    double number = 0;
    bool string = false, good;
    skip_space(w);
    if (w->at == w->end || depth > DEEPEST) {
        return false;
    }
    switch (*w->at) {
    case '{':
        w->at++;
        return read_object(w, depth);
    case '[':
        w->at++;
        return read_array(w, depth);
    case '"':
        string = good = read_string(w, w->text, sizeof w->text);
        break;
    case 't':
        good = read_word(w, "true");
        break;
    case 'f':
        good = read_word(w, "false");
        break;
    case 'n':
        good = read_word(w, "null");
        break;
    default:
        good = read_number(w, &number);
        break;
    }
    if (good && name != NULL) {
        w->take(w->context, w->depth, name, string ? w->text : NULL, number);
    }
    return good;
}

bool json_walk(kiln_span text, json_taker take, void *context) {
    walk w; /* not set to zeros: 16 KiB, for each of many lines */
    w.at = text.data;
    w.end = w.at + text.size;
    w.take = take;
    w.context = context;
    w.depth = 0;
    bool good = read_value(&w, 0, NULL);
    skip_space(&w);
    return good && w.at == w.end;
}
