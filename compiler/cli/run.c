/* kiln run: pictures or arrays in, scores or arrays out. */
#include "compiler/cli/array_files.h"
#include "compiler/cli/cli.h"
#include "compiler/cli/given.h"
#include "compiler/cli/picture.h"
#include "compiler/cli/scores.h"
#include "compiler/import/import.h"
#include <kiln/element.h>

#include <stdlib.h>
#include <string.h>

typedef struct run_call {
    given_inputs given;
    const char *output_folder;
    uint32_t threads;
    kiln_preprocess preprocess;
    packed_place prepacked;
    kiln_plan *plan;
    kiln_session *session;
    kiln_buffer *in, *out;
    size_t inputs, outputs;
    score_printer scores;
    array_files files;
} run_call;

/* ---- Buffers ------------------------------------------------------------------------------- */

static kiln_status allocate(run_call *c, uint32_t batch, kiln_error *error) {
    c->inputs = kiln_plan_input_count(c->plan);
    c->outputs = kiln_plan_output_count(c->plan);
    if (c->outputs == 0) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT, "the plan has no output");
    }
    c->in = calloc(c->inputs + 1, sizeof *c->in);
    c->out = calloc(c->outputs + 1, sizeof *c->out);
    bool good = c->in != NULL && c->out != NULL;
    for (size_t k = 0; good && k < c->inputs + c->outputs; k++) {
        kiln_tensor_info info;
        bool input = k < c->inputs;
        kiln_buffer *b = input ? &c->in[k] : &c->out[k - c->inputs];
        (void)(input ? kiln_plan_input(c->plan, k, &info)
                     : kiln_plan_output(c->plan, k - c->inputs, &info));
        b->size = info.bytes * (info.batched ? batch : 1);
        b->data = calloc(1, b->size + 1);
        good = b->data != NULL;
    }
    kiln_session_options options;
    kiln_session_options_init(&options);
    options.threads = c->threads;
    options.max_batch = batch;
    return good ? kiln_session_create(c->plan, &options, &c->session, error)
                : kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
}

static void release(run_call *c) {
    for (size_t k = 0; c->in != NULL && k < c->inputs; k++) {
        free(c->in[k].data);
    }
    for (size_t k = 0; c->out != NULL && k < c->outputs; k++) {
        free(c->out[k].data);
    }
    free(c->in);
    free(c->out);
    kiln_session_destroy(c->session);
    kiln_plan_close(c->plan);
    given_free(&c->given);
    array_files_free(&c->files);
}

/* ---- Outputs ------------------------------------------------------------------------------- */

static kiln_status save_outputs(run_call *c, uint32_t batch, const char *picture,
                                kiln_error *error) {
    for (size_t k = 0; k < c->outputs; k++) {
        kiln_tensor_info info;
        (void)kiln_plan_output(c->plan, k, &info);
        const char *path = array_file(&c->files, c->output_folder, picture, info.name);
        kiln_value value = {
            .name = info.name, .dtype = info.dtype, .rank = info.rank, .data = c->out[k].data};
        memcpy(value.dims, info.dims, sizeof info.dims);
        value.dims[0] *= info.batched ? batch : 1;
        kiln_status status = path != NULL
                                 ? check_outputs(&path, 1, c->given.paths, c->given.count, error)
                                 : kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
        if (status == KILN_OK) {
            status = kiln_value_save_npy(&value, path, error);
        }
        if (status != KILN_OK) {
            return status;
        }
        if (!c->scores.json) {
            text_print(stdout, "%s\n", path);
        }
    }
    return KILN_OK;
}

/* ---- Running ------------------------------------------------------------------------------- */

static kiln_status run_picture(run_call *c, const char *path, kiln_error *error) {
    kiln_tensor_info info;
    kiln_image_layout layout;
    rgb_picture picture = {0};
    (void)kiln_plan_input(c->plan, 0, &info);
    kiln_status status = picture_check_input(&info, &layout, error);
    if (status == KILN_OK && (c->inputs != 1 || layout.count != 1)) {
        status = kiln_fail(error, KILN_ERROR_ARGUMENT,
                           "the plan does not take one picture: give it files with --input");
    }
    if (status == KILN_OK) {
        status = picture_load(path, &picture, error);
    }
    if (status == KILN_OK) {
        kiln_image image = picture_image(&picture);
        status = kiln_image_to_input(&image, &info, &c->preprocess, 0, c->in[0], error);
    }
    picture_free(&picture);
    if (status == KILN_OK) {
        status = kiln_session_run(c->session, 1, c->in, c->inputs, c->out, c->outputs, error);
    }
    if (status == KILN_OK) {
        status = scores_print(&c->scores, path, c->out[c->outputs - 1].data, error);
    }
    if (status == KILN_OK && c->output_folder != NULL) {
        const char *slash = strrchr(path, '/');
        status = save_outputs(c, 1, slash != NULL ? slash + 1 : path, error);
    }
    return status;
}

static kiln_status run_pictures(run_call *c, char **paths, int count, kiln_error *error) {
    if (!c->preprocess.present) {
        kiln_plan_preprocess(c->plan, &c->preprocess);
        if (!c->preprocess.present) {
            fprintf(stderr, "kiln: the plan does not say how pictures are normalised; "
                            "pixels go in as 0..255 (see --preprocess)\n");
        }
    }
    kiln_status status = allocate(c, 1, error);
    for (int k = 0; k < count && status == KILN_OK; k++) {
        status = run_picture(c, paths[k], error);
    }
    return status;
}

static const kiln_value *value_of(const run_call *c, const char *name) {
    for (size_t k = 0; k < c->given.count; k++) {
        if (strcmp(c->given.values[k].name, name) == 0) {
            return &c->given.values[k];
        }
    }
    return NULL;
}

/* The samples that the arrays hold. */
static kiln_status batch_of(const run_call *c, uint32_t *out_batch, kiln_error *error) {
    *out_batch = 0;
    for (size_t k = 0; k < kiln_plan_input_count(c->plan); k++) {
        kiln_tensor_info info;
        (void)kiln_plan_input(c->plan, k, &info);
        const kiln_value *value = value_of(c, info.name);
        kiln_status status =
            value != NULL
                ? value_batch(value, &info, out_batch, error)
                : kiln_fail(error, KILN_ERROR_ARGUMENT,
                            "no data for input '%s': give --input '%s=FILE'", info.name, info.name);
        if (status != KILN_OK) {
            return status;
        }
    }
    *out_batch = *out_batch == 0 ? 1 : *out_batch;
    return KILN_OK;
}

static kiln_status check_names(const run_call *c, kiln_error *error) {
    for (size_t k = 0; k < c->given.count; k++) {
        char names[300] = "";
        bool known = false;
        for (size_t i = 0; i < kiln_plan_input_count(c->plan); i++) {
            kiln_tensor_info info;
            (void)kiln_plan_input(c->plan, i, &info);
            known = known || strcmp(info.name, c->given.values[k].name) == 0;
            text_list_add(names, sizeof names, info.name);
        }
        if (!known) {
            return kiln_fail(error, KILN_ERROR_ARGUMENT, "the plan has no input '%s'; inputs: %s",
                             c->given.values[k].name, names);
        }
    }
    return KILN_OK;
}

static void take_value(const kiln_value *value, const kiln_tensor_info *info, kiln_buffer in) {
    size_t count = in.size / kiln_dtype_size(info->dtype);
    bool bits = info->dtype == KILN_BF16 && value->dtype == KILN_U16;
    if (bits || info->dtype == value->dtype) {
        memcpy(in.data, value->data, in.size);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        kiln_element_put_nearest(info->dtype, in.data, i,
                                 kiln_element_number(value->dtype, value->data, i));
    }
}

static kiln_status run_arrays(run_call *c, kiln_error *error) {
    uint32_t batch;
    kiln_status status = check_names(c, error);
    if (status == KILN_OK) {
        status = batch_of(c, &batch, error);
    }
    if (status == KILN_OK) {
        status = allocate(c, batch, error);
    }
    for (size_t k = 0; k < c->inputs && status == KILN_OK; k++) {
        kiln_tensor_info info;
        (void)kiln_plan_input(c->plan, k, &info);
        take_value(value_of(c, info.name), &info, c->in[k]);
    }
    if (status == KILN_OK) {
        status = kiln_session_run(c->session, batch, c->in, c->inputs, c->out, c->outputs, error);
    }
    if (status == KILN_OK && c->output_folder != NULL) {
        return save_outputs(c, batch, NULL, error);
    }
    return status == KILN_OK
               ? scores_print(&c->scores, "(first sample)", c->out[c->outputs - 1].data, error)
               : status;
}

/* ---- Command ------------------------------------------------------------------------------- */

#define AT(member) offsetof(run_call, member)

static const option_row rows[] = {
    {.kind = OPTION_CALL,
     .name = "input",
     .value = "NAME=FILE",
     .place = AT(given),
     .take = take_input_file,
     .help = "data of one input; repeat for several. A file whose path holds = is given as "
             "NAME=@FILE"},
    {.kind = OPTION_TEXT,
     .name = "output",
     .value = "DIR",
     .place = AT(output_folder),
     .help = "write every output to DIR as .npy"},
    {.kind = OPTION_NUMBER,
     .name = "top",
     .value = "K",
     .place = AT(scores.top),
     .low = 1,
     .high = 100000,
     .help = "how many classes to print (default 5)"},
    THREADS_ROW(AT(threads)),
    {.kind = OPTION_CALL,
     .name = "preprocess",
     .value = "PRESET",
     .place = AT(preprocess),
     .word = preset_word,
     .take = take_preset,
     .help = PRESET_HELP},
    PREPACKED_ROWS(AT(prepacked)),
    {.kind = OPTION_SET, .name = "json", .place = AT(scores.json), .help = "results as JSON"},
    OPTIONS_END,
};

static int wrong_use(const command *self) {
    return usage(self, "expected a plan, and pictures or --input");
}

/* Without pictures and arrays a plan runs that has no inputs. */
static int run_words(const command *self, run_call *c, char **words, int count) {
    kiln_error error = {0};
    int pictures = count - 1;
    if (count < 1 || (pictures > 0 && c->given.count > 0)) {
        return wrong_use(self);
    }
    kiln_status status = open_plan(words[0], c->prepacked, &c->plan, &error);
    if (status == KILN_OK && pictures == 0 && c->given.count == 0 &&
        kiln_plan_input_count(c->plan) > 0) {
        return wrong_use(self);
    }
    c->scores.plan = c->plan;
    if (status == KILN_OK && c->output_folder != NULL) {
        status = check_output_folder(c->output_folder, &error);
    }
    if (status == KILN_OK) {
        status =
            pictures > 0 ? run_pictures(c, words + 1, pictures, &error) : run_arrays(c, &error);
    }
    scores_end(&c->scores);
    return status == KILN_OK ? 0 : fail(&error);
}

static int run(const command *self, int argc, char **argv) {
    run_call c = {.scores = {.top = 5}, .threads = 1, .prepacked = PACKED_IN_CACHE};
    int status = options_read(self, &c, &argc, &argv);
    if (status == OPTIONS_READ) {
        status = run_words(self, &c, argv, argc);
    }
    release(&c);
    return status;
}

const command command_run = {
    .name = "run",
    .summary = "run a plan on pictures or arrays",
    .order = 130,
    .synopsis = "PLAN PICTURE... [options]\n"
                "PLAN --input NAME=FILE.npy|FILE.pb ... [options]\n"
                "PLAN [options]",
    .about = "Runs a plan. Pictures (" PICTURE_FORMATS ") are resized and normalised as the plan "
             "says, and the best classes are printed; arrays go in as they are. A plan without "
             "inputs runs alone.",
    .examples = "kiln run mobilenet.plan cat.jpg dog.png --top 3",
    .options = rows,
    .opens_plan = true,
    .run = run};
