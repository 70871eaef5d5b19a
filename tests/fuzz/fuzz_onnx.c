/* Fuzz target: ONNX files. */
#include "compiler/compile.h"
#include "tests/fuzz/exercise.h"
#include "tests/fuzz/fuzz.h"

#include <sys/stat.h>

static kiln_status open_written(const file_writer *out, kiln_plan **out_plan, kiln_error *error) {
    struct stat about;
    return fflush(out->file) == 0 && fstat(out->descriptor, &about) == 0
               ? kiln_plan_open_fd(out->descriptor, 0, (uint64_t)about.st_size, NULL, out_plan,
                                   error)
               : kiln_fail(error, KILN_ERROR_IO, "not written");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    file_writer out;
    kiln_plan *plan = NULL;
    kiln_error error = {0};
    kiln_compile_options options;
    kiln_compile_report report;
    kiln_compile_options_init(&options);
    (void)setenv("TMPDIR", fuzz_folder(), 1); /* unnamed files are dear on a disk */
    if (file_begin_scratch(&out, &error) != KILN_OK) {
        perror("kiln-fuzz");
        exit(2);
    }
    if (compile_to(&out, fuzz_file(data, size), &options, &report, &error) != KILN_OK) {
        fuzz_expect_message(&error);
    } else if (open_written(&out, &plan, &error) == KILN_OK) {
        (void)exercise_plan(plan);
        kiln_plan_close(plan);
    } else {
        fprintf(stderr, "the compiler's own plan is refused: %s\n", error.message);
        abort();
    }
    (void)file_end(&out, KILN_OK, NULL);
    return 0;
}

size_t fuzz_seed(size_t k, uint8_t *out, size_t room) {
    char path[64];
    snprintf(path, sizeof path, "%s/%zu.onnx", fuzz_folder(), k);
    size_t size = fuzz_read(path, out, room);
    return size > 0 || k >= FUZZ_NETWORKS || !fuzz_write_model(k, path)
               ? size
               : fuzz_read(path, out, room);
}

/* Tags and lengths are one byte most often: small numbers do. */
size_t fuzz_change(uint64_t *state, uint8_t *bytes, size_t size, size_t room) {
    (void)room;
    if (state != NULL) {
        bytes[fuzz_random(state) % size] = (uint8_t)fuzz_word(state);
    }
    return size;
}
