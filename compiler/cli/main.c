/* The kiln command: a table of subcommands. */
#include "compiler/cli/cli.h"

#include <stdlib.h>
#include <string.h>

static const command *const commands[] = {
    &command_compile, &command_inspect,  &command_run,
    &command_verify,  &command_bench,    &command_tune,
#ifdef KILN_WITH_TRAINING /* these stand on train.h, which may be left out of the runtime */
    &command_train,   &command_evaluate, &command_classify,
    &command_embed,   &command_compare,  &command_view,
#endif
    &command_export,
};
enum { COMMANDS = sizeof commands / sizeof *commands };

static const command *find(const char *name) {
    for (int k = 0; k < COMMANDS; k++) {
        if (strcmp(commands[k]->name, name) == 0) {
            return commands[k];
        }
    }
    return NULL;
}

static void overview(FILE *out) {
    fputs("Kiln " KILN_VERSION ": compiles ONNX networks to plans and runs them on XNNPACK.\n\n"
          "usage: kiln COMMAND ...\n\n",
          out);
    for (int k = 0; k < COMMANDS; k++) {
        fprintf(out, "  %-9s %s\n", commands[k]->name, commands[k]->summary);
    }
    fputs(
        "\n  kiln help COMMAND tells all about one; kiln --version the version.\n"
        "  Commands that open plans map them; with --no-mmap they read them into memory, so that "
        "the\n"
        "  files may change meanwhile.\n"
        "  Exit status: 0 done, 1 failed, 2 wrong usage, 3 results differ (verify).\n\n"
        "A first tour:\n"
        "  kiln compile resnet50.onnx -o resnet50.plan --preprocess imagenet --labels classes.txt\n"
        "  kiln inspect resnet50.plan\n"
        "  kiln run resnet50.plan cat.jpg\n"
        "  kiln bench resnet50.plan --threads 1,2\n"
        "  kiln tune resnet50.plan\n"
#ifdef KILN_WITH_TRAINING
        "\nA classifier of your own:\n"
        "  kiln train mobilefacenet.plan faces/ -o faces.plan --report faces.html\n"
        "  kiln classify faces.plan visitor.jpg\n"
#endif
        ,
        out);
}

static int help(int argc, char **argv) {
    const command *c = argc > 2 ? find(argv[2]) : NULL;
    if (argc > 2 && c == NULL) {
        text_print(stderr, "kiln: no command '%s' (see: kiln help)\n", argv[2]);
        return EXIT_USAGE;
    }
    if (c != NULL) {
        return show_help(c);
    }
    overview(stdout);
    return 0;
}

/* Takes --no-mmap out of a command's words. */
static int take_no_mmap(int argc, char **argv) {
    int kept = 0;
    bool ended = false;
    for (int k = 0; k < argc; k++) {
        ended = ended || strcmp(argv[k], "--") == 0;
        if (!ended && strcmp(argv[k], "--no-mmap") == 0) {
            read_plans();
        } else {
            argv[kept++] = argv[k];
        }
    }
    argv[kept] = NULL;
    return kept;
}

int main(int argc, char **argv) {
    int status = EXIT_USAGE;
    const command *c = argc > 1 ? find(argv[1]) : NULL;
    if (argc < 2) {
        overview(stderr);
    } else if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0 ||
               strcmp(argv[1], "-h") == 0) {
        status = help(argc, argv);
    } else if (strcmp(argv[1], "--version") == 0) {
        puts("kiln " KILN_VERSION);
        status = 0;
    } else if (c != NULL) {
        int words = c->opens_plan ? take_no_mmap(argc - 1, argv + 1) : argc - 1;
        status = c->run(words, argv + 1);
    } else {
        text_print(stderr, "kiln: no command '%s' (see: kiln help)\n", argv[1]);
    }
    if (fflush(stdout) != 0 || ferror(stdout) != 0) {
        fputs("kiln: cannot write the output\n", stderr);
        status = status == 0 ? EXIT_FAILED : status;
    }
    return status;
}
