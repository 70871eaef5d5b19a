/* Reading parts: see part_set.h. */
#include "compiler/cli/shards/part_set.h"
#include "compiler/cli/row_writer.h"
#include "compiler/cli/shards/json_walk.h"
#include "runtime/base/checksum.h"
#include "runtime/base/files.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

enum { MOST_ABOUT = 1 << 16 };
#define MOST_EXACT 9007199254740992.0 /* whole numbers of doubles */

/* ---- PART.json ----------------------------------------------------------------------------- */

typedef struct about_reader {
    part_about *about;
    bool good;
} about_reader;

static void take_about(void *context, unsigned depth, const char *name, const char *string,
                       double number) {
    about_reader *r = context;
    part_about *a = r->about;
    struct {
        const char *name;
        char *text; /* NULL: a number */
        size_t size;
        uint64_t *number;
    } members[] = {
        {"command", a->command, sizeof a->command, NULL},
        {"kiln", a->kiln, sizeof a->kiln, NULL},
        {"network", a->network, sizeof a->network, NULL},
        {"detector", a->detector, sizeof a->detector, NULL},
        {"detector_key", a->detector_key, sizeof a->detector_key, NULL},
        {"settings", a->settings, sizeof a->settings, NULL},
        {"list", a->list, sizeof a->list, NULL},
        {"checksum", a->checksum, sizeof a->checksum, NULL},
        {"part", NULL, 0, &a->part},
        {"parts", NULL, 0, &a->parts},
        {"columns", NULL, 0, &a->columns},
        {"rows", NULL, 0, &a->rows},
        {"part_pictures", NULL, 0, &a->pictures},
    };
    for (size_t k = 0; depth == 1 && k < sizeof members / sizeof *members; k++) {
        if (strcmp(members[k].name, name) != 0) {
            continue;
        }
        if (members[k].text != NULL && string != NULL) {
            r->good = r->good && strlen(string) < members[k].size;
            snprintf(members[k].text, members[k].size, "%s", string);
        } else if (members[k].text == NULL) {
            bool whole = number >= 0 && number < MOST_EXACT;
            *members[k].number = whole ? (uint64_t)number : 0;
            r->good = r->good && whole && string == NULL;
        }
    }
}

static kiln_status read_about(const char *path, part_about *out_about, kiln_error *error) {
    char *text = NULL;
    size_t size;
    about_reader r = {out_about, true};
    *out_about = (part_about){.columns = 0};
    kiln_error why;
    kiln_status status = file_read(path, MOST_ABOUT, &text, &size, &why);
    if (status != KILN_OK) {
        return kiln_fail(error, status, "%s (a part without it is not finished)", why.message);
    }
    status = json_walk((kiln_span){text, size}, take_about, &r, &why);
    bool sound = status == KILN_OK && r.good && out_about->columns > 0 &&
                 out_about->columns < UINT32_MAX &&
                 out_about->rows <= SIZE_MAX / 8 / out_about->columns &&
                 strlen(out_about->checksum) == 16 && out_about->network[0] != '\0';
    kiln_free(text);
    if (!sound) {
        return kiln_fail(error, status != KILN_OK ? status : KILN_ERROR_FORMAT,
                         "%s: does not say what the part is%s%s", path,
                         status != KILN_OK ? ": " : "", status != KILN_OK ? why.message : "");
    }
    return strcmp(out_about->command, "embed") == 0
               ? KILN_OK
               : kiln_fail(error, KILN_ERROR_ARGUMENT,
                           "%s: made by kiln %s: features are made by kiln embed", path,
                           out_about->command);
}

/* ---- Opening ------------------------------------------------------------------------------- */

/* PATH.npy with another ending; from malloc. */
static char *sibling(const char *path, const char *ending) {
    size_t stem = strlen(path) - strlen("npy"), size = stem + strlen(ending) + 1;
    char *other = malloc(size);
    if (other != NULL) {
        snprintf(other, size, "%.*s%s", (int)stem, path, ending);
    }
    return other;
}

static kiln_status map_part(read_part *p, const char *lines, kiln_error *error) {
    char header[ROW_HEADER_BYTES];
    const row_writer written = {.columns = (size_t)p->about.columns, .count = p->about.rows};
    uint64_t bytes = sizeof header + p->about.rows * p->about.columns * sizeof(float);
    kiln_status status = file_map(p->path, &p->array, error);
    if (status == KILN_OK) {
        status = file_map(lines, &p->lines, error);
    }
    if (status != KILN_OK) {
        return status;
    }
    row_writer_header(&written, header);
    if (p->array.size != bytes || memcmp(p->array.data, header, sizeof header) != 0) {
        return kiln_fail(error, KILN_ERROR_FORMAT,
                         "%s: not the array of %" PRIu64 " x %" PRIu64 " f32 that kiln embed wrote",
                         p->path, p->about.rows, p->about.columns);
    }
    p->rows = (const float *)(const void *)((const char *)p->array.data + sizeof header);
    return KILN_OK;
}

static kiln_status open_part(const char *path, read_part *p, kiln_error *error) {
    size_t length = strlen(path);
    *p = (read_part){.path = strdup(path)};
    if (length < 4 || strcmp(path + length - 4, ".npy") != 0) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT, "%s: expected part-NNNNN.npy, or a folder",
                         path);
    }
    char *about = sibling(path, "json"), *lines = sibling(path, "jsonl");
    kiln_status status = p->path != NULL && about != NULL && lines != NULL
                             ? read_about(about, &p->about, error)
                             : kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    if (status == KILN_OK) {
        status = map_part(p, lines, error);
    }
    free(about);
    free(lines);
    return status;
}

/* Whether it goes with those before it. */
static kiln_status check_part(const part_set *set, const read_part *p, kiln_error *error) {
    const part_about *a = &p->about, *b = &set->parts[0].about;
    const char *pairs[][3] = {{"network", a->network, b->network},
                              {"detector", a->detector, b->detector},
                              {"detector", a->detector_key, b->detector_key},
                              {"options", a->settings, b->settings},
                              {"version of Kiln", a->kiln, b->kiln}};
    for (size_t k = 0; k < sizeof pairs / sizeof *pairs; k++) {
        if (strcmp(pairs[k][1], pairs[k][2]) != 0) {
            return kiln_fail(error, KILN_ERROR_ARGUMENT,
                             "%s and %s do not belong together: the %s differs ('%s', '%s')",
                             set->parts[0].path, p->path, pairs[k][0], pairs[k][2], pairs[k][1]);
        }
    }
    if (a->columns != b->columns) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT, "%s has %" PRIu64 " columns, %s %" PRIu64,
                         set->parts[0].path, b->columns, p->path, a->columns);
    }
    for (size_t k = 0; k < set->count; k++) {
        const part_about *o = &set->parts[k].about;
        if (o->part == a->part && o->parts == a->parts && strcmp(o->list, a->list) == 0) {
            return kiln_fail(error, KILN_ERROR_ARGUMENT, "%s and %s are the same part",
                             set->parts[k].path, p->path);
        }
    }
    return KILN_OK;
}

static kiln_status add_part(part_set *set, const char *path, kiln_error *error) {
    read_part *grown = realloc(set->parts, (set->count + 1) * sizeof *grown);
    if (grown == NULL) {
        return kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    }
    set->parts = grown;
    kiln_status status = open_part(path, &grown[set->count], error);
    if (status == KILN_OK && set->count > 0) {
        status = check_part(set, &grown[set->count], error);
    }
    set->count++;
    return status;
}

static int is_part(const struct dirent *entry) {
    size_t length = strlen(entry->d_name);
    return strncmp(entry->d_name, "part-", 5) == 0 && length > 4 &&
           strcmp(entry->d_name + length - 4, ".npy") == 0;
}

/* "part-99999.npy" before "part-100000.npy". */
static int by_number(const struct dirent **a, const struct dirent **b) {
    size_t x = strlen((*a)->d_name), y = strlen((*b)->d_name);
    return x != y ? (x < y ? -1 : 1) : strcmp((*a)->d_name, (*b)->d_name);
}

static kiln_status add_folder(part_set *set, const char *folder, kiln_error *error) {
    struct dirent **names = NULL;
    int count = scandir(folder, &names, is_part, by_number);
    if (count < 0) {
        return kiln_fail(error, KILN_ERROR_IO, "%s: %s", folder, strerror(errno));
    }
    kiln_status status =
        count > 0 ? KILN_OK : kiln_fail(error, KILN_ERROR_ARGUMENT, "%s: no parts", folder);
    for (int k = 0; k < count; k++) {
        char path[LONGEST_PATH];
        int length = snprintf(path, sizeof path, "%s/%s", folder, names[k]->d_name);
        if (status == KILN_OK) {
            status =
                length < (int)sizeof path
                    ? add_part(set, path, error)
                    : kiln_fail(error, KILN_ERROR_IO, "%.200s...: the path is too long", folder);
        }
        free(names[k]);
    }
    free((void *)names);
    return status;
}

kiln_status part_set_open(char *const *words, size_t word_count, part_set *out_set,
                          kiln_error *error) {
    struct stat about;
    kiln_status status = KILN_OK;
    *out_set = (part_set){0};
    for (size_t k = 0; k < word_count && status == KILN_OK; k++) {
        bool folder = stat(words[k], &about) == 0 && S_ISDIR(about.st_mode);
        status = folder ? add_folder(out_set, words[k], error) : add_part(out_set, words[k], error);
    }
    if (status != KILN_OK) {
        part_set_close(out_set);
    }
    return status;
}

void part_set_close(part_set *set) {
    for (size_t k = 0; k < set->count; k++) {
        file_unmap(set->parts[k].array);
        file_unmap(set->parts[k].lines);
        free(set->parts[k].path);
    }
    free(set->parts);
    *set = (part_set){0};
}

/* ---- Lines --------------------------------------------------------------------------------- */

typedef struct line_reader {
    part_line line;
    uint64_t next_row;
    char image[LONGEST_PATH * 3], why[1024]; /* bytes that are no UTF-8 have become three each */
    bool good;
} line_reader;

static void take_member(void *context, unsigned depth, const char *name, const char *string,
                        double number) {
    line_reader *r = context;
    part_line *line = &r->line;
    if (strcmp(name, "row") == 0) { /* of the picture, or of one of its faces */
        r->good = r->good && string == NULL && number == (double)r->next_row;
        r->next_row++;
        line->rows++;
    } else if (depth == 1 && string != NULL && strcmp(name, "image") == 0) {
        r->good = r->good && strlen(string) < sizeof r->image;
        snprintf(r->image, sizeof r->image, "%s", string);
        line->image = r->image;
    } else if (depth == 1 && string != NULL && strcmp(name, "error") == 0) {
        snprintf(r->why, sizeof r->why, "%s", string);
        line->error = r->why;
    } else if (depth == 1 && string != NULL && strcmp(name, "content") == 0) {
        line->content = strtoull(string, NULL, 16);
    }
}

static kiln_status check_rows(const read_part *p, uint64_t checksum, uint64_t rows,
                              kiln_error *error) {
    char text[20];
    snprintf(text, sizeof text, "%016" PRIx64, checksum);
    if (rows != p->about.rows) {
        return kiln_fail(error, KILN_ERROR_FORMAT,
                         "%s: %" PRIu64 " rows, its lines tell of %" PRIu64, p->path, p->about.rows,
                         rows);
    }
    return strcmp(text, p->about.checksum) == 0
               ? KILN_OK
               : kiln_fail(error, KILN_ERROR_FORMAT,
                           "%s: damaged, or of another run than its lines: its checksum is wrong",
                           p->path);
}

static kiln_status read_part_lines(const read_part *p, line_reader *r, part_taker take,
                                   void *context, kiln_error *error) {
    const char *at = p->lines.data, *end = at + p->lines.size;
    size_t columns = (size_t)p->about.columns;
    uint64_t checksum = 0;
    kiln_status status = KILN_OK;
    r->next_row = 0;
    for (size_t number = 1; at < end && status == KILN_OK; number++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t length = stop != NULL ? (size_t)(stop - at) : (size_t)(end - at);
        r->line = (part_line){.part = p, .first_row = r->next_row};
        r->good = true;
        kiln_error why;
        status = json_walk((kiln_span){at, length}, take_member, r, &why);
        bool sound = status == KILN_OK && r->good && r->line.image != NULL &&
                     (r->line.error == NULL) == (r->line.rows > 0) && r->next_row <= p->about.rows;
        if (!sound) {
            return kiln_fail(error, status != KILN_OK ? status : KILN_ERROR_FORMAT,
                             "%.*sjsonl: line %zu is not as kiln embed writes it%s%s",
                             (int)strlen(p->path) - 3, p->path, number,
                             status != KILN_OK ? ": " : "", status != KILN_OK ? why.message : "");
        }
        for (uint64_t k = r->line.first_row; k < r->next_row; k++) {
            checksum = checksum_with_seed(p->rows + k * columns, columns * sizeof(float), checksum);
        }
        status = take(context, &r->line, error);
        at += length + (stop != NULL);
    }
    return status == KILN_OK ? check_rows(p, checksum, r->next_row, error) : status;
}

kiln_status part_set_read(const part_set *set, part_taker take, void *context, kiln_error *error) {
    line_reader *r = calloc(1, sizeof *r);
    kiln_status status = r != NULL ? KILN_OK : kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    for (size_t k = 0; k < set->count && status == KILN_OK; k++) {
        status = read_part_lines(&set->parts[k], r, take, context, error);
    }
    free(r);
    return status;
}
