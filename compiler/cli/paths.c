/* Pictures by words: see paths.h. */
#include "compiler/cli/paths.h"
#include "compiler/cli/picture.h"
#include "runtime/base/checksum.h"
#include "runtime/base/files.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { DEEPEST = 64 };

/* Gets each file that is named, in order; whether that was by a folder is `found`. */
typedef kiln_status (*path_taker)(void *context, const char *path, bool found, kiln_error *error);

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

/* Where the files of folders go. */
typedef struct walker {
    path_taker take;
    void *context;
    bool lists_files; /* lines of lists are files, and are not looked at */
    folder_rest rest;
} walker;

static kiln_status walk(const char *folder, unsigned depth, walker *w, kiln_error *error);

/* A link that leads nowhere is taken as a file, so that reading it says so. */
static kiln_status take_entry(const char *path, const char *name, unsigned depth, walker *w,
                              kiln_error *error) {
    struct stat itself, target;
    if (path_is_hidden(name)) {
        w->rest.hidden++;
        return KILN_OK;
    }
    bool there = lstat(path, &itself) == 0;
    bool link = there && S_ISLNK(itself.st_mode);
    bool leads = there && stat(path, &target) == 0;
    if (leads && S_ISDIR(target.st_mode)) {
        w->rest.links += link;
        return link ? KILN_OK : walk(path, depth + 1, w, error);
    }
    if (leads && !S_ISREG(target.st_mode)) {
        w->rest.special++;
        return KILN_OK;
    }
    w->rest.nested += depth > 0;
    return w->take(w->context, path, true, error);
}

static kiln_status walk(const char *folder, unsigned depth, walker *w, kiln_error *error) {
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
            status = take_entry(path, name, depth, w, error);
        }
        free(names[k]);
    }
    free((void *)names);
    return status;
}

static kiln_status add_file(void *context, const char *path, bool found, kiln_error *error) {
    (void)found;
    return path_list_add(context, path, error);
}

kiln_status paths_in_folder(const char *folder, path_list *inout_files, folder_rest *inout_rest,
                            kiln_error *error) {
    walker w = {.take = add_file, .context = inout_files, .rest = *inout_rest};
    kiln_status status = walk(folder, 0, &w, error);
    *inout_rest = w.rest;
    return status;
}

/* ---- Words and lists ----------------------------------------------------------------------- */

static kiln_status take_word(const char *word, walker *w, kiln_error *error) {
    struct stat about;
    bool folder = stat(word, &about) == 0 && S_ISDIR(about.st_mode);
    return folder ? walk(word, 0, w, error) : w->take(w->context, word, false, error);
}

bool path_line_read(FILE *in, char line[LONGEST_PATH], bool *out_sound) {
    size_t length = 0;
    int c;
    *out_sound = true;
    while ((c = getc(in)) != EOF && c != '\n') {
        if (length + 1 >= LONGEST_PATH || c == '\0') {
            *out_sound = false;
            break;
        }
        line[length++] = (char)c;
    }
    bool any = c != EOF || length > 0;
    length -= length > 0 && line[length - 1] == '\r';
    line[length] = '\0';
    return any;
}

static kiln_status take_lines(FILE *in, const char *name, walker *w, kiln_error *error) {
    char line[LONGEST_PATH];
    bool sound;
    kiln_status status = KILN_OK;
    for (size_t number = 1; status == KILN_OK && path_line_read(in, line, &sound); number++) {
        if (!sound) {
            return kiln_fail(error, KILN_ERROR_FORMAT, "%s: line %zu is no path", name, number);
        }
        /* Editors of Windows begin UTF-8 with a byte order mark. */
        const char *path = number == 1 && strncmp(line, "\xef\xbb\xbf", 3) == 0 ? line + 3 : line;
        if (path[0] != '\0') {
            status = w->lists_files ? w->take(w->context, path, false, error)
                                    : take_word(path, w, error);
        }
    }
    return status == KILN_OK && ferror(in) != 0
               ? kiln_fail(error, KILN_ERROR_IO, "%s: %s", name, strerror(errno))
               : status;
}

/* What is named. */
typedef struct named {
    char *const *words;
    size_t word_count;
    const char *list; /* its name; NULL: none */
    FILE *in;
} named;

static kiln_status open_list(named *n, const char *list, kiln_error *error) {
    n->list = list;
    if (list != NULL && strcmp(list, "-") == 0) {
        n->list = "standard input";
        n->in = stdin;
    } else if (list != NULL) {
        n->in = fopen(list, "rbe");
    }
    return list == NULL || n->in != NULL
               ? KILN_OK
               : kiln_fail(error, KILN_ERROR_IO, "%s: %s", list, strerror(errno));
}

static void close_list(const named *n) {
    if (n->in != NULL && n->in != stdin) {
        (void)fclose(n->in);
    }
}

static kiln_status take_named(const named *n, walker *w, kiln_error *error) {
    kiln_status status = KILN_OK;
    for (size_t k = 0; k < n->word_count && status == KILN_OK; k++) {
        status = take_word(n->words[k], w, error);
    }
    return status == KILN_OK && n->list != NULL ? take_lines(n->in, n->list, w, error) : status;
}

static kiln_status fail_of_none(const named *n, kiln_error *error) {
    return kiln_fail(error, KILN_ERROR_ARGUMENT, "%s: no pictures",
                     n->word_count > 0 ? n->words[0]
                     : n->list != NULL ? n->list
                                       : "no words");
}

/* ---- All ----------------------------------------------------------------------------------- */

typedef struct expansion {
    path_list *pictures;
    size_t passed_over;
} expansion;

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

static kiln_status add_picture(void *context, const char *path, bool found, kiln_error *error) {
    expansion *x = context;
    if (found && is_foreign(path)) {
        x->passed_over++;
        return KILN_OK;
    }
    return path_list_add(x->pictures, path, error);
}

kiln_status paths_expand(char *const *words, size_t word_count, const char *list,
                         path_list *out_pictures, size_t *out_passed_over, kiln_error *error) {
    named n = {.words = words, .word_count = word_count};
    expansion x = {.pictures = out_pictures};
    walker w = {.take = add_picture, .context = &x};
    *out_pictures = (path_list){0};
    kiln_status status = open_list(&n, list, error);
    if (status == KILN_OK) {
        status = take_named(&n, &w, error);
    }
    close_list(&n);
    if (status == KILN_OK && out_pictures->count == 0) {
        status = fail_of_none(&n, error);
    }
    if (status != KILN_OK) {
        path_list_free(out_pictures);
    }
    *out_passed_over = x.passed_over + w.rest.links + w.rest.special;
    return status;
}

/* ---- Shards -------------------------------------------------------------------------------- */

/* Two passes: the first counts and hashes, the second keeps what is asked for. */
typedef struct sharing {
    const shard_range *range;
    path_shards *shards;
    expansion kept;
    uint64_t count, hash; /* of this pass */
    bool keeps;           /* the second pass */
    uint32_t next;        /* the shard that begins next */
} sharing;

/* The first file of shard k. */
static uint64_t begin_of(const sharing *s, uint32_t k) {
    uint64_t count = s->shards->count, of = s->range->of;
    return count / of * k + count % of * k / of;
}

/* Begins all shards, up to the one after the last that is asked for, that begin up to a file. */
static void begin_shards(sharing *s, uint64_t number) {
    while (s->next <= s->range->last + 1 && begin_of(s, s->next) <= number) {
        if (s->next >= s->range->first) {
            s->shards->begins[s->next - s->range->first] = s->shards->pictures.count;
        }
        s->next++;
    }
}

static kiln_status share_file(void *context, const char *path, bool found, kiln_error *error) {
    sharing *s = context;
    uint64_t number = s->count++;
    s->hash = checksum_with_seed(path, strlen(path) + 1, s->hash);
    if (!s->keeps) {
        return KILN_OK;
    }
    begin_shards(s, number);
    bool ours = s->next > s->range->first && s->next <= s->range->last + 1;
    return ours ? add_picture(&s->kept, path, found, error) : KILN_OK;
}

static kiln_status share(const named *n, sharing *s, kiln_error *error) {
    off_t begin = n->list != NULL ? ftello(n->in) : 0;
    walker w = {.take = share_file, .context = s, .lists_files = true};
    path_shards *p = s->shards;
    kiln_status status = take_named(n, &w, error);
    p->count = s->count;
    p->fingerprint = s->hash;
    if (status == KILN_OK && p->count == 0) {
        status = fail_of_none(n, error);
    }
    if (status == KILN_OK && n->list != NULL && fseeko(n->in, begin, SEEK_SET) != 0) {
        status = kiln_fail(error, KILN_ERROR_IO, "%s: %s", n->list, strerror(errno));
    }
    w.rest = (folder_rest){0};
    s->count = s->hash = 0;
    s->keeps = true;
    if (status == KILN_OK) {
        status = take_named(n, &w, error);
    }
    if (status == KILN_OK && s->hash != p->fingerprint) {
        status =
            kiln_fail(error, KILN_ERROR_IO, "the pictures have changed while they were listed");
    }
    begin_shards(s, p->count);
    p->passed_over = s->kept.passed_over + w.rest.links + w.rest.special;
    return status;
}

/* Both passes read the list, so that one from a pipe is copied first. */
static kiln_status copy_pipe(named *n, file_writer *out_copy, kiln_error *error) {
    char bytes[1 << 14];
    size_t got;
    kiln_status status = file_begin_scratch(out_copy, error);
    while (status == KILN_OK && (got = fread(bytes, 1, sizeof bytes, n->in)) > 0) {
        status = file_write(out_copy, bytes, got, error);
    }
    if (status == KILN_OK && ferror(n->in) != 0) {
        status = kiln_fail(error, KILN_ERROR_IO, "%s: %s", n->list, strerror(errno));
    }
    if (status == KILN_OK) {
        rewind(out_copy->file);
        close_list(n);
        n->in = out_copy->file;
    }
    return status;
}

static kiln_status open_shards(named *n, sharing *s, const char *list, kiln_error *error) {
    file_writer copy = {.file = NULL};
    kiln_status status = open_list(n, list, error);
    if (status == KILN_OK && list != NULL && fseek(n->in, 0, SEEK_CUR) != 0) {
        status = copy_pipe(n, &copy, error);
    }
    if (status == KILN_OK) {
        status = share(n, s, error);
    }
    if (n->in != copy.file) {
        close_list(n);
    }
    return copy.file != NULL ? file_end(&copy, status, error) : status;
}

kiln_status paths_shards(char *const *words, size_t word_count, const char *list,
                         const shard_range *range, path_shards *out_shards, kiln_error *error) {
    named n = {.words = words, .word_count = word_count};
    path_shards *p = out_shards;
    sharing s = {.range = range, .shards = p, .kept.pictures = &p->pictures};
    *p = (path_shards){.begins = calloc((size_t)range->last - range->first + 2, sizeof *p->begins)};
    kiln_status status = p->begins != NULL ? open_shards(&n, &s, list, error)
                                           : kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    if (status != KILN_OK) {
        path_shards_free(p);
    }
    return status;
}

void path_shards_free(path_shards *p) {
    path_list_free(&p->pictures);
    free(p->begins);
    *p = (path_shards){0};
}
