/* kiln export: a plan back to ONNX. */
#include "compiler/export/export.h"
#include "compiler/cli/cli.h"

static const option_row rows[] = {
    {.kind = OPTION_TEXT,
     .letter = 'o',
     .name = "output",
     .value = "FILE",
     .help = "the ONNX file"},
    OPTIONS_END,
};

static int run(const command *self, int argc, char **argv) {
    const char *output = NULL;
    kiln_plan *plan = NULL;
    kiln_error error = {0};
    int read = options_read(self, &output, &argc, &argv);
    if (read != OPTIONS_READ || argc != 1 || output == NULL) {
        return read != OPTIONS_READ ? read : usage(self, "expected a plan and -o FILE.onnx");
    }
    const char *input = argv[0];
    kiln_status status = check_outputs(&output, 1, &input, 1, &error);
    if (status == KILN_OK) {
        status = open_plan(input, PACKED_NOWHERE, &plan, &error);
    }
    if (status == KILN_OK) {
        status = export_plan(plan, output, &error);
    }
    kiln_plan_close(plan);
    return status == KILN_OK ? 0 : fail(&error);
}

const command command_export = {
    .name = "export",
    .summary = "write a plan as ONNX",
    .order = 170,
    .synopsis = "PLAN -o FILE.onnx",
    .about = "Writes the network of a plan, the trained head included, as an ONNX file (opset 17, "
             "channels first, f32), so that other tools can run it. Labels and normalisation go to "
             "its metadata. Batch norms and other folded operators stay folded.",
    .examples = "kiln export faces.plan -o faces.onnx",
    .options = rows,
    .opens_plan = true,
    .run = run};
