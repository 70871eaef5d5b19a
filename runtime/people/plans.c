/* People in plans: opening them, and writing a plan with its people: the section, labels, and the
 * rows of a classifier's head. */
#include "runtime/base/files.h"
#include "runtime/people/people.h"
#include "runtime/plan/plan.h"
#include "runtime/plan/sub_plan.h"

#include <math.h>
#include <string.h>

/* ---- Opening ------------------------------------------------------------------------------- */

bool kiln_people_are_in(const kiln_plan *plan) {
    kiln_span content;
    return kiln_plan_find_section(plan, PEOPLE_TAG, &content);
}

/* Which rows of the plan's head are theirs. */
static void find_labels(kiln_people *people, const kiln_plan *plan) {
    for (size_t k = 0; k < kiln_plan_label_count(plan); k++) {
        size_t at;
        if (kiln_people_find(people, kiln_plan_label(plan, k), &at)) {
            people->items[at].label = (uint32_t)k;
        }
    }
}

kiln_status kiln_people_open(const kiln_plan *plan, kiln_people **out_people, kiln_error *error) {
    kiln_span content;
    *out_people = NULL;
    if (!kiln_plan_find_section(plan, PEOPLE_TAG, &content)) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT,
                         "the plan knows no people (kiln train makes one that does)");
    }
    kiln_status status = people_read(content, &plan->allocator, out_people, error);
    if (status == KILN_OK) {
        find_labels(*out_people, plan);
    }
    return status;
}

/* ---- Where the head is --------------------------------------------------------------------- */

enum { MOST_TAIL = 4 };

/* The last dense layer, and what follows it: the largest of a label's rows, activation, copy to the
 * output. */
typedef struct head {
    size_t dense;
    uint32_t group; /* rows of a label: of nearest neighbours, a picture each */
    size_t tail[MOST_TAIL];
    size_t tail_count;
    bool cosine; /* its rows are directions: of vectors of length 1, without biases */
} head;

static uint32_t operand(const kiln_plan_view *v, size_t step, uint32_t k) {
    return v->operands[v->steps[step].first_operand + k];
}

static bool has_biases(const kiln_plan_view *v, uint32_t tensor) {
    const kiln_plan_tensor_record *b = &v->tensors[tensor];
    for (size_t k = 0; k < b->dims[0]; k++) {
        float bias;
        kiln_plan_widen(v, b, k, 1, &bias);
        if (bias != 0) {
            return true;
        }
    }
    return false;
}

/* So many rows as there are for each label, or false. */
static bool is_head(const kiln_plan_view *v, size_t step, head *out) {
    const kiln_plan_step *s = &v->steps[step];
    uint32_t w = operand(v, step, 1), b = s->input_count == 3 ? operand(v, step, 2) : w;
    size_t norm;
    if (s->input_count != 3 || (s->flags & KILN_STEP_FINAL_DENSE) == 0 ||
        v->tensors[w].place != KILN_PLACE_CONSTANT || v->tensors[b].place != KILN_PLACE_CONSTANT ||
        v->tensors[w].dims[0] != (uint64_t)v->label_count * out->group) {
        return false;
    }
    out->dense = step;
    out->cosine = plan_producer(v, operand(v, step, 0), step, &norm) &&
                  v->steps[norm].kernel == KILN_KERNEL_LP_NORM && !has_biases(v, b);
    return true;
}

/* The largest of a label's rows. */
static bool takes_nearest(const kiln_plan_view *v, const kiln_plan_step *s, head *out) {
    const kiln_reduce_params *p = (const void *)(v->params + s->params_offset);
    const kiln_plan_tensor_record *x = &v->tensors[v->operands[s->first_operand]];
    bool nearest = s->kernel == KILN_KERNEL_REDUCE && p->op == KILN_REDUCE_MAX &&
                   p->mask == 1u << 2 && x->rank == 3 && x->dims[1] == v->label_count &&
                   out->group == 1;
    out->group = nearest ? x->dims[2] : out->group;
    return nearest;
}

static bool find_head(const kiln_plan_view *v, head *out) {
    size_t step = v->step_count;
    uint32_t at = v->output_count == 1 ? v->outputs[0] : KILN_PLAN_NONE;
    *out = (head){.group = 1};
    while (at != KILN_PLAN_NONE && plan_producer(v, at, step, &step)) {
        const kiln_plan_step *s = &v->steps[step];
        if (s->kernel == KILN_KERNEL_FULLY_CONNECTED) {
            return is_head(v, step, out);
        }
        bool by_row = s->kernel == KILN_KERNEL_COPY || s->kernel == KILN_KERNEL_UNARY ||
                      s->kernel == KILN_KERNEL_SOFTMAX || takes_nearest(v, s, out);
        if (!by_row || s->input_count != 1 || out->tail_count == MOST_TAIL) {
            return false;
        }
        out->tail[out->tail_count++] = step;
        at = operand(v, step, 0);
    }
    return false;
}

/* What feeds the head. A cosine head makes it of length 1 first: that is the head's. */
static kiln_status find_features(const kiln_plan *plan, uint32_t *out_tensor, kiln_error *error) {
    const kiln_plan_view *v = &plan->view;
    size_t norm;
    kiln_status status = plan_find_cut(plan, NULL, out_tensor, error);
    if (status == KILN_OK && v->label_count > 0 &&
        plan_producer(v, *out_tensor, v->step_count, &norm) &&
        v->steps[norm].kernel == KILN_KERNEL_LP_NORM) {
        *out_tensor = operand(v, norm, 0);
    }
    return status;
}

kiln_status kiln_people_cut(const kiln_plan *plan, kiln_plan **out_plan, kiln_error *error) {
    uint32_t tensor;
    *out_plan = NULL;
    kiln_status status = find_features(plan, &tensor, error);
    return status == KILN_OK ? plan_cut_at(plan, tensor, out_plan, error) : status;
}

kiln_status kiln_people_step(const kiln_plan *plan, size_t *out_step, kiln_error *error) {
    uint32_t tensor;
    kiln_status status = find_features(plan, &tensor, error);
    bool made =
        status == KILN_OK && plan_producer(&plan->view, tensor, plan->view.step_count, out_step);
    return status != KILN_OK || made
               ? status
               : kiln_fail(error, KILN_ERROR_UNSUPPORTED, "the features are no step's output");
}

/* ---- Its rows ------------------------------------------------------------------------------ */

/* Whom the new plan's rows are of: all people, or those who have a row already. */
typedef struct rows {
    const person **of;
    size_t count;
    float *weights, *biases;
} rows;

static void rows_free(rows *r) {
    memory_free((void *)r->of);
    memory_free(r->weights);
    memory_free(r->biases);
}

static double length_of(const float *row, size_t count) {
    double squares = 0;
    for (size_t k = 0; k < count; k++) {
        squares += (double)row[k] * (double)row[k];
    }
    return sqrt(squares);
}

/* Of somebody new: the mean; of nearest neighbours the kept pictures, again and again where there
 * are fewer than rows, which changes no maximum. */
static void fill_rows(const person *p, uint32_t group, size_t inputs, double scale, float *row) {
    for (size_t g = 0; g < group; g++, row += inputs) {
        const float *from = group > 1 ? p->kept.items[g % p->kept.count].features : p->mean;
        for (size_t j = 0; j < inputs; j++) {
            row[j] = (float)((double)from[j] * scale);
        }
    }
}

static kiln_status make_rows(const kiln_people *people, const kiln_plan_view *v, const head *h,
                             rows *r, kiln_error *error) {
    const kiln_plan_tensor_record *w = &v->tensors[operand(v, h->dense, 1)];
    const kiln_plan_tensor_record *b = &v->tensors[operand(v, h->dense, 2)];
    size_t inputs = w->dims[1], each = 0, all = 0;
    if (h->cosine && inputs != people->features) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT, "people of %zu features, a head of %zu",
                         people->features, inputs);
    }
    if (__builtin_mul_overflow(inputs, h->group, &each) ||
        __builtin_mul_overflow(each, people->count + 1, &all) || all > UINT32_MAX) {
        return memory_fail(error);
    }
    r->of = memory_zeros(&people->allocator, people->count + 1, sizeof *r->of);
    r->weights = memory_take(&people->allocator, all * sizeof *r->weights);
    r->biases = memory_zeros(&people->allocator, (people->count + 1) * h->group, sizeof *r->biases);
    if (r->of == NULL || r->weights == NULL || r->biases == NULL) {
        return memory_fail(error);
    }
    kiln_plan_widen(v, w, 0, inputs, r->weights);
    double scale = length_of(r->weights, inputs);
    for (size_t k = 0; k < people->count; k++) {
        const person *p = &people->items[k];
        float *row = r->weights + r->count * each;
        if (p->label < v->label_count) {
            kiln_plan_widen(v, w, p->label * each, each, row);
            kiln_plan_widen(v, b, (size_t)p->label * h->group, h->group,
                            r->biases + r->count * h->group);
        } else if (h->cosine) {
            fill_rows(p, h->group, inputs, scale, row);
        } else {
            continue;
        }
        r->of[r->count++] = p;
    }
    return KILN_OK;
}

/* Whether the head and the labels say what the gallery says. */
static bool fits(const kiln_people *people, const kiln_plan *plan, const head *h) {
    size_t known = 0;
    for (size_t k = 0; k < people->count; k++) {
        const person *p = &people->items[k];
        const char *label = kiln_plan_label(plan, p->label);
        if (label == NULL ? h->cosine : strcmp(label, p->name) != 0) {
            return false;
        }
        known += label != NULL;
    }
    return known == kiln_plan_label_count(plan);
}

/* ---- The plan ------------------------------------------------------------------------------ */

static const char *text(const kiln_plan_view *v, uint32_t string) {
    return v->strings + string;
}

static void add_rows(sub_plan *p, const kiln_plan_view *v, const head *h, const rows *r,
                     uint32_t x) {
    const kiln_plan_step *dense = &v->steps[h->dense];
    const kiln_plan_tensor_record *w = &v->tensors[operand(v, h->dense, 1)],
                                  *b = &v->tensors[operand(v, h->dense, 2)];
    uint32_t count = (uint32_t)r->count, units = count * h->group, operands[4] = {x};
    operands[1] = sub_plan_constant(p, text(v, w->name), 2, units, w->dims[1], r->weights);
    operands[2] = sub_plan_constant(p, text(v, b->name), 1, units, 0, r->biases);
    for (size_t k = h->tail_count + 1; k-- > 0;) {
        size_t at = k == h->tail_count ? h->dense : h->tail[k];
        const kiln_plan_step *step = &v->steps[at];
        const char *name = text(v, v->tensors[operand(v, at, step->input_count)].name);
        if (k == 0) {
            sub_plan_copy(p, text(v, step->name), x, sub_plan_output_tensor(p, name, count), count);
            return;
        }
        uint32_t y = sub_plan_arena_tensor(p, name, step == dense ? units : count);
        operands[0] =
            step->kernel == KILN_KERNEL_REDUCE ? sub_plan_grouped(p, x, count, h->group) : x;
        operands[step == dense ? 3 : 1] = y;
        sub_plan_step(p, step, text(v, step->name), text(v, step->origin),
                      v->params + step->params_offset, step->params_bytes, operands);
        x = y;
    }
}

static void add_descriptions(sub_plan *p, const kiln_plan *plan, const rows *r) {
    const kiln_plan_view *v = &plan->view;
    kiln_preprocess preprocess;
    for (size_t k = 0; k < v->metadata_count; k++) {
        sub_plan_metadata(p, text(v, v->metadata[k].key), text(v, v->metadata[k].value));
    }
    for (size_t k = 0; k < r->count; k++) {
        uint32_t label = builder_string(&p->builder, r->of[k]->name);
        builder_append(&p->builder, KILN_SECTION_LABELS, &label, sizeof label);
    }
    kiln_plan_preprocess(plan, &preprocess);
    builder_preprocess(&p->builder, &preprocess);
}

static kiln_status write_new_head(const kiln_people *people, const kiln_plan *plan, const head *h,
                                  kiln_span section, file_writer *out, kiln_error *error) {
    rows r = {0};
    sub_plan p = {0};
    const kiln_plan_view *v = &plan->view;
    builder_begin(&p.builder, &people->allocator);
    kiln_status status = make_rows(people, v, h, &r, error);
    if (status == KILN_OK && r.count == 0) {
        status = kiln_fail(error, KILN_ERROR_ARGUMENT, "nobody would be left in the plan's head");
    }
    if (status == KILN_OK) {
        uint32_t x = sub_plan_take(&p, plan, operand(v, h->dense, 0));
        if (!sub_plan_failed(&p)) {
            add_rows(&p, v, h, &r, x);
            add_descriptions(&p, plan, &r);
            builder_optional(&p.builder, PEOPLE_TAG, section);
        }
        status = sub_plan_finish(&p, NULL, builder_to_file, out, error);
    }
    sub_plan_free(&p);
    rows_free(&r);
    return status;
}

/* Of a head that stays: the section, and labels by their people's names. */
static kiln_status write_section(const kiln_people *people, const kiln_plan *plan,
                                 kiln_span section, file_writer *out, kiln_error *error) {
    plan_builder b;
    builder_copy(&b, plan);
    builder_optional(&b, PEOPLE_TAG, section);
    for (size_t k = 0; k < people->count && !builder_failed(&b); k++) {
        const person *p = &people->items[k];
        const char *label = kiln_plan_label(plan, p->label);
        if (label != NULL && strcmp(label, p->name) != 0) {
            uint32_t name = builder_string(&b, p->name);
            memcpy(b.sections[KILN_SECTION_LABELS].data + p->label * sizeof name, &name,
                   sizeof name);
        }
    }
    kiln_status status = builder_failed(&b) ? memory_fail(error) : KILN_OK;
    size_t weights = (size_t)plan->header.sections[KILN_SECTION_WEIGHTS].bytes;
    if (status == KILN_OK) {
        builder_lay_out(&b);
        status = builder_write(&b, weights, builder_to_file, out, error);
    }
    if (status == KILN_OK) {
        status = file_write(out, plan->view.weights, weights, error);
    }
    builder_free(&b);
    return status;
}

static size_t count_labelled(const kiln_people *people, const kiln_plan *plan) {
    size_t count = 0;
    for (size_t k = 0; k < people->count; k++) {
        count += people->items[k].label < kiln_plan_label_count(plan);
    }
    return count;
}

kiln_status kiln_people_save(const kiln_people *people, const kiln_plan *plan, const char *path,
                             kiln_error *error) {
    void *bytes = NULL;
    size_t size = 0;
    head h = {0};
    file_writer out;
    bool rows = find_head(&plan->view, &h); /* a head whose rows can be chosen */
    if (!rows && count_labelled(people, plan) < kiln_plan_label_count(plan)) {
        return kiln_fail(
            error, KILN_ERROR_UNSUPPORTED,
            "nobody can be taken out of the plan's head, which is not one dense layer: "
            "train again without them");
    }
    kiln_status status = kiln_people_section(people, &bytes, &size, error);
    if (status == KILN_OK) {
        status = file_begin(&out, path, error);
    }
    if (status != KILN_OK) {
        memory_free(bytes);
        return status;
    }
    kiln_span section = {bytes, size};
    out.durable = true; /* the file that is replaced may be the only copy */
    status = rows && !fits(people, plan, &h)
                 ? write_new_head(people, plan, &h, section, &out, error)
                 : write_section(people, plan, section, &out, error);
    memory_free(bytes);
    return file_end(&out, status, error);
}
