/* Text from files: see text.h. */
#include "runtime/base/text.h"
#include "runtime/base/memory.h"

#include <string.h>

#define CUT "..."
#define ESCAPED 12      /* room for one character, escaped */
#define LONGEST 2048    /* what text_format looks at */
#define LONGEST_WORD 48 /* cut inside words that are longer */

size_t text_next(const char *text, uint32_t *out_point) {
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    const uint8_t *b = (const uint8_t *)text;
    size_t bytes = b[0] < 0x80 ? 1 : b[0] < 0xc0 ? 0 : b[0] < 0xe0 ? 2 : b[0] < 0xf0 ? 3 : 4;
    uint32_t point = bytes == 1 ? b[0] : bytes == 0 ? 0 : b[0] & (0x7fu >> bytes);
    *out_point = TEXT_INVALID;
    if (b[0] == '\0') {
        return 0;
    }
    for (size_t k = 1; k < bytes; k++) {
        if ((b[k] & 0xc0) != 0x80) {
            return 1;
        }
        point = point << 6 | (b[k] & 0x3fu);
    }
    bool sound = bytes > 0 && b[0] < 0xf8 && point >= least[bytes] && point <= 0x10ffff &&
                 (point < 0xd800 || point > 0xdfff);
    *out_point = sound ? point : TEXT_INVALID;
    return sound ? bytes : 1;
}

bool text_is_plain(uint32_t point) {
    bool control = point < 0x20 || (point >= 0x7f && point < 0xa0);
    bool turns = point == 0x61c || point == 0x200e || point == 0x200f ||
                 (point >= 0x2028 && point <= 0x202e) || (point >= 0x2066 && point <= 0x2069);
    return point != TEXT_INVALID && !control && !turns;
}

/* One character of `bytes` bytes. Returns the length. */
static size_t escape_one(const char *text, size_t bytes, uint32_t point, char out[ESCAPED]) {
    int length;
    if (text_is_plain(point)) {
        memcpy(out, text, bytes);
        length = (int)bytes;
    } else if (point == '\n' || point == '\t' || point == '\r') {
        length = snprintf(out, ESCAPED, "\\%c", point == '\n' ? 'n' : point == '\t' ? 't' : 'r');
    } else if (bytes == 1) {
        length = snprintf(out, ESCAPED, "\\x%02x", (unsigned)(uint8_t)text[0]);
    } else {
        length = snprintf(out, ESCAPED, "\\u%04x", (unsigned)point);
    }
    return (size_t)length;
}

/* Where a text of `used` bytes, of which `kept` may stay, is cut: at the last space. */
static size_t place_to_cut(const char *text, size_t kept) {
    for (size_t back = 0; back < LONGEST_WORD && back < kept; back++) {
        if (text[kept - back - 1] == ' ') {
            return kept - back;
        }
    }
    return kept;
}

const char *text_escape(const char *text, char *out, size_t size) {
    size_t used = 0, kept = 0, bytes;
    uint32_t point;
    for (; (bytes = text_next(text, &point)) > 0; text += bytes) {
        char one[ESCAPED];
        size_t length = escape_one(text, bytes, point, one);
        if (used + length >= size) {
            kept = place_to_cut(out, kept);
            memcpy(out + kept, CUT, sizeof CUT);
            return out;
        }
        memcpy(out + used, one, length);
        used += length;
        kept = used + sizeof CUT <= size ? used : kept;
    }
    out[used] = '\0';
    return out;
}

const char *text_column(const char *text, size_t width, char *out) {
    size_t used = 0, filled = 0, bytes;
    uint32_t point;
    for (; (bytes = text_next(text, &point)) > 0; text += bytes) {
        char one[ESCAPED];
        size_t length = escape_one(text, bytes, point, one);
        size_t columns = text_is_plain(point) ? 1 : length;
        if (filled + columns > width) {
            break;
        }
        memcpy(out + used, one, length);
        used += length;
        filled += columns;
    }
    memset(out + used, ' ', width - filled);
    out[used + width - filled] = '\0';
    return out;
}

void text_format(char *out, size_t size, const char *format, va_list arguments) {
    char raw[LONGEST];
    (void)vsnprintf(raw, sizeof raw, format, arguments);
    (void)text_escape(raw, out, size);
}

/* The line breaks at the format's ends are those at the text's. */
static void print_escaped(FILE *out, const char *format, char *text) {
    size_t before = strspn(format, "\n"), after = 0, length = strlen(text);
    for (size_t end = strlen(format); end > before && format[end - 1] == '\n'; end--) {
        after++;
    }
    /* A text that was cut for want of memory has lost its end. */
    after = length >= before + after && strspn(text + length - after, "\n") == after ? after : 0;
    (void)fwrite(text, 1, before, out);
    text[length - after] = '\0';
    uint32_t point;
    for (const char *at = text + before; *at != '\0';) {
        char one[ESCAPED];
        size_t bytes = text_next(at, &point);
        (void)fwrite(one, 1, escape_one(at, bytes, point, one), out);
        at += bytes;
    }
    (void)fwrite("\n\n\n\n", 1, after, out);
}

void text_print(FILE *out, const char *format, ...) {
    char few[LONGEST], *many = NULL;
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(few, sizeof few, format, arguments);
    if (length >= (int)sizeof few && (many = memory_take(NULL, (size_t)length + 1)) != NULL) {
        (void)vsnprintf(many, (size_t)length + 1, format, again);
    }
    va_end(again);
    va_end(arguments);
    print_escaped(out, format, many != NULL ? many : few);
    memory_free(many);
}

void text_list_add(char *list, size_t size, const char *item) {
    static const char more[] = ", ...";
    size_t used = strlen(list), length = strlen(item), between = used > 0 ? 2 : 0;
    bool ended = used >= strlen(CUT) && strcmp(list + used - strlen(CUT), CUT) == 0;
    if (ended) {
        return;
    }
    if (used + between + length + sizeof more <= size) {
        memcpy(list + used, ", ", between);
        memcpy(list + used + between, item, length + 1);
    } else if (used + sizeof more <= size) {
        memcpy(list + used, used > 0 ? more : CUT, used > 0 ? sizeof more : sizeof CUT);
    }
}
