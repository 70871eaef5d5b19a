/* Texts and numbers as people, JSON and HTML take them. */
#include "compiler/cli/format.h"
#include "runtime/base/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *human_bytes(uint64_t bytes, char *buffer, size_t size) {
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 1024 && unit < 4) {
        value /= 1024;
        unit++;
    }
    snprintf(buffer, size, unit == 0 ? "%.0f %s" : "%.2f %s", value, units[unit]);
    return buffer;
}

/* U+FFFD, "replacement character", for bytes that are no UTF-8. */
void json_string(FILE *out, const char *text) {
    uint32_t point;
    fputc('"', out);
    for (size_t bytes; (bytes = text_next(text, &point)) > 0; text += bytes) {
        if (point == '"' || point == '\\') {
            fprintf(out, "\\%c", (int)point);
        } else if (point == TEXT_INVALID) {
            fputs("\\ufffd", out);
        } else if (!text_is_plain(point)) {
            fprintf(out, "\\u%04x", point);
        } else {
            (void)fwrite(text, 1, bytes, out);
        }
    }
    fputc('"', out);
}

void number_text(FILE *out, double value, const char *missing) {
    if (isfinite(value)) {
        fprintf(out, "%.9g", value);
    } else {
        fputs(missing, out);
    }
}

void json_number(FILE *out, double value) {
    number_text(out, value, "null");
}

void html_text(FILE *out, const char *text) {
    uint32_t point;
    for (size_t bytes; (bytes = text_next(text, &point)) > 0; text += bytes) {
        if (point < 0x80 && strchr("<>&\"'", (int)point) != NULL) {
            fprintf(out, "&#%u;", point);
        } else if (!text_is_plain(point)) { /* HTML has no place for some of them */
            fputs("&#xfffd;", out);
        } else {
            (void)fwrite(text, 1, bytes, out);
        }
    }
}

char *close_text(FILE *out, char *const *text) {
    if (fclose(out) != 0) {
        free(*text);
        return NULL;
    }
    return *text;
}
