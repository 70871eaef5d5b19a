/* The kiln command: a table of subcommands. */
#include "compiler/cli/cli.h"

#include <string.h>

#define COMMAND(name) extern const command command_##name;
#include "compiler/cli/commands.h"
#undef COMMAND

static const command *const commands[] = {
#define COMMAND(name) &command_##name,
#include "compiler/cli/commands.h"
#undef COMMAND
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

static int no_command(const char *name) {
    text_print(stderr, "kiln: no command '%s' (see: kiln help)\n", name);
    return EXIT_USAGE;
}

static int help(int argc, char **argv) {
    const command *c = argc > 2 ? find(argv[2]) : NULL;
    if (argc > 2) {
        return c != NULL ? show_help(c) : no_command(argv[2]);
    }
    overview(stdout);
    return 0;
}

static int run(int argc, char **argv) {
    if (argc < 2) {
        overview(stderr);
        return EXIT_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "help") == 0 || strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        return help(argc, argv);
    }
    if (strcmp(name, "--version") == 0) {
        puts("kiln " KILN_VERSION);
        return 0;
    }
    const command *c = find(name);
    return c != NULL ? c->run(c, argc - 1, argv + 1) : no_command(name);
}

int main(int argc, char **argv) {
    int status = run(argc, argv);
    if (fflush(stdout) != 0 || ferror(stdout) != 0) {
        fputs("kiln: cannot write the output\n", stderr);
        status = status == 0 ? EXIT_FAILED : status;
    }
    return status;
}
