/* Parts as kiln embed makes them of pictures that do not exist: for training on more than there
 * are. make_parts PLAN FOLDER PARTS ROWS CLASSES Each class has a direction of its own, around
 * which its rows lie; a picture is called people/CLASS/NUMBER.jpg. */
#include "compiler/cli/shards/parts.h"
#include "compiler/cli/train/scorer.h"

#include <inttypes.h>
#include <stdlib.h>

static uint64_t mix(uint64_t z) {
    z += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* From -1 to 1. */
static float number(uint64_t seed, size_t k) {
    return (float)(mix(seed * 4096 + k) >> 40) / (float)(1 << 23) - 1;
}

static kiln_status make_part(const parts *to, uint32_t part, uint64_t first, uint64_t end,
                             uint64_t classes, kiln_error *error) {
    part_writer w;
    float row[4096];
    kiln_status status = part_begin(to, part, &w, error);
    if (status != KILN_OK) {
        return status;
    }
    for (uint64_t n = first; n < end && status == KILN_OK; n++) {
        uint64_t class_number = mix(n) % classes;
        for (size_t k = 0; k < to->columns; k++) {
            row[k] = number(class_number, k) + 2 * number(n + (1u << 20), k);
        }
        fprintf(w.lines.file,
                "{\"image\": \"people/%05" PRIu64 "/%09" PRIu64 ".jpg\", \"content\": \"%016" PRIx64
                "\", \"row\": %" PRIu64 "}\n",
                class_number, n, mix(n) | 1, n - first);
        status = row_writer_add(&w.rows, row, error);
    }
    w.summary.pictures = end - first;
    return part_end(&w, status, error);
}

int main(int argc, char **argv) {
    kiln_error error = {.message = "make_parts PLAN FOLDER PARTS ROWS CLASSES"};
    const scorer_options options = {.features = true, .threads = 1};
    scorer s = {0};
    parts to = {0};
    kiln_status status =
        argc == 6 ? scorer_open(argv[1], &options, &s, &error) : KILN_ERROR_ARGUMENT;
    unsigned long count = 0, rows = 0, classes = 0;
    if (status == KILN_OK && (!parse_number(argv[3], 1, 100000, &count) ||
                              !parse_number(argv[4], 1, UINT32_MAX, &rows) ||
                              !parse_number(argv[5], 2, 99999, &classes) || s.count > 4096)) {
        status = KILN_ERROR_ARGUMENT;
    }
    const parts_job job = {.command = "embed",
                           .network = status == KILN_OK ? scorer_key(&s) : 0,
                           .settings = "faces=largest normalize=0",
                           .list = rows,
                           .files = rows,
                           .columns = s.count,
                           .parts = (uint32_t)count};
    status = status == KILN_OK ? parts_open(argv[2], &job, &to, &error) : status;
    for (unsigned long k = 0; k < count && status == KILN_OK; k++) {
        status = make_part(&to, (uint32_t)k, (uint64_t)rows * k / count,
                           (uint64_t)rows * (k + 1) / count, classes, &error);
    }
    if (status != KILN_OK) {
        fprintf(stderr, "%s\n", error.message);
    }
    parts_close(&to);
    scorer_close(&s);
    return status != KILN_OK;
}
