/* Messages, numbers, JSON, files: what subcommands share. */
#include "compiler/cli/cli.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int fail(const kiln_error *error) {
    progress_clear();
    text_print(stderr, "kiln: %s\n", error->message);
    return EXIT_FAILED;
}

int usage(const command *c, const char *format, ...) {
    char text[sizeof((kiln_error *)NULL)->message];
    va_list arguments;
    va_start(arguments, format);
    text_format(text, sizeof text, format, arguments);
    va_end(arguments);
    fprintf(stderr, "kiln %s: %s (see: kiln help %s)\n", c->name, text, c->name);
    return EXIT_USAGE;
}

int show_help(const command *c) {
    fputs(c->help, stdout);
    return 0;
}

int usage_of_option(const command *c, int option, char **argv) {
    extern int optind;
    return usage(c, option == ':' ? "option %s needs a value" : "unknown option %s",
                 argv[optind - 1]);
}

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

void json_number(FILE *out, double value) {
    if (isfinite(value)) {
        fprintf(out, "%.9g", value);
    } else {
        fputs("null", out);
    }
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

/* ---- Files --------------------------------------------------------------------------------- */

kiln_status outputs_keep(const char *const *outputs, size_t output_count, const char *input,
                         kiln_error *error) {
    kiln_status status = KILN_OK;
    for (size_t k = 0; k < output_count && status == KILN_OK; k++) {
        status = file_keep(input, outputs[k], error);
    }
    return status;
}

kiln_status check_outputs(const char *const *outputs, size_t output_count,
                          const char *const *inputs, size_t input_count, kiln_error *error) {
    kiln_status status = KILN_OK;
    for (size_t i = 0; i < input_count && status == KILN_OK; i++) {
        status = outputs_keep(outputs, output_count, inputs[i], error);
    }
    for (size_t k = 0; k < output_count && status == KILN_OK; k++) {
        for (size_t o = 0; o < k && outputs[k] != NULL && status == KILN_OK; o++) {
            if (outputs[o] != NULL && file_is_same(outputs[o], outputs[k])) {
                status = kiln_fail(error, KILN_ERROR_ARGUMENT, "%s: two outputs in one file",
                                   outputs[k]);
            }
        }
        if (status == KILN_OK && outputs[k] != NULL) {
            status = file_try(outputs[k], error);
        }
    }
    return status;
}

static bool plans_are_read;

void read_plans(void) {
    plans_are_read = true;
}

kiln_status open_plan(const char *path, bool prepacked, kiln_plan **out_plan, kiln_error *error) {
    char packed_path[4096];
    kiln_plan_options options = {.prepacked_path = prepacked ? packed_path : NULL,
                                 .read_into_memory = plans_are_read};
    int length = snprintf(packed_path, sizeof packed_path, "%s.packed", path);
    if (length < 0 || (size_t)length >= sizeof packed_path) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT, "%.80s...: the path is too long", path);
    }
    return kiln_plan_open(path, &options, out_plan, error);
}

/* ---- Progress ------------------------------------------------------------------------------ */

void progress_show(const char *what, size_t done, size_t total) {
    static time_t start;
    start = done == 0 || start == 0 ? time(NULL) : start;
    if (isatty(STDERR_FILENO) == 0 || total == 0) {
        return;
    }
    char bar[31];
    size_t filled = done * 30 / total;
    memset(bar, ' ', 30);
    memset(bar, '=', filled);
    bar[30] = '\0';
    fprintf(stderr, "\r%s [%s] %zu/%zu", what, bar, done, total);
    double passed = difftime(time(NULL), start);
    if (done > 0 && passed >= 2) {
        fprintf(stderr, ", %.0f s left ", passed * (double)(total - done) / (double)done);
    }
}

void progress_clear(void) {
    if (isatty(STDERR_FILENO) != 0) {
        fputs("\r\033[K", stderr);
    }
}

/* ---- Arguments ----------------------------------------------------------------------------- */

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

/* "1x3x224x224" or "Nx3x224x224". */
static bool parse_shape(const char *text, kiln_value *value) {
    while (value->rank < KILN_MAX_RANK) {
        char *end;
        if (value->rank == 0 && (text[0] == 'N' || text[0] == 'n')) {
            value->dims[0] = KILN_BATCH;
            end = (char *)(uintptr_t)(text + 1);
        } else {
            unsigned long dim = strtoul(text, &end, 10);
            if (end == text || dim == 0 || dim > INT32_MAX) {
                return false;
            }
            value->dims[value->rank] = (uint32_t)dim;
        }
        value->rank++;
        if (*end == '\0') {
            return true;
        }
        if (*end != 'x' && *end != ',') {
            return false;
        }
        text = end + 1;
    }
    return false;
}

kiln_status given_add(given_inputs *given, const char *argument, bool files, kiln_error *error) {
    const char *equals = strchr(argument, '=');
    if (given->count == MAX_GIVEN || equals == NULL || equals == argument) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT, "--input %s: expected %s, at most %d of them",
                         argument, files ? "NAME=FILE" : "NAME=1x3x224x224 or NAME=@FILE",
                         MAX_GIVEN);
    }
    size_t k = given->count, length = (size_t)(equals - argument);
    for (size_t before = 0; before < k; before++) {
        if (strlen(given->names[before]) == length &&
            memcmp(given->names[before], argument, length) == 0) {
            return kiln_fail(error, KILN_ERROR_ARGUMENT, "--input %s: is given twice",
                             given->names[before]);
        }
    }
    given->names[k] = strndup(argument, length);
    if (given->names[k] == NULL) {
        return kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    }
    given->count++;
    given->values[k] = (kiln_value){.name = given->names[k], .dtype = KILN_F32};
    if (files || equals[1] == '@') {
        given->paths[k] = equals + (equals[1] == '@' ? 2 : 1);
        kiln_status status = kiln_value_load(given->paths[k], &given->loaded[k], error);
        if (status == KILN_OK) {
            given->values[k] = *given->loaded[k];
            given->values[k].name = given->names[k];
        }
        return status;
    }
    return parse_shape(equals + 1, &given->values[k])
               ? KILN_OK
               : kiln_fail(error, KILN_ERROR_ARGUMENT,
                           "--input %s: '%s' is no shape such as 1x3x224x224 or Nx3x224x224",
                           argument, equals + 1);
}

void given_free(given_inputs *given) {
    for (size_t k = 0; k < given->count; k++) {
        kiln_value_free(given->loaded[k]);
        free(given->names[k]);
    }
}
