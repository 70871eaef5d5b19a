/* Linux tells of each core in /proc/cpuinfo, macOS and iOS by sysctl. */
#include "runtime/base/processor.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#ifdef __APPLE__
#include <sys/sysctl.h>
#endif

#define NAME_BYTES 88
#define CORE_BYTES 40

static char name[NAME_BYTES];
static pthread_once_t once = PTHREAD_ONCE_INIT;

#ifdef __APPLE__
static void find_out(void) {
    size_t size = sizeof name;
    if (sysctlbyname("machdep.cpu.brand_string", name, &size, NULL, 0) != 0) {
        size = sizeof name;
        if (sysctlbyname("hw.machine", name, &size, NULL, 0) != 0) {
            name[0] = '\0';
        }
    }
    name[sizeof name - 1] = '\0';
}
#else
/* Of a line "model\t\t: 17\n" of cpuinfo the value, where its key tells of a core's kind. */
static const char *kind_in(char *line) {
    static const char *const keys[] = {"CPU implementer", "CPU part",   "vendor_id",
                                       "cpu family",      "model\t\t:", "uarch"};
    char *colon = strchr(line, ':');
    if (colon == NULL || colon[1] != ' ') {
        return NULL;
    }
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
        if (strncmp(line, keys[k], strlen(keys[k])) == 0) {
            colon[2 + strcspn(colon + 2, "\n")] = '\0';
            return colon + 2;
        }
    }
    return NULL;
}

/* Appends to a text; false where that has no room. */
static bool append(char *text, size_t size, const char *separator, const char *more) {
    size_t length = strlen(text);
    int added = snprintf(text + length, size - length, "%s%s", length > 0 ? separator : "", more);
    return added >= 0 && (size_t)added < size - length;
}

/* A core's kind among those of the name, which plus signs part. */
static bool is_known(const char *core) {
    size_t length = strlen(core);
    for (const char *at = name; (at = strstr(at, core)) != NULL; at += length) {
        bool begins = at == name || at[-1] == '+';
        if (begins && (at[length] == '+' || at[length] == '\0')) {
            return true;
        }
    }
    return false;
}

static bool take_core(char *core) {
    bool fits = core[0] == '\0' || is_known(core) || append(name, sizeof name, "+", core);
    core[0] = '\0';
    return fits;
}

/* An empty line ends what is told of a core. */
static void find_out(void) {
    char line[256], core[CORE_BYTES] = "";
    bool fits = true;
    FILE *file = fopen("/proc/cpuinfo", "re");
    while (file != NULL && fits && fgets(line, sizeof line, file) != NULL) {
        const char *value = kind_in(line);
        fits = line[0] == '\n' ? take_core(core)
               : value != NULL ? append(core, sizeof core, ":", value)
                               : true;
    }
    fits = fits && take_core(core);
    if (!fits) {
        name[0] = '\0';
    }
    if (file != NULL) {
        (void)fclose(file);
    }
}
#endif

const char *processor_name(void) {
    (void)pthread_once(&once, find_out);
    return name;
}
