/* File names for arrays: see array_files.h. */
#include "compiler/cli/array_files.h"
#include "runtime/base/text.h"

#include <stdlib.h>
#include <string.h>

#define LONGEST 200 /* file systems take 255 bytes; what is added needs room */

/* Only what a shell, a terminal and the file systems of others take, too. */
static void make_stem(const char *prefix, const char *name, char out[LONGEST + 1]) {
    const char *parts[] = {prefix != NULL ? prefix : "", prefix != NULL ? "." : "",
                           name[0] != '\0' ? name : "output"};
    size_t used = 0;
    for (size_t k = 0; k < 3; k++) {
        uint32_t point;
        const char *at = parts[k];
        for (size_t bytes; (bytes = text_next(at, &point)) > 0 && used + bytes <= LONGEST;
             at += bytes) {
            bool fits = text_is_plain(point) &&
                        (point >= 0x80 || strchr("/\\:*?\"<>|~", (int)point) == NULL);
            memcpy(out + used, fits ? at : "_", fits ? bytes : 1);
            used += fits ? bytes : 1;
        }
    }
    out[used] = '\0';
}

static bool is_taken(const array_files *files, const char *path) {
    for (size_t k = 0; k < files->count; k++) {
        if (strcasecmp(files->names[k], path) == 0) {
            return true;
        }
    }
    return false;
}

const char *array_file(array_files *files, const char *folder, const char *prefix,
                       const char *name) {
    char stem[LONGEST + 1];
    size_t size = strlen(folder) + sizeof stem + 40;
    char **grown = realloc(files->names, (files->count + 1) * sizeof *grown);
    files->names = grown != NULL ? grown : files->names;
    char *path = grown != NULL ? malloc(size) : NULL;
    if (path == NULL) {
        return NULL;
    }
    make_stem(prefix, name, stem);
    snprintf(path, size, "%s/%s.npy", folder, stem);
    for (size_t copy = 2; is_taken(files, path); copy++) {
        snprintf(path, size, "%s/%s~%zu.npy", folder, stem, copy);
    }
    return files->names[files->count++] = path;
}

void array_files_free(array_files *files) {
    for (size_t k = 0; k < files->count; k++) {
        free(files->names[k]);
    }
    free(files->names);
    *files = (array_files){0};
}
