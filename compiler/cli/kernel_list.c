/* Lists of kernels: see kernel_list.h. */
#include "compiler/cli/kernel_list.h"
#include "runtime/base/bytes.h"
#include "runtime/base/files.h"
#include <kiln/plan_format.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { MOST_BYTES = 1 << 16 };

typedef struct kernel_list {
    bool kernels[KILN_KERNEL_COUNT], algorithms[KILN_CONV_ALGORITHM_COUNT];
    bool several[1]; /* outputs of a channel, of depthwise convolutions */
    bool functions[KILN_UNARY_COUNT];
    bool training;
} kernel_list;

static const char *kernel_word(uint32_t number) {
    return kiln_kernel_describe(number)->name;
}

static const char *several_word(uint32_t number) {
    (void)number;
    return "several";
}

/* The words of a list: what begins its lines, and the names that may follow. */
typedef struct word_row {
    const char *word;
    size_t place, count;
    const char *(*name)(uint32_t number);
} word_row;
static const word_row words[] = {
    {"kernel", offsetof(kernel_list, kernels), KILN_KERNEL_COUNT, kernel_word},
    {"convolution", offsetof(kernel_list, algorithms), KILN_CONV_ALGORITHM_COUNT,
     kiln_conv_algorithm_name},
    {"depthwise", offsetof(kernel_list, several), 1, several_word},
    {"function", offsetof(kernel_list, functions), KILN_UNARY_COUNT, kiln_unary_op_name},
};
#define WORDS (sizeof words / sizeof *words)

static bool *marks(kernel_list *list, const word_row *row) {
    return (bool *)((char *)list + row->place);
}

/* ---- Reading and writing ------------------------------------------------------------------- */

static bool take_line(kernel_list *list, const char *line) {
    if (line[0] == '#' || line[0] == '\0' || strcmp(line, "training") == 0) {
        list->training = list->training || line[0] == 't';
        return true;
    }
    for (size_t w = 0; w < WORDS; w++) {
        size_t length = strlen(words[w].word);
        bool this = strncmp(line, words[w].word, length) == 0 && line[length] == ' ';
        for (uint32_t k = 0; this && k < words[w].count; k++) {
            if (strcmp(line + length + 1, words[w].name(k)) == 0) {
                marks(list, &words[w])[k] = true;
                return true;
            }
        }
    }
    return false;
}

static kiln_status read_list(const char *path, kernel_list *out_list, kiln_error *error) {
    char *text = NULL;
    size_t size = 0;
    *out_list = (kernel_list){.training = false};
    if (access(path, F_OK) != 0 && errno == ENOENT) {
        return KILN_OK;
    }
    kiln_status status = file_read(path, MOST_BYTES, &text, &size, error);
    for (char *line = text; status == KILN_OK && line < text + size;) {
        char *end = memchr(line, '\n', (size_t)(text + size - line));
        end = end != NULL ? end : text + size;
        *end = '\0';
        line[strcspn(line, "\r")] = '\0';
        if (!take_line(out_list, line)) {
            status = kiln_fail(error, KILN_ERROR_FORMAT,
                               "%s: no list of kernels of this version: line '%.80s'", path, line);
        }
        line = end + 1;
    }
    kiln_free(text);
    return status;
}

static kiln_status write_list(const char *path, kernel_list *list, kiln_error *error) {
    static const char head[] =
        "# What some plans need of Kiln's runtime: cmake -DKILN_KERNELS=THIS-FILE.\n";
    byte_buffer text = {0};
    buffer_append(&text, head, sizeof head - 1);
    for (size_t w = 0; w < WORDS; w++) {
        for (uint32_t k = 0; k < words[w].count; k++) {
            char line[80];
            int length = snprintf(line, sizeof line, "%s %s\n", words[w].word, words[w].name(k));
            if (marks(list, &words[w])[k]) {
                buffer_append(&text, line, (size_t)length);
            }
        }
    }
    if (list->training) {
        buffer_append(&text, "training\n", 9);
    }
    file_writer out;
    kiln_status status = text.failed
                             ? kiln_fail(error, KILN_ERROR_MEMORY, "%s: out of memory", path)
                             : file_begin(&out, path, error);
    if (status == KILN_OK) {
        status = file_write(&out, text.data, text.size, error);
        status = file_end(&out, status, error);
    }
    buffer_free(&text);
    return status;
}

/* ---- What a plan needs --------------------------------------------------------------------- */

static void add_plan(kernel_list *list, const kiln_plan *plan) {
    kiln_plan_view v;
    kiln_plan_inspect(plan, &v);
    for (size_t k = 0; k < v.step_count; k++) {
        const kiln_plan_step *s = &v.steps[k];
        const void *params = v.params + s->params_offset;
        uint32_t function = KILN_STEP_FUNCTION(s->flags);
        list->kernels[s->kernel] = true;
        if (s->kernel == KILN_KERNEL_CONV_2D || s->kernel == KILN_KERNEL_DECONV_2D) {
            const kiln_conv_params *p = params;
            const uint32_t *operands = v.operands + s->first_operand;
            list->algorithms[p->algorithm] = true;
            list->several[0] |=
                p->algorithm == KILN_CONV_DEPTHWISE && v.tensors[operands[1]].dims[0] > p->groups;
        }
        if (s->kernel == KILN_KERNEL_UNARY) {
            list->functions[((const kiln_unary_params *)params)->op] = true;
        }
        if (s->kernel == KILN_KERNEL_SQUEEZE_EXCITE) {
            const kiln_squeeze_excite_params *p = params;
            list->functions[p->hidden.op] = list->functions[p->gate.op] = true;
        }
        if (function != KILN_UNARY_CLAMP) {
            list->functions[function] = true;
        }
    }
}

/* What heads of every kind are made of (runtime/train/save.c). */
static void add_training(kernel_list *list) {
    static const uint8_t kernels[] = {
        KILN_KERNEL_COPY,    KILN_KERNEL_CAST,   KILN_KERNEL_UNARY,  KILN_KERNEL_FULLY_CONNECTED,
        KILN_KERNEL_SOFTMAX, KILN_KERNEL_REDUCE, KILN_KERNEL_LP_NORM};
    static const uint8_t functions[] = {KILN_UNARY_CLAMP, KILN_UNARY_SIGMOID, KILN_UNARY_TANH};
    list->training = true;
    for (size_t k = 0; k < sizeof kernels; k++) {
        list->kernels[kernels[k]] = true;
    }
    for (size_t k = 0; k < sizeof functions; k++) {
        list->functions[functions[k]] = true;
    }
}

kiln_status kernel_list_add(const char *path, const kiln_plan *plan, bool training,
                            kiln_error *error) {
    kernel_list list;
    kiln_status status = read_list(path, &list, error);
    if (status != KILN_OK) {
        return status;
    }
    add_plan(&list, plan);
    if (training) {
        add_training(&list);
    }
    return write_list(path, &list, error);
}
