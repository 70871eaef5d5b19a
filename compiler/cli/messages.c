/* What a command tells its user on stderr. */
#include "compiler/cli/cli.h"

#include <inttypes.h>
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

void tell_passed_over(size_t count) {
    if (count > 0) {
        fprintf(stderr, "kiln: %zu file%s in folders passed over: no picture%s\n", count,
                count == 1 ? "" : "s", count == 1 ? "" : "s");
    }
}

void progress_show(const char *what, uint64_t done, uint64_t total) {
    static time_t start;
    start = done == 0 || start == 0 ? time(NULL) : start;
    if (isatty(STDERR_FILENO) == 0 || total == 0) {
        return;
    }
    char bar[31];
    size_t filled = (size_t)(done * 30 / total);
    memset(bar, ' ', 30);
    memset(bar, '=', filled);
    bar[30] = '\0';
    fprintf(stderr, "\r%s [%s] %" PRIu64 "/%" PRIu64, what, bar, done, total);
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
