/* Completion in shells. Words of options come from their rows; what is called FILE, DIR or PLAN is
 * a path, and so is what is no option; other values are the user's. */
#include "compiler/cli/generate.h"

#include <string.h>

typedef void put_row(FILE *out, const command *c, const option_row *row);

static void put_rows(FILE *out, const command *c, put_row *put) {
    const option_row *lists[] = {c->options, options_common(c)};
    for (size_t k = 0; k < 2; k++) {
        for (const option_row *row = lists[k]; row->help != NULL; row++) {
            if (row->kind != OPTION_HEADING) {
                put(out, c, row);
            }
        }
    }
}

static bool is_path(const option_row *row) {
    return strncmp(row->value, "FILE", 4) == 0 || strncmp(row->value, "DIR", 3) == 0 ||
           strncmp(row->value, "PLAN", 4) == 0;
}

/* The text inside single quotes, with a backslash before what is special there. */
static void put_quoted(FILE *out, const char *text, const char *special) {
    for (; *text != '\0'; text++) {
        if (*text == '\'') {
            fputs("'\\''", out);
        } else {
            fprintf(out, strchr(special, *text) != NULL ? "\\%c" : "%c", *text);
        }
    }
}

static void put_words(FILE *out, const option_row *row) {
    for (unsigned k = 0; row->word(k) != NULL; k++) {
        fprintf(out, "%s%s", k > 0 ? " " : "", row->word(k));
    }
}

/* ---- bash ---------------------------------------------------------------------------------- */

static void bash_name(FILE *out, const command *c, const option_row *row) {
    (void)c;
    if (row->letter != 0) {
        fprintf(out, " -%c", row->letter);
    }
    if (row->name != NULL) {
        fprintf(out, " --%s", row->name);
    }
}

static void bash_value(FILE *out, const command *c, const option_row *row) {
    if (row->value == NULL || is_path(row)) {
        return; /* as what is no option */
    }
    fprintf(out, "    '%s --%s') words='", c->name, row->name);
    if (row->word != NULL) {
        put_words(out, row);
    }
    fputs("' ;;\n", out);
}

static void bash_print(FILE *out, const command *const *commands) {
    fputs("_kiln() {\n"
          "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
          "    local words=- options=\n"
          "    case \"${COMP_WORDS[1]} $before\" in\n",
          out);
    for (size_t k = 0; commands[k] != NULL; k++) {
        put_rows(out, commands[k], bash_value);
    }
    fputs("    esac\n    case \"${COMP_WORDS[1]}\" in\n", out);
    for (size_t k = 0; commands[k] != NULL; k++) {
        fprintf(out, "    %s) options='", commands[k]->name);
        put_rows(out, commands[k], bash_name);
        fputs("' ;;\n", out);
    }
    fputs("    esac\n"
          "    if [ \"$COMP_CWORD\" -eq 1 ] || { [ \"$COMP_CWORD\" -eq 2 ] && [ \"$before\" = help "
          "]; "
          "}; then\n        words='help",
          out);
    for (size_t k = 0; commands[k] != NULL; k++) {
        fprintf(out, " %s", commands[k]->name);
    }
    fputs("'\n"
          "    elif [ \"$words\" = - ] && [[ $word == -* ]]; then\n"
          "        words=$options\n"
          "    fi\n"
          "    if [ \"$words\" = - ]; then\n"
          "        compopt -o filenames 2>/dev/null\n"
          "        mapfile -t COMPREPLY < <(compgen -f -- \"$word\")\n"
          "    else\n"
          "        mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n"
          "    fi\n"
          "}\n"
          "complete -F _kiln kiln\n",
          out);
}

/* ---- zsh ----------------------------------------------------------------------------------- */

/* A specification of _arguments: '(-o --output)'{-o,--output}'[help]:FILE:_files'. */
static void zsh_row(FILE *out, const command *c, const option_row *row) {
    (void)c;
    fputs("            ", out);
    if (row->letter != 0 && row->name != NULL) {
        fprintf(out, "'(-%c --%s)'{-%c,--%s}'", row->letter, row->name, row->letter, row->name);
    } else if (row->name != NULL) {
        fprintf(out, "'--%s", row->name);
    } else {
        fprintf(out, "'-%c", row->letter);
    }
    fputc('[', out);
    put_quoted(out, row->help, "\\[]:");
    fputc(']', out);
    if (row->value != NULL) {
        fputc(':', out);
        put_quoted(out, row->value, "\\:");
        fputc(':', out);
    }
    if (row->word != NULL) {
        fputc('(', out);
        put_words(out, row);
        fputc(')', out);
    } else if (row->value != NULL && is_path(row)) {
        fputs("_files", out);
    }
    fputs("' \\\n", out);
}

static void zsh_print(FILE *out, const command *const *commands) {
    fputs("#compdef kiln\n"
          "_kiln() {\n"
          "    local -a commands=(\n"
          "        'help:tell all about a command'\n",
          out);
    for (size_t k = 0; commands[k] != NULL; k++) {
        fprintf(out, "        '%s:", commands[k]->name);
        put_quoted(out, commands[k]->summary, "\\:");
        fputs("'\n", out);
    }
    fputs("    )\n"
          "    if ((CURRENT == 2)) || [[ $CURRENT == 3 && $words[2] == help ]]; then\n"
          "        _describe command commands\n"
          "        return\n"
          "    fi\n"
          "    shift words\n"
          "    ((CURRENT--))\n"
          "    case $words[1] in\n",
          out);
    for (size_t k = 0; commands[k] != NULL; k++) {
        fprintf(out, "    %s)\n        _arguments \\\n", commands[k]->name);
        put_rows(out, commands[k], zsh_row);
        fputs("            '*:file:_files' ;;\n", out);
    }
    fputs("    esac\n}\n_kiln \"$@\"\n", out);
}

/* ---- fish ---------------------------------------------------------------------------------- */

static void fish_row(FILE *out, const command *c, const option_row *row) {
    fprintf(out, "complete -c kiln -n '__fish_seen_subcommand_from %s'", c->name);
    if (row->letter != 0) {
        fprintf(out, " -s %c", row->letter);
    }
    if (row->name != NULL) {
        fprintf(out, " -l %s", row->name);
    }
    if (row->value != NULL) {
        fputs(is_path(row) ? " -r" : " -x", out);
    }
    if (row->word != NULL) {
        fputs(" -a '", out);
        put_words(out, row);
        fputc('\'', out);
    }
    fputs(" -d '", out);
    for (const char *at = row->help; *at != '\0'; at++) {
        fprintf(out, *at == '\'' || *at == '\\' ? "\\%c" : "%c", *at);
    }
    fputs("'\n", out);
}

static void fish_print(FILE *out, const command *const *commands) {
    fputs("complete -c kiln -n __fish_use_subcommand -f -a help -d 'tell all about a command'\n",
          out);
    for (size_t k = 0; commands[k] != NULL; k++) {
        fprintf(out, "complete -c kiln -n __fish_use_subcommand -f -a %s -d \"%s\"\n",
                commands[k]->name, commands[k]->summary);
        fprintf(out, "complete -c kiln -n '__fish_seen_subcommand_from help' -f -a %s\n",
                commands[k]->name);
        put_rows(out, commands[k], fish_row);
    }
}

bool completion_print(FILE *out, const command *const *commands, const char *shell) {
    static const struct {
        const char *name;
        void (*print)(FILE *out, const command *const *commands);
    } shells[] = {{"bash", bash_print}, {"zsh", zsh_print}, {"fish", fish_print}};
    for (size_t k = 0; k < sizeof shells / sizeof *shells; k++) {
        if (strcmp(shells[k].name, shell) == 0) {
            shells[k].print(out, commands);
            return true;
        }
    }
    return false;
}
