/* Fuzz target: what is read of many pictures: labels, and parts of features. The first byte says
 * which file of a sound set the others take the place of. */
#include "compiler/cli/row_writer.h"
#include "compiler/cli/shards/labels.h"
#include "compiler/cli/shards/part_set.h"
#include "tests/fuzz/fuzz.h"

#include <inttypes.h>

enum { LABELS_CSV, LABELS_JSON, ABOUT, LINES, ROWS, KINDS };

static const char *const names[KINDS] = {"labels.csv", "labels.jsonl", "part-00000.json",
                                         "part-00000.jsonl", "part-00000.npy"};
static const float rows[3][2] = {{1, 2}, {3, 4}, {5, 6}};
static const char lines[] =
    "{\"image\": \"a/1.png\", \"content\": \"0123456789abcdef\", \"row\": 0}\n"
    "{\"image\": \"b/2.png\", \"error\": \"no face \\u00e4 \\\"found\\\"\"}\n"
    "{\"image\": \"b/3.png\", \"faces\": [{\"box\": [1, 2.5, -3e1, 4], \"row\": 1}, {\"row\": "
    "2}]}\n";

static void write_file(int kind, const void *data, size_t size, char path[100]) {
    snprintf(path, 100, "%s/%s", fuzz_folder(), names[kind]);
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(data, 1, size, file) != size || fclose(file) != 0) {
        perror(path);
        exit(2);
    }
}

/* The sound file of a kind; of rows also their checksum. */
static size_t make(int kind, uint8_t *out, size_t room, uint64_t *out_checksum) {
    static const char *const labels[2] = {
        "image,label\na/1.png,ada\n\"b/2, \"\"x\"\".png\",bruno\nb/3.png,ada\n",
        "{\"image\": \"a/1.png\", \"label\": \"ada\"}\n{\"label\": \"\\ud83d\\ude00\", \"x\": "
        "{\"y\": [1, null, true]}, \"image\": \"b/3.png\"}\n"};
    char path[100];
    row_writer w;
    snprintf(path, sizeof path, "%s/sound.npy", fuzz_folder());
    kiln_status status = row_writer_begin(&w, path, 2, NULL);
    for (size_t k = 0; k < 3 && status == KILN_OK; k++) {
        status = row_writer_add(&w, rows[k], NULL);
    }
    *out_checksum = w.checksum;
    if (row_writer_end(&w, status, NULL) != KILN_OK) {
        return 0;
    }
    if (kind == ROWS) {
        return fuzz_read(path, out, room);
    }
    if (kind != ABOUT) {
        return (size_t)snprintf((char *)out, room, "%s", kind == LINES ? lines : labels[kind]);
    }
    return (size_t)snprintf(
        (char *)out, room,
        "{\n\"command\": \"embed\", \"kiln\": \"0.1.0\", \"network\": \"0123456789abcdef\",\n"
        "\"settings\": \"faces=all\", \"list\": \"fedcba9876543210\", \"parts\": 1, \"part\": 0,\n"
        "\"columns\": 2, \"rows\": 3, \"part_pictures\": 3, \"checksum\": \"%016" PRIx64 "\"\n}\n",
        *out_checksum);
}

static kiln_status take(void *context, const part_line *line, kiln_error *error) {
    labels *all = context;
    uint32_t class_number;
    bool full;
    (void)error;
    (void)labels_find(all, line->image, &class_number, &full);
    return KILN_OK;
}

static void read_parts(labels *all, char *path) {
    kiln_error error = {0};
    part_set set;
    char *words[1] = {path};
    kiln_status status = part_set_open(words, 1, &set, &error);
    if (status == KILN_OK) {
        status = part_set_read(&set, take, all, &error);
    }
    if (status != KILN_OK) {
        fuzz_expect_message(&error);
    }
    part_set_close(&set);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static uint8_t sound[4096];
    int kind = size > 0 ? data[0] % KINDS : 0;
    char path[100], given[100], part[100];
    uint64_t checksum;
    kiln_error error = {0};
    labels *all = NULL;
    for (int k = ABOUT; k < KINDS; k++) {
        write_file(k, sound, make(k, sound, sizeof sound, &checksum), path);
    }
    snprintf(part, sizeof part, "%s", path);
    write_file(kind, data + (size > 0), size - (size > 0), given);
    if (labels_open(kind < ABOUT ? given : NULL, &all, &error) != KILN_OK) {
        fuzz_expect_message(&error);
    } else {
        read_parts(all, part);
    }
    labels_close(all);
    return 0;
}

size_t fuzz_seed(size_t k, uint8_t *out, size_t room) {
    uint64_t checksum;
    if (k >= KINDS || room < 4096) {
        return 0;
    }
    out[0] = (uint8_t)k;
    return 1 + make((int)k, out + 1, room - 1, &checksum);
}

/* Puts in a piece of JSON or CSV at a random place. */
size_t fuzz_change(uint64_t *state, uint8_t *bytes, size_t size, size_t room) {
    static const char *const pieces[] = {"{",     "}",
                                         "[",     "]",
                                         "\"",    ",",
                                         "\\u00", "\\ud8",
                                         "null",  "1e999",
                                         "\n",    "\"row\": ",
                                         "\xff",  "[[[[[[[[[[[[[[[[[[",
                                         "-0",    "99999999999999999999"};
    if (state == NULL || size < 2) {
        return size;
    }
    const char *piece = pieces[fuzz_random(state) % (sizeof pieces / sizeof *pieces)];
    size_t at = 1 + (size_t)(fuzz_random(state) % (size - 1)), length = strlen(piece);
    if (size + length > room) {
        return size;
    }
    memmove(bytes + at + length, bytes + at, size - at);
    memcpy(bytes + at, piece, length); /* NOLINT(bugprone-not-null-terminated-result): no text */
    return size + length;
}
