/* Pictures and answers: see sweep.h. */
#include "compiler/cli/train/sweep.h"
#include "compiler/cli/cli.h"
#include "compiler/cli/faces/answer.h"
#include "runtime/base/checksum.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

int sweep_check(const command *self, const sweep *s, int words) {
    if (s->stream && (words > 0 || s->list != NULL || s->folder != NULL || s->shards.of > 0)) {
        return usage(self, "--stream takes pictures from standard input, and answers on standard "
                           "output: neither words, --list, --shard nor an output folder");
    }
    if (s->shards.of > 0 && s->folder == NULL) {
        return usage(self, "--shard needs a folder for the parts: --output DIR");
    }
    return s->stream || words > 0 || s->list != NULL
               ? OPTIONS_READ
               : usage(self, "expected a plan and pictures, folders of them, --list or --stream");
}

kiln_status sweep_find(sweep *s, char *const *words, size_t word_count, kiln_error *error) {
    size_t passed_over = 0;
    kiln_status status = KILN_OK;
    if (s->folder != NULL) {
        s->shards.of = s->shards.of > 0 ? s->shards.of : 1;
        status = paths_shards(words, word_count, s->list, &s->shards, &s->parts, error);
        passed_over = s->parts.passed_over;
    } else if (!s->stream) {
        status = paths_expand(words, word_count, s->list, &s->pictures, &passed_over, error);
    }
    if (status == KILN_OK) {
        tell_passed_over(passed_over);
    }
    return status;
}

size_t sweep_most_pictures(const sweep *s) {
    return s->stream ? SIZE_MAX : s->folder != NULL ? s->parts.pictures.count : s->pictures.count;
}

/* ---- Answers ------------------------------------------------------------------------------- */

static kiln_status answer_subjects(sweep *s, const scored_picture *p, kiln_error *error) {
    const scorer *scorer = &s->scoring->workers[0].scorer;
    subject_answer a = {.answers = &s->answers,
                        .path = p->path,
                        .content = s->folder != NULL ? &p->content : NULL,
                        .faces = subjects_are_faces(&scorer->subjects),
                        .found = p->found};
    kiln_status status = KILN_OK;
    subject_answer_begin(&a);
    for (size_t k = 0; k < p->count && status == KILN_OK; k++) {
        uint64_t row = s->rows != NULL ? s->rows->count : 0;
        subject_answer_next(&a, &p->subjects[k]);
        s->print(s->context, &s->answers, p, k, s->rows != NULL ? &row : NULL);
        subject_answer_close(&a);
        if (s->rows != NULL) {
            status = row_writer_add(s->rows, p->rows + k * scorer->count, error);
        }
    }
    subject_answer_end(&a);
    return status;
}

static kiln_status take(void *context, scored_picture *p, kiln_error *error) {
    sweep *s = context;
    kiln_status status = KILN_OK;
    if (p->why.status == KILN_OK && s->look != NULL) {
        p->why.status = s->look(s->context, p, &p->why);
    }
    if (p->why.status == KILN_OK) {
        s->answered++;
        status = answer_subjects(s, p, error);
    } else {
        s->failed++;
        if (!s->quiet) {
            (void)fail(&p->why);
        }
        subject_answer_failure(&s->answers, p->path, s->folder != NULL ? &p->content : NULL,
                               p->why.message);
    }
    if (s->answers.out == stdout && status == KILN_OK && fflush(stdout) != 0) {
        status = kiln_fail(error, KILN_ERROR_IO, "cannot write the output: %s", strerror(errno));
    }
    if (s->progress != NULL && !s->stream) {
        progress_show(s->progress, ++s->done, s->total);
    }
    return status;
}

static kiln_status run(sweep *s, scoring_source *source, kiln_error *error) {
    const scoring_run run = {.source = source, .context = s, .take = take};
    s->done = 0;
    s->total = source->end - source->next;
    kiln_status status = scoring_run_all(s->scoring, &run, error);
    if (s->progress != NULL && !s->stream) {
        progress_clear();
    }
    return status;
}

kiln_status sweep_answer(sweep *s, scoring *scoring, FILE *out, answer_format format,
                         const char *header, row_writer *rows, kiln_error *error) {
    static char buffer[1 << 16];
    scoring_source source = {.list = &s->pictures, .end = s->pictures.count};
    if (out == stdout) { /* an answer is a write, so that several processes may share a pipe */
        (void)setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
    }
    s->scoring = scoring;
    s->rows = rows;
    if (s->stream) {
        source.stream = stdin;
        s->quiet = true;
    }
    answers_begin(&s->answers, out, format, header);
    kiln_status status = run(s, &source, error);
    if (status == KILN_OK) {
        answers_end(&s->answers);
    }
    return status;
}

/* ---- Parts --------------------------------------------------------------------------------- */

static void tell_part(uint32_t number, const part_summary *p, const char *before) {
    fprintf(stderr,
            "kiln: part %05" PRIu32 "%s: %" PRIu64 " pictures, %" PRIu64 " rows, %" PRIu64
            " failed\n",
            number, before, p->pictures, p->rows, p->errors);
}

static kiln_status write_part(sweep *s, const parts *to, uint32_t number, kiln_error *error) {
    part_writer part;
    part_summary finished;
    const size_t *begins = s->parts.begins + (number - s->shards.first);
    uint64_t failed = s->failed;
    if (part_is_finished(to, number, &finished)) {
        s->failed += finished.errors;
        tell_part(number, &finished, " is finished already");
        return KILN_OK;
    }
    kiln_status status = part_begin(to, number, &part, error);
    if (status != KILN_OK) {
        return status;
    }
    scoring_source source = {.list = &s->parts.pictures, .next = begins[0], .end = begins[1]};
    s->rows = &part.rows;
    answers_begin(&s->answers, part.lines.file, ANSWERS_JSONL, NULL);
    status = run(s, &source, error);
    part.summary.pictures = begins[1] - begins[0];
    part.summary.errors = s->failed - failed;
    status = part_end(&part, status, error);
    if (status == KILN_OK) {
        s->failed = failed + part.summary.errors;
        tell_part(number, &part.summary, "");
    }
    return status;
}

kiln_status sweep_write_parts(sweep *s, scoring *scoring, const char *settings, kiln_error *error) {
    const scorer *scorer = &scoring->workers[0].scorer;
    const kiln_plan_detector_record *found_by = &scorer->subjects.detector.record;
    const parts_job job = {
        .command = s->command,
        .network = scorer_key(scorer),
        .detector = subjects_are_faces(&scorer->subjects) ? found_by->name : NULL,
        .detector_key = checksum(found_by, sizeof *found_by),
        .settings = settings,
        .list = s->parts.fingerprint,
        .files = s->parts.count,
        .columns = scorer->count,
        .parts = s->shards.of,
    };
    parts to;
    s->scoring = scoring;
    s->quiet = true;
    kiln_status status = parts_open(s->folder, &job, &to, error);
    for (uint32_t k = s->shards.first; k <= s->shards.last && status == KILN_OK; k++) {
        status = write_part(s, &to, k, error);
    }
    parts_close(&to);
    return status;
}

/* ---- The end ------------------------------------------------------------------------------- */

int sweep_exit(const sweep *s, kiln_status status, const kiln_error *error) {
    if (status != KILN_OK) {
        return fail(error);
    }
    return s->failed > s->max_errors ? EXIT_FAILED : 0;
}

void sweep_free(sweep *s) {
    path_list_free(&s->pictures);
    path_shards_free(&s->parts);
}
