/* Numbers in arguments. */
#include "compiler/cli/options.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

bool parse_number(const char *text, unsigned long low, unsigned long high, unsigned long *out) {
    char *end;
    errno = 0;
    *out = strtoul(text, &end, 10);
    return end != text && *end == '\0' && text[0] != '-' && errno == 0 && *out >= low &&
           *out <= high;
}

bool parse_real(const char *text, double *out) {
    char *end;
    *out = strtod(text, &end);
    return end != text && *end == '\0' && isfinite(*out);
}

bool parse_size(const char *text, uint64_t *out) {
    char *end = NULL;
    double number = strtod(text, &end);
    const char *units = "KMG", *unit = *end != '\0' ? strchr(units, *end) : NULL;
    double scale = 1;
    for (const char *u = units; unit != NULL && u <= unit; u++) {
        scale *= 1024;
    }
    bool sound = end != text && number >= 1 && number * scale < 1e15 &&
                 (*end == '\0' || (unit != NULL && end[1] == '\0'));
    *out = sound ? (uint64_t)(number * scale) : 0;
    return sound;
}
