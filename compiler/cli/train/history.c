/* The history of training as a table of comma-separated values. */
#include "compiler/cli/cli.h"
#include "compiler/cli/train/training.h"

kiln_status history_write(const training *t, const char *path, kiln_error *error) {
    file_writer out;
    const kiln_epoch *epochs;
    size_t count = kiln_trainer_history(t->trainer, &epochs);
    kiln_status status = file_begin(&out, path, error);
    if (status != KILN_OK) {
        return status;
    }
    fputs("epoch,loss,accuracy,val_loss,val_accuracy,learning_rate,seconds\n", out.file);
    for (size_t k = 0; k < count; k++) {
        const kiln_epoch *e = &epochs[k];
        fprintf(out.file, "%u", e->epoch);
        const float values[] = {
            e->loss,          e->accuracy, e->validation_loss, e->validation_accuracy,
            e->learning_rate, e->seconds};
        for (size_t v = 0; v < sizeof values / sizeof *values; v++) {
            fputc(',', out.file);
            number_text(out.file, (double)values[v], "");
        }
        fputc('\n', out.file);
    }
    return file_end(&out, KILN_OK, error);
}
