/* Labels of pictures: see labels.h. */
#include "compiler/cli/shards/labels.h"
#include "compiler/cli/shards/json_walk.h"
#include "runtime/base/checksum.h"
#include "runtime/base/files.h"
#include "runtime/base/text.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { LONGEST = 1 << 14 };

/* ---- Hashes to numbers --------------------------------------------------------------------- */

/* Open addressing; a key of 0 is an empty place. Keys are taken for what they are of: two of 10
 * million texts have one hash of 64 bits in 1 case of 300,000. */
typedef struct hash_map {
    uint64_t *keys;
    uint32_t *values;
    size_t capacity, count; /* a power of two */
} hash_map;

static uint64_t hash_of(const char *text, size_t length) {
    uint64_t hash = checksum(text, length);
    return hash != 0 ? hash : 1;
}

/* The place of a key, or where it would be put. */
static size_t place_of(const hash_map *m, uint64_t key) {
    size_t at = (size_t)key & (m->capacity - 1);
    while (m->keys[at] != 0 && m->keys[at] != key) {
        at = (at + 1) & (m->capacity - 1);
    }
    return at;
}

static bool grow(hash_map *m) {
    hash_map bigger = {.capacity = m->capacity == 0 ? 256 : m->capacity * 2, .count = m->count};
    bigger.keys = calloc(bigger.capacity, sizeof *bigger.keys);
    bigger.values = calloc(bigger.capacity, sizeof *bigger.values);
    if (bigger.keys == NULL || bigger.values == NULL) {
        free(bigger.keys);
        free(bigger.values);
        return false;
    }
    for (size_t k = 0; k < m->capacity; k++) {
        if (m->keys[k] != 0) {
            size_t at = place_of(&bigger, m->keys[k]);
            bigger.keys[at] = m->keys[k];
            bigger.values[at] = m->values[k];
        }
    }
    free(m->keys);
    free(m->values);
    *m = bigger;
    return true;
}

static bool find(const hash_map *m, uint64_t key, uint32_t *out_value) {
    size_t at = m->capacity > 0 ? place_of(m, key) : 0;
    bool there = m->capacity > 0 && m->keys[at] == key;
    *out_value = there ? m->values[at] : 0;
    return there;
}

/* Of a key that is not there. */
static bool put(hash_map *m, uint64_t key, uint32_t value) {
    if (m->count >= m->capacity / 10 * 7 && !grow(m)) {
        return false;
    }
    size_t at = place_of(m, key);
    m->keys[at] = key;
    m->values[at] = value;
    m->count++;
    return true;
}

/* ---- Classes ------------------------------------------------------------------------------- */

struct labels {
    char *folder; /* without slashes at its end; NULL: a file, or the nearest folder */
    bool from_file;
    hash_map images, names; /* to classes */
    char **classes;
    size_t class_count, class_capacity;
};

static bool add_class(labels *l, const char *name, size_t length, uint32_t *out_class) {
    if (l->class_count == l->class_capacity) {
        size_t capacity = l->class_capacity == 0 ? 64 : l->class_capacity * 2;
        char **grown = realloc((void *)l->classes, capacity * sizeof *grown);
        if (grown == NULL) {
            return false;
        }
        l->classes = grown;
        l->class_capacity = capacity;
    }
    char *copy = strndup(name, length);
    if (copy == NULL || !put(&l->names, hash_of(name, length), (uint32_t)l->class_count)) {
        free(copy);
        return false;
    }
    *out_class = (uint32_t)l->class_count;
    l->classes[l->class_count++] = copy;
    return true;
}

static bool class_of(labels *l, const char *name, size_t length, uint32_t *out_class) {
    return find(&l->names, hash_of(name, length), out_class) ||
           add_class(l, name, length, out_class);
}

size_t labels_class_count(const labels *l) {
    return l->class_count;
}

const char *labels_class(const labels *l, size_t class_number) {
    return l->classes[class_number];
}

/* ---- Files --------------------------------------------------------------------------------- */

/* With U+FFFD for what is no UTF-8. */
static uint64_t hash_image(const char *path) {
    static const char replacement[] = "\xef\xbf\xbd";
    char text[LONGEST];
    size_t used = 0;
    uint32_t point;
    for (size_t bytes; (bytes = text_next(path, &point)) > 0 && used + 4 < sizeof text;
         path += bytes) {
        bool sound = point != TEXT_INVALID;
        memcpy(text + used, sound ? path : replacement, sound ? bytes : 3);
        used += sound ? bytes : 3;
    }
    return hash_of(text, used);
}

typedef struct label_line {
    char image[LONGEST], label[LONGEST];
    bool has_image, has_label, too_long;
} label_line;

static void take_member(void *context, unsigned depth, const char *name, const char *string,
                        double number) {
    label_line *line = context;
    (void)number;
    bool image = strcmp(name, "image") == 0, label = strcmp(name, "label") == 0;
    if (depth == 1 && string != NULL && (image || label)) {
        int length = snprintf(image ? line->image : line->label, LONGEST, "%s", string);
        line->too_long = line->too_long || length >= LONGEST;
        line->has_image = line->has_image || image;
        line->has_label = line->has_label || label;
    }
}

/* One field up to a comma or the end; NULL: it is none. */
static const char *read_field(const char *at, const char *end, char out[LONGEST]) {
    size_t length = 0;
    bool quoted = at < end && *at == '"';
    at += quoted;
    while (at < end && length + 1 < LONGEST && *at != '\0' && (quoted || *at != ',')) {
        if (quoted && *at == '"') {
            if (at + 1 == end || at[1] != '"') {
                break;
            }
            at++;
        }
        out[length++] = *at++;
    }
    out[length] = '\0';
    if (quoted) {
        at = at < end && *at == '"' ? at + 1 : NULL;
    }
    return at != NULL && (at == end || *at == ',') ? at : NULL;
}

static bool read_csv(const char *at, const char *end, label_line *line) {
    at = read_field(at, end, line->image);
    if (at == NULL || at == end) {
        return false;
    }
    at = read_field(at + 1, end, line->label);
    line->has_image = line->has_label = true;
    return at == end;
}

static bool is_header(const label_line *line) {
    return (strcmp(line->image, "image") == 0 || strcmp(line->image, "path") == 0) &&
           strcmp(line->label, "label") == 0;
}

static kiln_status add_line(labels *l, const label_line *line, const char *path, size_t number,
                            kiln_error *error) {
    uint32_t class_number, before;
    uint64_t key = hash_image(line->image);
    if (!class_of(l, line->label, strlen(line->label), &class_number)) {
        return kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    }
    if (find(&l->images, key, &before)) {
        return before == class_number
                   ? KILN_OK
                   : kiln_fail(error, KILN_ERROR_FORMAT,
                               "%s: line %zu: '%s' is '%s', and was '%s' before", path, number,
                               line->image, line->label, l->classes[before]);
    }
    return put(&l->images, key, class_number)
               ? KILN_OK
               : kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
}

static kiln_status read_line(const char *at, const char *stop, label_line *line,
                             kiln_error *error) {
    static const char expected[] = "expected IMAGE,LABEL, or {\"image\": ..., \"label\": ...}";
    kiln_error why = {.message = ""};
    line->has_image = line->has_label = line->too_long = false;
    kiln_status status = KILN_OK;
    if (*at == '{') {
        status = json_walk((kiln_span){at, (size_t)(stop - at)}, take_member, line, &why);
    } else if (!read_csv(at, stop, line)) {
        status = KILN_ERROR_FORMAT;
    }
    if (status == KILN_OK && line->too_long) {
        return kiln_fail(error, KILN_ERROR_UNSUPPORTED, "an image or label of over %d bytes",
                         LONGEST - 1);
    }
    bool whole = line->has_image && line->has_label && line->label[0] != '\0';
    return status == KILN_OK && whole
               ? KILN_OK
               : kiln_fail(error, status != KILN_OK ? status : KILN_ERROR_FORMAT, "%s%s%s",
                           expected, why.message[0] != '\0' ? "; found: " : "", why.message);
}

static kiln_status read_file(labels *l, const char *path, kiln_span bytes, label_line *line,
                             kiln_error *error) {
    const char *at = bytes.data, *end = at + bytes.size;
    kiln_status status = KILN_OK;
    if (bytes.size >= 3 && memcmp(at, "\xef\xbb\xbf", 3) == 0) {
        at += 3;
    }
    for (size_t number = 1; at < end && status == KILN_OK; number++) {
        kiln_error why;
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        const char *next = stop != NULL ? stop + 1 : end;
        stop = stop != NULL ? stop : end;
        stop -= stop > at && stop[-1] == '\r';
        bool empty = stop == at;
        status = empty ? KILN_OK : read_line(at, stop, line, &why);
        if (status != KILN_OK) {
            return kiln_fail(error, status, "%s: line %zu: %s", path, number, why.message);
        }
        if (!empty && !(number == 1 && is_header(line))) {
            status = add_line(l, line, path, number, error);
        }
        at = next;
    }
    return status;
}

static kiln_status open_file(labels *l, const char *path, kiln_error *error) {
    kiln_span bytes;
    label_line *line = malloc(sizeof *line);
    kiln_status status = line != NULL ? file_map(path, &bytes, error)
                                      : kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    l->from_file = true;
    if (status == KILN_OK) {
        status = read_file(l, path, bytes, line, error);
        file_unmap(bytes);
    }
    free(line);
    return status;
}

/* ---- All ----------------------------------------------------------------------------------- */

kiln_status labels_open(const char *path, labels **out_labels, kiln_error *error) {
    struct stat about;
    labels *l = *out_labels = calloc(1, sizeof *l);
    size_t length = path != NULL ? strlen(path) : 0;
    if (l == NULL) {
        return kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    }
    bool folder = length > 0 &&
                  (path[length - 1] == '/' || (stat(path, &about) == 0 && S_ISDIR(about.st_mode)));
    kiln_status status = KILN_OK;
    if (folder) {
        while (length > 1 && path[length - 1] == '/') {
            length--;
        }
        l->folder = strndup(path, length);
        status = l->folder != NULL ? KILN_OK : kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    } else if (path != NULL) {
        status = open_file(l, path, error);
    }
    if (status != KILN_OK) {
        labels_close(l);
        *out_labels = NULL;
    }
    return status;
}

void labels_close(labels *l) {
    if (l == NULL) {
        return;
    }
    for (size_t k = 0; k < l->class_count; k++) {
        free(l->classes[k]);
    }
    free((void *)l->classes);
    free(l->images.keys);
    free(l->images.values);
    free(l->names.keys);
    free(l->names.values);
    free(l->folder);
    free(l);
}

bool labels_find(labels *l, const char *image, uint32_t *out_class, bool *out_full) {
    *out_full = false;
    if (l->from_file) {
        return find(&l->images, hash_image(image), out_class);
    }
    const char *name = image, *end = strrchr(image, '/');
    size_t length = l->folder != NULL ? strlen(l->folder) : 0;
    if (length > 0) {
        bool inside = strncmp(image, l->folder, length) == 0 && image[length] == '/';
        name = inside ? image + length + 1 : NULL;
        end = inside ? strchr(name, '/') : NULL;
    } else if (end != NULL) {
        while (end > image && name != NULL) { /* the beginning of the last folder's name */
            const char *slash = memchr(name, '/', (size_t)(end - name));
            if (slash == NULL) {
                break;
            }
            name = slash + 1;
        }
    }
    if (end == NULL || end == name) {
        return false;
    }
    *out_full = !class_of(l, name, (size_t)(end - name), out_class);
    return !*out_full;
}
