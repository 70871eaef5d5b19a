/* kiln faces: the faces in photographs, listed, cut out upright, drawn. */
#include "compiler/cli/cli.h"
#include "compiler/cli/faces/answer.h"
#include "compiler/cli/faces/crops.h"
#include "compiler/cli/faces/detector.h"
#include "compiler/cli/faces/draw.h"
#include "compiler/cli/paths.h"
#include "compiler/cli/people/naming.h"

#include <stdlib.h>

typedef struct faces_call {
    const char *detector_path, *folder, *drawing, *list;
    answer_format format;
    uint32_t size, threads;
    kiln_preprocess preprocess;
    float score, overlap;
    face_detector detector;
    kiln_detector *session;
    naming naming; /* open where the detector is a trained network's */
    path_list photographs;
    crop_writer crops;
    answers answers;
    kiln_face faces[MOST_FACES];
    face_name names[MOST_FACES]; /* of them, where there are some */
    size_t count, unread;
} faces_call;

/* ---- Answers ------------------------------------------------------------------------------- */

#define CSV_HEADER                                                                                 \
    "image,face,score,left,top,right,bottom,eye1_x,eye1_y,eye2_x,eye2_y,nose_x,nose_y,mouth1_x,"   \
    "mouth1_y,mouth2_x,mouth2_y,crop"

static void print_object(const kiln_face *f, const naming *by, const face_name *name,
                         const char *crop) {
    putchar('{');
    face_json(stdout, f);
    if (naming_is_open(by)) {
        printf(", \"label\": ");
        json_string(stdout, name->text);
        printf(", \"%s\": ", by->measure);
        json_number(stdout, (double)name->value);
    }
    if (crop != NULL) {
        printf(", \"crop\": ");
        json_string(stdout, crop);
    }
    putchar('}');
}

static void print_line(const kiln_face *f, const naming *by, const face_name *name,
                       const char *crop) {
    printf("  %.3f  %4.0f x %.0f at %.0f, %.0f", (double)f->score,
           (double)f->right - (double)f->left, (double)f->bottom - (double)f->top, (double)f->left,
           (double)f->top);
    if (naming_is_open(by)) {
        text_print(stdout, "  %s (%s %.2f)", name->text, by->measure, (double)name->value);
    }
    for (uint32_t k = 0; k < f->point_count; k++) {
        printf("%s%.1f,%.1f", k == 0 ? "  points " : " ", (double)f->points[k][0],
               (double)f->points[k][1]);
    }
    text_print(stdout, crop != NULL ? "  %s" : "%s", crop != NULL ? crop : "");
    putchar('\n');
}

static void print_row(const char *photograph, size_t number, const kiln_face *f, const naming *by,
                      const face_name *name, const char *crop) {
    csv_string(stdout, photograph);
    printf(",%zu,%.6g,%.7g,%.7g,%.7g,%.7g", number, (double)f->score, (double)f->left,
           (double)f->top, (double)f->right, (double)f->bottom);
    for (uint32_t k = 0; k < KILN_FACE_POINTS; k++) {
        if (k < f->point_count) {
            printf(",%.7g,%.7g", (double)f->points[k][0], (double)f->points[k][1]);
        } else {
            fputs(",,", stdout);
        }
    }
    putchar(',');
    if (crop != NULL) {
        csv_string(stdout, crop);
    }
    if (naming_is_open(by)) {
        putchar(',');
        csv_string(stdout, name->text);
        printf(",%.6g", (double)name->value);
    }
    putchar('\n');
}

/* CSV has a line for each face, the others one answer a photograph. */
static void begin_answer(faces_call *c, const char *photograph, const rgb_picture *picture) {
    answers_next(&c->answers);
    if (answers_are_objects(&c->answers)) {
        printf("{\"image\": ");
        json_string(stdout, photograph);
        printf(", \"width\": %u, \"height\": %u, \"faces\": [", picture->width, picture->height);
    } else if (c->format == ANSWERS_TEXT) {
        text_print(stdout, "%s: %zu %s", photograph, c->count, c->count == 1 ? "face" : "faces");
        putchar('\n');
    }
}

static void print_face(const faces_call *c, const char *photograph, size_t k, const char *crop) {
    if (answers_are_objects(&c->answers)) {
        fputs(k > 0 ? ", " : "", stdout);
        print_object(&c->faces[k], &c->naming, &c->names[k], crop);
    } else if (c->format == ANSWERS_TEXT) {
        print_line(&c->faces[k], &c->naming, &c->names[k], crop);
    } else {
        print_row(photograph, k + 1, &c->faces[k], &c->naming, &c->names[k], crop);
    }
}

static void end_answer(const faces_call *c) {
    if (answers_are_objects(&c->answers)) {
        printf("]}");
        answers_close(&c->answers);
    }
}

static void print_failure(faces_call *c, const char *photograph, const kiln_error *why) {
    c->unread++;
    (void)fail(why);
    subject_answer_failure(&c->answers, photograph, NULL, why->message);
}

/* ---- Work ---------------------------------------------------------------------------------- */

static kiln_status draw(const faces_call *c, rgb_picture *picture, kiln_error *error) {
    for (size_t k = c->count; k-- > 0;) { /* the best on top */
        char score[32];
        (void)snprintf(score, sizeof score, "%.2f", (double)c->faces[k].score);
        draw_face(picture, &c->faces[k], naming_is_open(&c->naming) ? c->names[k].text : score);
    }
    return picture_write(picture, c->drawing, error);
}

/* Only what cannot be written is a failure; a photograph that cannot be read is told. */
static kiln_status answer(faces_call *c, size_t number, kiln_error *error) {
    const char *photograph = c->photographs.paths[number];
    rgb_picture picture;
    kiln_error why = {0};
    if (picture_load(photograph, &picture, &why) != KILN_OK) {
        print_failure(c, photograph, &why);
        return KILN_OK;
    }
    kiln_image image = picture_image(&picture);
    kiln_status status =
        kiln_detector_find(c->session, &image, c->faces, MOST_FACES, &c->count, error);
    for (size_t k = 0; k < c->count && status == KILN_OK && naming_is_open(&c->naming); k++) {
        status = naming_ask(&c->naming, &picture, &c->faces[k], &c->names[k], error);
    }
    if (status == KILN_OK) {
        begin_answer(c, photograph, &picture);
    }
    for (size_t k = 0; k < c->count && status == KILN_OK; k++) {
        const char *crop = NULL;
        if (c->folder != NULL) {
            status = crops_write(&c->crops, &image, &c->faces[k], number, k, &crop, error);
        }
        if (status == KILN_OK) {
            print_face(c, photograph, k, crop);
        }
    }
    if (status == KILN_OK) {
        end_answer(c);
        status = c->drawing != NULL ? draw(c, &picture, error) : KILN_OK;
    }
    picture_free(&picture);
    return status;
}

static kiln_status open_all(faces_call *c, kiln_error *error) {
    const char *read[] = {c->detector_path};
    kiln_status status = check_outputs(&c->drawing, 1, read, 1, error);
    if (status == KILN_OK) {
        status = check_outputs(&c->drawing, 1, (const char *const *)c->photographs.paths,
                               c->photographs.count, error);
    }
    if (status == KILN_OK && c->folder != NULL) {
        status = crops_begin(&c->crops, c->folder, c->size, &c->photographs, error);
    }
    if (status == KILN_OK) {
        status = face_detector_open(c->detector_path, &c->detector, error);
    }
    if (status == KILN_OK) {
        kiln_detector_options options = {.size = sizeof options,
                                         .threads = c->threads,
                                         .score = c->score,
                                         .overlap = c->overlap,
                                         .preprocess =
                                             c->preprocess.present ? &c->preprocess : NULL};
        const kiln_plan *network = c->detector.around;
        status = network != NULL
                     ? kiln_detector_open_bundled(network, &options, &c->session, error)
                     : kiln_detector_create(c->detector.plan, &options, &c->session, error);
        if (status == KILN_OK && network != NULL) {
            status = naming_open(c->detector_path, c->threads, &c->naming, error);
        }
    }
    return status;
}

static void tell_of_detector(const faces_call *c) {
    kiln_detector_info info;
    kiln_detector_describe(c->session, &info);
    if (!info.points && c->folder != NULL) {
        fprintf(stderr,
                "kiln: a detector of the family %s gives no points: the crops are squares about "
                "the boxes, by which faces are recognised poorly\n",
                info.family);
    }
}

static kiln_status find_faces(faces_call *c, char **words, int count, kiln_error *error) {
    size_t passed_over = 0;
    kiln_status status =
        paths_expand(words, (size_t)count, c->list, &c->photographs, &passed_over, error);
    if (status == KILN_OK && c->drawing != NULL && c->photographs.count != 1) {
        status = kiln_fail(error, KILN_ERROR_ARGUMENT, "--draw takes one photograph, there are %zu",
                           c->photographs.count);
    }
    if (status == KILN_OK) {
        status = open_all(c, error);
    }
    if (status == KILN_OK) {
        tell_passed_over(passed_over);
        tell_of_detector(c);
        char header[512];
        snprintf(header, sizeof header, "%s%s%s", CSV_HEADER,
                 naming_is_open(&c->naming) ? ",label," : "",
                 naming_is_open(&c->naming) ? c->naming.measure : "");
        answers_begin(&c->answers, stdout, c->format, header);
        for (size_t k = 0; k < c->photographs.count && status == KILN_OK; k++) {
            status = answer(c, k, error);
        }
        answers_end(&c->answers);
    }
    return status;
}

/* ---- The command --------------------------------------------------------------------------- */

#define AT(member) offsetof(faces_call, member)

static const option_row rows[] = {
    {.kind = OPTION_TEXT,
     .name = "detector",
     .value = "FILE",
     .place = AT(detector_path),
     .help =
         "the face detector: ONNX, a plan of one, or a trained plan that holds its own (and names "
         "the faces)"},
    {.kind = OPTION_TEXT,
     .letter = 'o',
     .name = "output",
     .value = "DIR",
     .place = AT(folder),
     .help = "write each face, turned upright, to DIR as NAME-1.png, NAME-2.png, ..."},
    {.kind = OPTION_NUMBER,
     .name = "size",
     .value = "N",
     .place = AT(size),
     .low = 16,
     .high = 4096,
     .help = "width and height of those (default 112)"},
    {.kind = OPTION_TEXT,
     .name = "draw",
     .value = "FILE",
     .place = AT(drawing),
     .help = "write the photograph with boxes, points, and names or scores, as PNG"},
    {.kind = OPTION_SINGLE,
     .name = "score",
     .value = "S",
     .place = AT(score),
     .low = 0,
     .high = 1,
     .help = "only faces of a higher score, 0 to 1 (default: the family's)"},
    {.kind = OPTION_SINGLE,
     .name = "overlap",
     .value = "P",
     .place = AT(overlap),
     .low = 0,
     .high = 1,
     .help = "of boxes of which a larger part than P is common, keep the best (default: the "
             "family's)"},
    {.kind = OPTION_CALL,
     .name = "preprocess",
     .value = "PRESET",
     .place = AT(preprocess),
     .word = preset_word,
     .take = take_preset,
     .help = "of the detector's input, instead of what its plan or family says"},
    LIST_ROW(AT(list)),
    FORMAT_ROW(AT(format)),
    JSON_ROW(AT(format)),
    THREADS_ROW(AT(threads)),
    OPTIONS_END,
};

static int run(const command *self, int argc, char **argv) {
    faces_call *c = calloc(1, sizeof *c);
    kiln_error error = {0};
    if (c == NULL) {
        (void)kiln_fail(&error, KILN_ERROR_MEMORY, "out of memory");
        return fail(&error);
    }
    c->threads = 1;
    c->size = 112;
    int status = options_read(self, c, &argc, &argv);
    if (status == OPTIONS_READ && ((argc < 1 && c->list == NULL) || c->detector_path == NULL)) {
        status = usage(self, "expected photographs and --detector FILE");
    } else if (status == OPTIONS_READ) {
        status = find_faces(c, argv, argc, &error) == KILN_OK ? 0 : fail(&error);
        status = c->unread > 0 ? EXIT_FAILED : status;
    }
    naming_close(&c->naming);
    kiln_detector_destroy(c->session);
    face_detector_close(&c->detector);
    crops_end(&c->crops);
    path_list_free(&c->photographs);
    free(c);
    return status;
}

const command command_faces = {
    .name = "faces",
    .summary = "find the faces in photographs",
    .order = 205,
    .synopsis = "PHOTOGRAPH... --detector FILE [options]",
    .about =
        "Lists the faces in photographs, best first: score, box and points (the eyes, the tip of "
        "the nose, the corners of the mouth) in pixels. Detectors are networks of the families "
        "SCRFD, RetinaFace, YuNet, UltraFace and BlazeFace, by the shapes of their outputs.\n"
        "With -o faces are cut out upright, eyes and mouth where networks for aligned faces expect "
        "them (the template of ArcFace).\n"
        "A plan that kiln train --bundle made holds its detector: that one is used then, and the "
        "faces are named, as kiln classify does.",
    .notes = "A file that cannot be read is told and passed over; the exit status is then 1. "
             "Folders stand for the pictures in them.\n"
             "A detector sees a photograph at the size of its input; one whose size is open is "
             "compiled for 640x640. A larger one (kiln compile --input) finds smaller faces and "
             "takes longer.\n"
             "Detectors are not part of Kiln. YuNet's are free for any use (MIT): "
             "https://github.com/opencv/opencv_zoo. InsightFace's (SCRFD, RetinaFace) are for "
             "non-commercial research alone.",
    .examples = "kiln faces party/*.jpg --detector yunet.onnx -o faces/\n"
                "kiln faces group.jpg --detector faces.plan --draw named.png\n"
                "kiln faces group.jpg --detector yunet.onnx --draw found.png",
    .options = rows,
    .run = run};
