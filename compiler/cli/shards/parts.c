/* Folders of parts: see parts.h. */
#include "compiler/cli/shards/parts.h"
#include "compiler/cli/cli.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MOST_PARTS = 1000000, MOST_TEXT = 1 << 16 };

/* ---- Paths --------------------------------------------------------------------------------- */

/* From malloc; NULL: no memory. */
static char *join(const char *folder, const char *name) {
    size_t size = strlen(folder) + strlen(name) + 2;
    char *path = malloc(size);
    if (path != NULL) {
        bool slash = folder[0] != '\0' && folder[strlen(folder) - 1] == '/';
        snprintf(path, size, "%s%s%s", folder, slash ? "" : "/", name);
    }
    return path;
}

static char *part_path(const parts *p, uint32_t number, const char *ending) {
    char name[64];
    snprintf(name, sizeof name, "part-%05" PRIu32 ".%s", number, ending);
    return join(p->folder, name);
}

/* ---- parts.json ---------------------------------------------------------------------------- */

/* A member a line, so that two of them are compared by lines; "parts" is the last. From malloc. */
static char *describe(const parts_job *job) {
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL) {
        return NULL;
    }
    fprintf(out,
            "{\n  \"kiln\": \"%s\",\n  \"command\": \"%s\",\n  \"network\": \"%016" PRIx64 "\",\n",
            KILN_VERSION, job->command, job->network);
    fputs("  \"detector\": ", out);
    if (job->detector != NULL) {
        json_string(out, job->detector);
        fprintf(out, ",\n  \"detector_key\": \"%016" PRIx64 "\"", job->detector_key);
    } else {
        fputs("null", out);
    }
    fputs(",\n  \"settings\": ", out);
    json_string(out, job->settings);
    fprintf(out,
            ",\n  \"list\": \"%016" PRIx64 "\",\n  \"files\": %" PRIu64
            ",\n  \"columns\": %zu,\n  \"parts\": %" PRIu32 "\n}\n",
            job->list, job->files, job->columns, job->parts);
    return close_text(out, &text);
}

static size_t line_length(const char *text) {
    return strcspn(text, "\n");
}

/* Refuses a text that is not the job's, by the first line that differs. */
static kiln_status compare(const parts *p, const char *there, kiln_error *error) {
    const char *ours = p->job;
    while (*ours != '\0' && strncmp(ours, there, line_length(ours) + 1) == 0) {
        there += line_length(ours) + 1;
        ours += line_length(ours) + 1;
    }
    if (*ours == '\0' && *there == '\0') {
        return KILN_OK;
    }
    ours += strspn(ours, " ");
    there += strspn(there, " ");
    return kiln_fail(error, KILN_ERROR_ARGUMENT,
                     "%s: holds parts of another job, with '%.*s', where this one has '%.*s': take "
                     "another folder, or remove it",
                     p->folder, (int)strcspn(there, ",\n"), there, (int)strcspn(ours, ",\n"), ours);
}

/* Parts of nobody knows what would be taken for this job's. */
static kiln_status check_for_strays(const char *folder, kiln_error *error) {
    DIR *open_folder = opendir(folder);
    kiln_status status = KILN_OK;
    if (open_folder == NULL) {
        return kiln_fail(error, KILN_ERROR_IO, "%s: %s", folder, strerror(errno));
    }
    for (const struct dirent *e; status == KILN_OK && (e = readdir(open_folder)) != NULL;) {
        if (strncmp(e->d_name, "part-", 5) == 0) {
            status = kiln_fail(error, KILN_ERROR_ARGUMENT,
                               "%s: holds %s, and no parts.json that says what it is part of",
                               folder, e->d_name);
        }
    }
    (void)closedir(open_folder);
    return status;
}

static kiln_status create(const parts *p, const char *path, kiln_error *error) {
    file_writer file;
    kiln_status status = check_for_strays(p->folder, error);
    if (status == KILN_OK) {
        status = file_begin(&file, path, error);
    }
    if (status == KILN_OK) {
        file.durable = file.only_new = true;
        status = file_end(&file, file_write(&file, p->job, strlen(p->job), error), error);
    }
    return status;
}

/* What is there is compared; what is not is made, unless another process has just done so. */
static kiln_status settle(const parts *p, const char *path, kiln_error *error) {
    kiln_status made = KILN_OK;
    struct stat about;
    char *text = NULL;
    size_t size;
    if (stat(path, &about) != 0) {
        made = create(p, path, error);
        if (made == KILN_OK || stat(path, &about) != 0) {
            return made;
        }
    }
    kiln_status status = file_read(path, MOST_TEXT, &text, &size, error);
    if (status == KILN_OK) {
        status = compare(p, text, error);
    }
    kiln_free(text);
    return status;
}

kiln_status parts_open(const char *folder, const parts_job *job, parts *out_parts,
                       kiln_error *error) {
    parts *p = out_parts;
    *p = (parts){.folder = folder, .columns = job->columns};
    char *path = join(folder, "parts.json");
    p->job = describe(job);
    kiln_status status = path != NULL && p->job != NULL
                             ? check_output_folder(folder, error)
                             : kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    if (status == KILN_OK) {
        status = settle(p, path, error);
    }
    free(path);
    if (status != KILN_OK) {
        parts_close(p);
    }
    return status;
}

void parts_close(parts *p) {
    free(p->job);
    *p = (parts){0};
}

/* ---- Finished parts ------------------------------------------------------------------------ */

/* The number of a member that stands in a line of its own; false: there is none. */
static bool find_number(const char *text, const char *name, uint64_t *out_number) {
    char line[64];
    snprintf(line, sizeof line, "\n  \"%s\": ", name);
    const char *at = strstr(text, line);
    char *end;
    if (at == NULL) {
        return false;
    }
    at += strlen(line);
    *out_number = strtoull(at, &end, 10);
    return end != at && (*end == ',' || *end == '\n');
}

static bool has_size(const parts *p, uint32_t number, const char *ending, uint64_t size) {
    struct stat about;
    char *path = part_path(p, number, ending);
    bool has = path != NULL && stat(path, &about) == 0 && (uint64_t)about.st_size == size;
    free(path);
    return has;
}

bool part_is_finished(const parts *p, uint32_t number, part_summary *out_summary) {
    part_summary *s = out_summary;
    uint64_t array_bytes, line_bytes, part;
    char *path = part_path(p, number, "json"), *text = NULL;
    size_t size, shared = strlen(p->job) - strlen("\n}\n");
    bool finished = path != NULL && file_read(path, MOST_TEXT, &text, &size, NULL) == KILN_OK &&
                    size > shared && memcmp(text, p->job, shared) == 0;
    finished = finished && find_number(text + shared, "part", &part) && part == number &&
               find_number(text + shared, "part_pictures", &s->pictures) &&
               find_number(text + shared, "rows", &s->rows) &&
               find_number(text + shared, "errors", &s->errors) &&
               find_number(text + shared, "array_bytes", &array_bytes) &&
               find_number(text + shared, "line_bytes", &line_bytes) &&
               has_size(p, number, "npy", array_bytes) && has_size(p, number, "jsonl", line_bytes);
    kiln_free(text);
    free(path);
    return finished;
}

/* ---- Writing one --------------------------------------------------------------------------- */

enum { PART_ARRAY, PART_LINES, PART_FINISHED, PART_FILES };
static const char *const endings[PART_FILES] = {"npy", "jsonl", "json"};

static void free_paths(part_writer *w) {
    for (int k = 0; k < PART_FILES; k++) {
        free(w->paths[k]);
        w->paths[k] = NULL;
    }
}

kiln_status part_begin(const parts *p, uint32_t number, part_writer *out_part, kiln_error *error) {
    part_writer *w = out_part;
    *w = (part_writer){.parts = p, .number = number};
    bool named = true;
    for (int k = 0; k < PART_FILES; k++) {
        w->paths[k] = part_path(p, number, endings[k]);
        named = named && w->paths[k] != NULL;
    }
    kiln_status status = named ? row_writer_begin(&w->rows, w->paths[PART_ARRAY], p->columns, error)
                               : kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    if (status == KILN_OK) {
        status = file_begin(&w->lines, w->paths[PART_LINES], error);
        if (status != KILN_OK) {
            (void)row_writer_end(&w->rows, status, NULL);
        }
    }
    if (status != KILN_OK) {
        free_paths(w);
    }
    return status;
}

/* The bytes of what was written so far. */
static kiln_status size_of(const file_writer *file, uint64_t *out_bytes, kiln_error *error) {
    off_t at = fflush(file->file) == 0 ? ftello(file->file) : -1;
    *out_bytes = at >= 0 ? (uint64_t)at : 0;
    return at >= 0 ? KILN_OK
                   : kiln_fail(error, KILN_ERROR_IO, "%s: cannot write: %s", file->path,
                               strerror(errno));
}

static kiln_status write_summary(const part_writer *w, uint64_t checksum, uint64_t array_bytes,
                                 uint64_t line_bytes, kiln_error *error) {
    file_writer file;
    kiln_status status = file_begin(&file, w->paths[PART_FINISHED], error);
    if (status != KILN_OK) {
        return status;
    }
    file.durable = true;
    status = file_write(&file, w->parts->job, strlen(w->parts->job) - strlen("\n}\n"), error);
    fprintf(file.file,
            ",\n  \"part\": %" PRIu32 ",\n  \"part_pictures\": %" PRIu64 ",\n  \"rows\": %" PRIu64
            ",\n  \"errors\": %" PRIu64 ",\n  \"checksum\": \"%016" PRIx64
            "\",\n  \"array_bytes\": %" PRIu64 ",\n  \"line_bytes\": %" PRIu64 "\n}\n",
            w->number, w->summary.pictures, w->summary.rows, w->summary.errors, checksum,
            array_bytes, line_bytes);
    return file_end(&file, status, error);
}

kiln_status part_end(part_writer *w, kiln_status status, kiln_error *error) {
    part_summary theirs;
    uint64_t array_bytes = 0, line_bytes = 0, checksum = w->rows.checksum;
    w->summary.rows = w->rows.count;
    w->rows.file.durable = w->lines.durable = true;
    if (status == KILN_OK) {
        status = size_of(&w->rows.file, &array_bytes, error);
    }
    if (status == KILN_OK) {
        status = size_of(&w->lines, &line_bytes, error);
    }
    bool theirs_is_there =
        status == KILN_OK && part_is_finished(w->parts, w->number, &theirs); /* made meanwhile */
    if (theirs_is_there) {
        w->summary = theirs;
    }
    kiln_status kept = theirs_is_there ? KILN_ERROR_CANCELLED : status;
    kiln_status ended = row_writer_end(&w->rows, kept, error);
    ended = file_end(&w->lines, ended, error);
    status = theirs_is_there ? KILN_OK : ended;
    if (status == KILN_OK && !theirs_is_there) {
        status = write_summary(w, checksum, array_bytes, line_bytes, error);
    }
    free_paths(w);
    return status;
}

/* ---- Options ------------------------------------------------------------------------------- */

/* "I/N" or "I-J/N". */
static bool read_range(const char *text, unsigned long *out_first, unsigned long *out_last,
                       unsigned long *out_of) {
    char words[64];
    char *slash, *dash;
    if (strlen(text) >= sizeof words) {
        return false;
    }
    memcpy(words, text, strlen(text) + 1);
    slash = strchr(words, '/');
    if (slash == NULL) {
        return false;
    }
    *slash = '\0';
    dash = strchr(words, '-');
    if (dash != NULL) {
        *dash = '\0';
    }
    return parse_number(slash + 1, 1, MOST_PARTS, out_of) &&
           parse_number(words, 0, *out_of - 1, out_first) &&
           parse_number(dash != NULL ? dash + 1 : words, *out_first, *out_of - 1, out_last);
}

int take_shard(const command *self, void *at, const char *value) {
    unsigned long first, last, of;
    if (!read_range(value, &first, &last, &of)) {
        return option_wrong(self, "shard", value,
                            "I/N or I-J/N, I and J from 0 to N-1, N at most 1000000");
    }
    *(shard_range *)at = (shard_range){(uint32_t)first, (uint32_t)last, (uint32_t)of};
    return 0;
}
