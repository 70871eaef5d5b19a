/* The kiln command: a table of subcommands. */
#include "compiler/cli/generate.h"

#include <stdlib.h>
#include <string.h>

#define ROW(name) extern const command command_##name;
#include "command_rows.h"
#undef ROW

static const command *commands[] = {
#define ROW(name) &command_##name,
#include "command_rows.h"
#undef ROW
    NULL,
};

static int by_order(const void *a, const void *b) {
    const command *x = *(const command *const *)a, *y = *(const command *const *)b;
    return x->order != y->order ? (x->order < y->order ? -1 : 1) : strcmp(x->name, y->name);
}

static const command *find(const char *name) {
    for (size_t k = 0; commands[k] != NULL; k++) {
        if (strcmp(commands[k]->name, name) == 0) {
            return commands[k];
        }
    }
    return NULL;
}

static void overview(FILE *out) {
    fputs("Kiln " KILN_VERSION ": compiles ONNX networks to plans and runs them.\n\n"
          "usage: kiln COMMAND ...\n\n",
          out);
    for (size_t k = 0; commands[k] != NULL; k++) {
        bool begins_group = k > 0 && commands[k]->order / 100 != commands[k - 1]->order / 100;
        fprintf(out, "%s  %-9s %s\n", begins_group ? "\n" : "", commands[k]->name,
                commands[k]->summary);
    }
    fputs(
        "\n  kiln help COMMAND tells all about one; kiln --version the version.\n"
        "  kiln help --completion bash|zsh|fish and kiln help --man [COMMAND] are for packagers.\n"
        "  Exit status: 0 done, 1 failed, 2 wrong usage, 3 results differ (verify).\n\n"
        "A first tour:\n"
        "  kiln compile resnet50.onnx -o resnet50.plan --preprocess imagenet --labels classes.txt\n"
        "  kiln inspect resnet50.plan\n"
        "  kiln run resnet50.plan cat.jpg\n"
        "  kiln bench resnet50.plan --threads 1,2\n"
        "  kiln tune resnet50.plan\n",
        out);
    if (find("train") != NULL) { /* it may be left out */
        fputs(
            "\nA classifier of your own:\n"
            "  kiln train mobilefacenet.plan faces/ -o faces.plan --detector yunet.onnx --bundle\n"
            "  kiln classify faces.plan visitor.jpg\n",
            out);
    }
}

static int no_command(const char *name) {
    text_print(stderr, "kiln: no command '%s' (see: kiln help)\n", name);
    return EXIT_USAGE;
}

/* help [COMMAND], help --man [COMMAND], help --completion SHELL; the words after help. */
static int help(int argc, char **argv) {
    const char *word = argc > 0 ? argv[0] : NULL;
    if (word != NULL && strcmp(word, "--completion") == 0) {
        const char *shell = argc > 1 ? argv[1] : "";
        if (!completion_print(stdout, commands, shell)) {
            text_print(stderr, "kiln help: --completion %s: expected bash, zsh or fish\n", shell);
            return EXIT_USAGE;
        }
        return 0;
    }
    bool manual = word != NULL && strcmp(word, "--man") == 0;
    word = !manual ? word : argc > 1 ? argv[1] : NULL;
    const command *c = word != NULL ? find(word) : NULL;
    if (word != NULL && c == NULL) {
        return no_command(word);
    }
    if (manual && c != NULL) {
        manual_print(stdout, c);
    } else if (manual) {
        manual_print_overview(stdout, commands);
    } else if (c != NULL) {
        return show_help(c);
    } else {
        overview(stdout);
    }
    return 0;
}

static int run(int argc, char **argv) {
    if (argc < 2) {
        overview(stderr);
        return EXIT_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "help") == 0 || strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        return help(argc - 2, argv + 2);
    }
    if (strcmp(name, "--version") == 0) {
        puts("kiln " KILN_VERSION);
        return 0;
    }
    const command *c = find(name);
    return c != NULL ? c->run(c, argc - 1, argv + 1) : no_command(name);
}

int main(int argc, char **argv) {
    qsort(commands, sizeof commands / sizeof *commands - 1, sizeof *commands, by_order);
    int status = run(argc, argv);
    if (fflush(stdout) != 0 || ferror(stdout) != 0) {
        fputs("kiln: cannot write the output\n", stderr);
        status = status == 0 ? EXIT_FAILED : status;
    }
    return status;
}
