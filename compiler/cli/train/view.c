/* kiln view: what a network makes of a picture, as a picture. */
#include "compiler/cli/cli.h"
#include "compiler/cli/train/scorer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { GAP = 2, SMALLEST_TILE = 32 };

typedef struct view_call {
    const char *layer, *output, *preset;
    subject_options subjects;
    uint32_t channels;
    bool filters, list;
} view_call;

/* `count` tiles of width x height x channels (1 or 3), one after the other, values in rows. */
typedef struct tiles {
    float *values;
    size_t count, width, height, channels;
} tiles;

/* ---- The sheet ----------------------------------------------------------------------------- */

typedef struct sheet {
    uint8_t *rgb;
    size_t columns, rows, scale, width, height;
} sheet;

static bool make_sheet(const tiles *t, sheet *out) {
    size_t smaller = t->width < t->height ? t->width : t->height;
    out->scale = smaller < SMALLEST_TILE ? (SMALLEST_TILE + smaller - 1) / smaller : 1;
    out->columns = (size_t)ceil(sqrt((double)t->count));
    out->rows = (t->count + out->columns - 1) / out->columns;
    out->width = out->columns * (t->width * out->scale + GAP) + GAP;
    out->height = out->rows * (t->height * out->scale + GAP) + GAP;
    bool fits = out->width < 30000 && out->height < 30000;
    out->rgb = fits ? malloc(out->width * out->height * 3) : NULL;
    if (out->rgb != NULL) {
        memset(out->rgb, 40, out->width * out->height * 3);
    }
    return out->rgb != NULL;
}

static void draw_tile(const tiles *t, size_t index, const sheet *s) {
    size_t size = t->width * t->height * t->channels;
    const float *values = t->values + index * size;
    float low = INFINITY, high = -INFINITY;
    for (size_t k = 0; k < size; k++) {
        low = values[k] < low ? values[k] : low;
        high = values[k] > high ? values[k] : high;
    }
    float range = high > low ? 255 / (high - low) : 0;
    size_t left = GAP + index % s->columns * (t->width * s->scale + GAP);
    size_t top = GAP + index / s->columns * (t->height * s->scale + GAP);
    for (size_t y = 0; y < t->height * s->scale; y++) {
        for (size_t x = 0; x < t->width * s->scale; x++) {
            const float *from = values + (y / s->scale * t->width + x / s->scale) * t->channels;
            uint8_t *to = s->rgb + ((top + y) * s->width + left + x) * 3;
            for (size_t c = 0; c < 3; c++) {
                to[c] = (uint8_t)((from[t->channels == 3 ? c : 0] - low) * range);
            }
        }
    }
}

static kiln_status write_tiles(const tiles *t, const char *path, kiln_error *error) {
    sheet s;
    if (!make_sheet(t, &s)) {
        return kiln_fail(error, KILN_ERROR_UNSUPPORTED,
                         "%zu tiles of %zux%zu make too large a picture: see --channels", t->count,
                         t->width, t->height);
    }
    for (size_t k = 0; k < t->count; k++) {
        draw_tile(t, k, &s);
    }
    rgb_picture picture = {(uint32_t)s.width, (uint32_t)s.height, s.rgb};
    kiln_status status = picture_write(&picture, path, error);
    if (status == KILN_OK) {
        text_print(stdout, "%s: %zu tiles of %zux%zu, %zux%zu pixels\n", path, t->count, t->width,
                   t->height, s.width, s.height);
    }
    free(s.rgb);
    return status;
}

/* ---- Feature maps -------------------------------------------------------------------------- */

/* The tensor's name, when `name` is a layer's. */
static const char *tensor_of_layer(const kiln_plan *plan, const char *name) {
    kiln_plan_view v;
    kiln_plan_inspect(plan, &v);
    for (size_t s = 0; s < v.step_count; s++) {
        if (strcmp(v.strings + v.steps[s].name, name) == 0) {
            uint32_t t = v.operands[v.steps[s].first_operand + v.steps[s].input_count];
            return v.strings + v.tensors[t].name;
        }
    }
    return name;
}

static kiln_status maps_of(const view_call *c, const kiln_tensor_info *info, float *values,
                           const char *path, kiln_error *error) {
    size_t channels = info->dims[1];
    tiles t = {.values = values, .channels = 1};
    if (info->dtype != KILN_F32 || info->rank < 3 || info->rank > 4) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT,
                         "layer '%s' has no feature maps: %u dimensions", c->layer, info->rank);
    }
    t.height = info->rank == 4 ? info->dims[2] : 1;
    t.width = info->dims[info->rank - 1];
    t.count = channels < c->channels ? channels : c->channels;
    return write_tiles(&t, path, error);
}

/* The layers whose maps can be shown, a line each. */
static void print_layers(const kiln_plan *plan, FILE *out) {
    kiln_plan_view v;
    kiln_plan_inspect(plan, &v);
    for (size_t s = 0; s < v.step_count; s++) {
        const kiln_plan_tensor_record *t =
            &v.tensors[v.operands[v.steps[s].first_operand + v.steps[s].input_count]];
        char shape[96];
        if (t->place == KILN_PLACE_ARENA && t->rank >= 3 && t->dtype == KILN_F32) {
            text_print(out, "%-40s %s\n", v.strings + v.steps[s].name,
                       shape_text(t->dims, t->rank, t->batched != 0, shape, sizeof shape));
        }
    }
}

static kiln_status list_layers(const char *path, kiln_error *error) {
    kiln_plan *plan = NULL;
    kiln_status status = open_plan(path, PACKED_NOWHERE, &plan, error);
    if (status == KILN_OK) {
        print_layers(plan, stdout);
        kiln_plan_close(plan);
    }
    return status;
}

static kiln_status view_maps(const view_call *c, const char *plan, const char *picture,
                             kiln_error *error) {
    scorer s;
    scorer_options options = {.preset = c->preset, .subjects = c->subjects, .threads = 1};
    kiln_tensor_info info;
    kiln_status status = scorer_open(plan, &options, &s, error);
    if (status != KILN_OK) {
        return status;
    }
    const char *name = tensor_of_layer(s.plan, c->layer);
    float *values = NULL, *scores = malloc((s.count + 1) * sizeof *scores);
    status = kiln_plan_tensor(s.plan, name, &info, NULL);
    if (status != KILN_OK) {
        fprintf(stderr, "kiln: layers:\n");
        print_layers(s.plan, stderr);
        status = kiln_fail(error, status, "%s has no layer '%s': those that it has are above", plan,
                           c->layer);
    } else {
        values = malloc(info.bytes + 1);
        status =
            values != NULL && scores != NULL
                ? kiln_session_capture(s.session, name, (kiln_buffer){values, info.bytes}, error)
                : kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    }
    if (status == KILN_OK) {
        status = scorer_run_file(&s, picture, scores, error);
    }
    if (status == KILN_OK) {
        status = maps_of(c, &info, values, c->output, error);
    }
    scorer_close(&s);
    free(values);
    free(scores);
    return status;
}

/* ---- Filters ------------------------------------------------------------------------------- */

static const kiln_plan_tensor_record *first_filters(const kiln_plan_view *v) {
    for (size_t s = 0; s < v->step_count; s++) {
        if (v->steps[s].kernel == KILN_KERNEL_CONV_2D) {
            return &v->tensors[v->operands[v->steps[s].first_operand + 1]];
        }
    }
    return NULL;
}

static kiln_status view_filters(const view_call *c, const char *path, kiln_error *error) {
    kiln_plan *plan = NULL;
    kiln_plan_view v;
    kiln_status status = open_plan(path, PACKED_NOWHERE, &plan, error);
    if (status != KILN_OK) {
        return status;
    }
    kiln_plan_inspect(plan, &v);
    const kiln_plan_tensor_record *w = first_filters(&v);
    if (w == NULL) {
        kiln_plan_close(plan);
        return kiln_fail(error, KILN_ERROR_ARGUMENT, "%s: no convolution in it", path);
    }
    /* [O][KH][KW][C]: a tile a filter, in colour; or, with other channels, the first one's. */
    size_t channels = w->dims[3] == 3 ? 3 : 1, pixels = (size_t)w->dims[1] * w->dims[2];
    tiles t = {.count = w->dims[0] < c->channels ? w->dims[0] : c->channels,
               .width = w->dims[2],
               .height = w->dims[1],
               .channels = channels};
    t.values = malloc(t.count * pixels * channels * sizeof(float) + 1);
    for (size_t k = 0; t.values != NULL && k < t.count * pixels * channels; k++) {
        size_t from = k / channels * w->dims[3] + k % channels;
        kiln_plan_widen(&v, w, from, 1, &t.values[k]);
    }
    status = t.values != NULL ? write_tiles(&t, c->output, error)
                              : kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    free(t.values);
    kiln_plan_close(plan);
    return status;
}

/* ---- Command ------------------------------------------------------------------------------- */

#define AT(member) offsetof(view_call, member)

static const option_row rows[] = {
    {.kind = OPTION_TEXT,
     .name = "layer",
     .value = "NAME",
     .place = AT(layer),
     .help = "a layer or tensor; kiln view PLAN --list names them"},
    {.kind = OPTION_SET,
     .name = "filters",
     .place = AT(filters),
     .help = "the first convolution's filters, in colour where it sees colours"},
    {.kind = OPTION_SET, .name = "list", .place = AT(list), .help = "layers with their shapes"},
    {.kind = OPTION_TEXT,
     .letter = 'o',
     .name = "output",
     .value = "FILE",
     .place = AT(output),
     .help = "the picture, PNG"},
    {.kind = OPTION_NUMBER,
     .name = "channels",
     .value = "N",
     .place = AT(channels),
     .low = 1,
     .high = 65536,
     .help = "at most so many tiles (default 64)"},
    DETECTOR_ROW(AT(subjects.detector)),
    FACES_ROW(AT(subjects.faces), "largest"),
    PRESET_ROW(AT(preset)),
    OPTIONS_END,
};

static int run(const command *self, int argc, char **argv) {
    view_call c = {.channels = 64};
    kiln_error error = {0};
    int read = options_read(self, &c, &argc, &argv);
    if (read != OPTIONS_READ) {
        return read;
    }
    bool maps = !c.filters && !c.list;
    if (argc != (maps ? 2 : 1) || (maps && c.layer == NULL) || (!c.list && c.output == NULL)) {
        return usage(self, "expected PLAN PICTURE --layer NAME -o FILE, PLAN --filters -o FILE, or "
                           "PLAN --list");
    }
    const char *const *inputs = (const char *const *)argv;
    kiln_status status = check_outputs(&c.output, 1, inputs, (size_t)argc, &error);
    if (status == KILN_OK) {
        status = c.list      ? list_layers(inputs[0], &error)
                 : c.filters ? view_filters(&c, inputs[0], &error)
                             : view_maps(&c, inputs[0], inputs[1], &error);
    }
    return status == KILN_OK ? 0 : fail(&error);
}

const command command_view = {
    .name = "view",
    .summary = "feature maps and filters as pictures",
    .order = 260,
    .synopsis = "PLAN PICTURE --layer NAME -o maps.png [options]\n"
                "PLAN --filters -o filters.png\n"
                "PLAN --list",
    .about = "Draws the feature maps that a layer computes from a picture, a tile a channel, each "
             "from its least (black) to its largest value (white); or the filters of the first "
             "convolution.",
    .examples = "kiln view mobilefacenet.plan ada.jpg --layer conv1 -o maps.png",
    .options = rows,
    .opens_plan = true,
    .run = run};
