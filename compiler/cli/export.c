/* kiln export: a plan back to ONNX. */
#include "compiler/export/export.h"
#include "compiler/cli/cli.h"

#include <getopt.h>
#include <string.h>

static const char help_text[] =
    "usage: kiln export PLAN -o FILE.onnx\n\n"
    "Writes the network of a plan, the trained head included, as an ONNX file (opset 17, channels\n"
    "first, f32), so that other tools can run it. Labels and normalisation go to its metadata.\n"
    "Batch norms and other folded operators stay folded.\n\n"
    "  -o, --output FILE   the ONNX file\n\n"
    "Example: kiln export faces.plan -o faces.onnx\n";

static int run(int argc, char **argv) {
    static const struct option options[] = {
        {"output", required_argument, NULL, 'o'}, {"help", no_argument, NULL, 'h'}, {0}};
    const char *output = NULL;
    kiln_plan *plan = NULL;
    kiln_error error = {0};
    int option;
    while ((option = getopt_long(argc, argv, ":ho:", options, NULL)) != -1) {
        if (option == 'h') {
            return show_help(&command_export);
        }
        if (option != 'o') {
            return usage_of_option(&command_export, option, argv);
        }
        output = optarg;
    }
    if (argc - optind != 1 || output == NULL) {
        return usage(&command_export, "expected a plan and -o FILE.onnx");
    }
    const char *input = argv[optind];
    kiln_status status = check_outputs(&output, 1, &input, 1, &error);
    if (status == KILN_OK) {
        status = open_plan(input, false, &plan, &error);
    }
    if (status == KILN_OK) {
        status = export_plan(plan, output, &error);
    }
    kiln_plan_close(plan);
    return status == KILN_OK ? 0 : fail(&error);
}

const command command_export = {"export", "write a plan as ONNX", help_text, run, true};
