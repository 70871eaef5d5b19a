/* Pictures by words: see paths.h. */
#include "compiler/cli/paths.h"
#include "compiler/cli/picture.h"
#include "runtime/base/files.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { LONGEST_PATH = 4096, DEEPEST = 64 };

kiln_status path_list_add(path_list *list, const char *path, kiln_error *error) {
    if (list->count == list->capacity) {
        size_t capacity = list->capacity == 0 ? 64 : list->capacity * 2;
        char **grown = realloc((void *)list->paths, capacity * sizeof *grown);
        if (grown == NULL) {
            return kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
        }
        list->paths = grown;
        list->capacity = capacity;
    }
    list->paths[list->count] = strdup(path);
    if (list->paths[list->count] == NULL) {
        return kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    }
    list->count++;
    return KILN_OK;
}

void path_list_free(path_list *list) {
    for (size_t k = 0; k < list->count; k++) {
        free(list->paths[k]);
    }
    free((void *)list->paths);
    *list = (path_list){0};
}

/* ---- Folders ------------------------------------------------------------------------------- */

bool path_is_hidden(const char *name) {
    return name[0] == '.' || strcmp(name, "__MACOSX") == 0;
}

static int not_itself(const struct dirent *entry) {
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static int by_name(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name);
}

static kiln_status walk(const char *folder, unsigned depth, path_list *inout_files,
                        folder_rest *inout_rest, kiln_error *error);

/* A link that leads nowhere is taken as a file, so that reading it says so. */
static kiln_status add_entry(const char *path, const char *name, unsigned depth,
                             path_list *inout_files, folder_rest *inout_rest, kiln_error *error) {
    struct stat itself, target;
    if (path_is_hidden(name)) {
        inout_rest->hidden++;
        return KILN_OK;
    }
    bool there = lstat(path, &itself) == 0;
    bool link = there && S_ISLNK(itself.st_mode);
    bool leads = there && stat(path, &target) == 0;
    if (leads && S_ISDIR(target.st_mode)) {
        inout_rest->links += link;
        return link ? KILN_OK : walk(path, depth + 1, inout_files, inout_rest, error);
    }
    if (leads && !S_ISREG(target.st_mode)) {
        inout_rest->special++;
        return KILN_OK;
    }
    inout_rest->nested += depth > 0;
    return path_list_add(inout_files, path, error);
}

static kiln_status walk(const char *folder, unsigned depth, path_list *inout_files,
                        folder_rest *inout_rest, kiln_error *error) {
    struct dirent **names = NULL;
    if (depth > DEEPEST) {
        return kiln_fail(error, KILN_ERROR_UNSUPPORTED, "%s: folders more than %d deep", folder,
                         DEEPEST);
    }
    int count = scandir(folder, &names, not_itself, by_name);
    if (count < 0) {
        return kiln_fail(error, errno == ENOMEM ? KILN_ERROR_MEMORY : KILN_ERROR_IO, "%s: %s",
                         folder, strerror(errno));
    }
    kiln_status status = KILN_OK;
    bool slash = folder[0] != '\0' && folder[strlen(folder) - 1] == '/';
    for (int k = 0; k < count; k++) {
        char path[LONGEST_PATH];
        const char *name = names[k]->d_name;
        int length = snprintf(path, sizeof path, "%s%s%s", folder, slash ? "" : "/", name);
        if (status == KILN_OK && length >= (int)sizeof path) {
            status = kiln_fail(error, KILN_ERROR_IO, "%.200s...: the path is too long", folder);
        } else if (status == KILN_OK) {
            status = add_entry(path, name, depth, inout_files, inout_rest, error);
        }
        free(names[k]);
    }
    free((void *)names);
    return status;
}

kiln_status paths_in_folder(const char *folder, path_list *inout_files, folder_rest *inout_rest,
                            kiln_error *error) {
    return walk(folder, 0, inout_files, inout_rest, error);
}

/* ---- Words --------------------------------------------------------------------------------- */

/* Whether the first bytes are no picture's; a file that cannot be opened, or whose codec is not
 * there, may be one, so that the user is told of it. */
static bool is_foreign(const char *path) {
    kiln_span bytes;
    if (file_map(path, &bytes, NULL) != KILN_OK) {
        return false;
    }
    bool foreign = picture_check(bytes, NULL) == KILN_ERROR_FORMAT;
    file_unmap(bytes);
    return foreign;
}

static kiln_status add_folder(const char *folder, path_list *out_pictures, size_t *out_passed_over,
                              kiln_error *error) {
    path_list files = {0};
    folder_rest rest = {0};
    kiln_status status = paths_in_folder(folder, &files, &rest, error);
    *out_passed_over += rest.links + rest.special;
    for (size_t k = 0; k < files.count && status == KILN_OK; k++) {
        if (is_foreign(files.paths[k])) {
            *out_passed_over += 1;
        } else {
            status = path_list_add(out_pictures, files.paths[k], error);
        }
    }
    path_list_free(&files);
    return status;
}

static kiln_status add_word(const char *word, path_list *out_pictures, size_t *out_passed_over,
                            kiln_error *error) {
    struct stat about;
    bool folder = stat(word, &about) == 0 && S_ISDIR(about.st_mode);
    return folder ? add_folder(word, out_pictures, out_passed_over, error)
                  : path_list_add(out_pictures, word, error);
}

/* ---- Lists --------------------------------------------------------------------------------- */

/* The next line without its end; false: there is none. What does not fit, or holds a zero byte, is
 * no path. */
static bool read_line(FILE *in, char line[LONGEST_PATH], bool *out_sound) {
    size_t length = 0;
    int c;
    *out_sound = true;
    while ((c = getc(in)) != EOF && c != '\n') {
        if (length + 1 >= LONGEST_PATH || c == '\0') {
            *out_sound = false;
            return true;
        }
        line[length++] = (char)c;
    }
    bool any = c == '\n' || length > 0;
    length -= length > 0 && line[length - 1] == '\r';
    line[length] = '\0';
    return any;
}

static kiln_status add_lines(FILE *in, const char *name, path_list *out_pictures,
                             size_t *out_passed_over, kiln_error *error) {
    char line[LONGEST_PATH];
    bool sound;
    kiln_status status = KILN_OK;
    for (size_t number = 1; status == KILN_OK && read_line(in, line, &sound); number++) {
        if (!sound) {
            return kiln_fail(error, KILN_ERROR_FORMAT, "%s: line %zu is no path", name, number);
        }
        /* Editors of Windows begin UTF-8 with a byte order mark. */
        const char *path = number == 1 && strncmp(line, "\xef\xbb\xbf", 3) == 0 ? line + 3 : line;
        status = path[0] != '\0' ? add_word(path, out_pictures, out_passed_over, error) : KILN_OK;
    }
    return status == KILN_OK && ferror(in) != 0
               ? kiln_fail(error, KILN_ERROR_IO, "%s: %s", name, strerror(errno))
               : status;
}

static kiln_status add_list(const char *list, path_list *out_pictures, size_t *out_passed_over,
                            kiln_error *error) {
    if (strcmp(list, "-") == 0) {
        return add_lines(stdin, "standard input", out_pictures, out_passed_over, error);
    }
    FILE *in = fopen(list, "rbe");
    if (in == NULL) {
        return kiln_fail(error, KILN_ERROR_IO, "%s: %s", list, strerror(errno));
    }
    kiln_status status = add_lines(in, list, out_pictures, out_passed_over, error);
    (void)fclose(in);
    return status;
}

kiln_status paths_expand(char *const *words, size_t word_count, const char *list,
                         path_list *out_pictures, size_t *out_passed_over, kiln_error *error) {
    kiln_status status = KILN_OK;
    *out_pictures = (path_list){0};
    *out_passed_over = 0;
    for (size_t k = 0; k < word_count && status == KILN_OK; k++) {
        status = add_word(words[k], out_pictures, out_passed_over, error);
    }
    if (status == KILN_OK && list != NULL) {
        status = add_list(list, out_pictures, out_passed_over, error);
    }
    if (status == KILN_OK && out_pictures->count == 0) {
        status = kiln_fail(error, KILN_ERROR_ARGUMENT, "%s: no pictures",
                           word_count > 0 ? words[0]
                           : list != NULL ? list
                                          : "no words");
    }
    if (status != KILN_OK) {
        path_list_free(out_pictures);
    }
    return status;
}
