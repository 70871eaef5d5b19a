/* Answers about subjects: see answer.h. */
#include "compiler/cli/faces/answer.h"
#include "compiler/cli/format.h"
#include "runtime/base/text.h"

#include <inttypes.h>
#include <math.h>

const char *face_text(const kiln_face *f, char *out, size_t size) {
    snprintf(out, size, "%.0fx%.0f%+.0f%+.0f", round((double)f->right - (double)f->left),
             round((double)f->bottom - (double)f->top), round((double)f->left),
             round((double)f->top));
    return out;
}

static void list_numbers(FILE *out, const float *numbers, size_t count) {
    for (size_t k = 0; k < count; k++) {
        fputs(k == 0 ? "[" : ", ", out);
        json_number(out, (double)numbers[k]);
    }
    fputc(']', out);
}

void face_json(FILE *out, const kiln_face *f) {
    const float box[4] = {f->left, f->top, f->right, f->bottom};
    fprintf(out, "\"score\": ");
    json_number(out, (double)f->score);
    fprintf(out, ", \"box\": ");
    list_numbers(out, box, 4);
    fprintf(out, ", \"points\": [");
    for (uint32_t k = 0; k < f->point_count; k++) {
        fputs(k > 0 ? ", " : "", out);
        list_numbers(out, f->points[k], 2);
    }
    fputc(']', out);
}

static void begin_object(FILE *out, const char *path, const uint64_t *content) {
    fprintf(out, "{\"image\": ");
    json_string(out, path);
    fprintf(out, ", ");
    if (content != NULL) {
        fprintf(out, "\"content\": \"%016" PRIx64 "\", ", *content);
    }
}

void subject_answer_begin(const subject_answer *a) {
    FILE *out = a->answers->out;
    if (answers_are_objects(a->answers)) {
        answers_next(a->answers);
        begin_object(out, a->path, a->content);
        fputs(a->faces ? "\"faces\": [" : "", out);
    }
}

void subject_answer_next(subject_answer *a, const subject *which) {
    FILE *out = a->answers->out;
    const kiln_face *f = &which->face;
    char box[64];
    if (answers_are_objects(a->answers)) {
        if (which->is_face) {
            fputs(a->told > 0 ? ", {" : "{", out);
            face_json(out, f);
            fputs(", ", out);
        }
    } else {
        answers_next(a->answers);
        if (a->answers->format == ANSWERS_CSV) {
            csv_string(out, a->path);
            if (which->is_face) {
                fprintf(out, ",%.2f,%.2f,%.2f,%.2f,%.4f", (double)f->left, (double)f->top,
                        (double)f->right, (double)f->bottom, (double)f->score);
            }
            fputc(',', out);
        } else {
            text_print(out, "%s%s%s: ", a->path, which->is_face ? " " : "",
                       which->is_face ? face_text(f, box, sizeof box) : "");
        }
    }
    a->told++;
}

void subject_answer_close(const subject_answer *a) {
    if (!answers_are_objects(a->answers)) {
        answers_close(a->answers);
    } else if (a->faces) {
        fputc('}', a->answers->out);
    }
}

void subject_answer_end(const subject_answer *a) {
    FILE *out = a->answers->out;
    if (answers_are_objects(a->answers)) {
        fputs(a->faces ? "]}" : "}", out);
        answers_close(a->answers);
    } else if (a->told == 0 && a->answers->format == ANSWERS_TEXT) {
        char why[64];
        answers_next(a->answers);
        text_print(out, "%s: %s", a->path, subjects_why(a->found, why, sizeof why));
        answers_close(a->answers);
    }
}

void subject_answer_failure(answers *a, const char *path, const uint64_t *content,
                            const char *why) {
    if (answers_are_objects(a)) {
        answers_next(a);
        begin_object(a->out, path, content);
        fprintf(a->out, "\"error\": ");
        json_string(a->out, why);
        fputc('}', a->out);
        answers_close(a);
    }
}
