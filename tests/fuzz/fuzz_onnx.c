/* libFuzzer entry point: ONNX files. */
#include "tests/fuzz/exercise.h"

#include <kiln/compile.h>
#include <stdio.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char model[64], path[64];
    kiln_plan *plan = NULL;
    snprintf(model, sizeof model, "/tmp/kiln-fuzz-%ld.onnx", (long)getpid());
    snprintf(path, sizeof path, "/tmp/kiln-fuzz-%ld.plan", (long)getpid());
    FILE *file = fopen(model, "wb");
    bool written = file != NULL && fwrite(data, 1, size, file) == size;
    if (file != NULL && fclose(file) == 0 && written &&
        kiln_compile(model, path, NULL, NULL, NULL) == KILN_OK &&
        kiln_plan_open(path, NULL, &plan, NULL) == KILN_OK) {
        (void)exercise_plan(plan);
        kiln_plan_close(plan);
    }
    (void)unlink(model);
    (void)unlink(path);
    return 0;
}
