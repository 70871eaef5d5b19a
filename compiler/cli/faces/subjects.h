/* From a picture to its subjects: what of it a network is shown. Without a detector that is the
 * whole picture, with one the faces in it, each aligned. All commands that give pictures to a
 * network, and training, pass here. */
#ifndef KILN_CLI_FACES_SUBJECTS_H
#define KILN_CLI_FACES_SUBJECTS_H

#include "compiler/cli/faces/choice.h"
#include "compiler/cli/faces/detector.h"
#include "compiler/cli/picture.h"

#define MOST_FACES 1024 /* of a picture */

typedef struct subject_options {
    const char *detector; /* a file; NULL: the network's own, where it has one */
    unsigned faces;       /* face_choice, perhaps with FACES_ASKED */
} subject_options;

/* What was asked for, or is the command's choice. */
face_choice subjects_choice(const subject_options *options);

typedef struct subject {
    bool is_face; /* false: the whole picture */
    kiln_face face;
} subject;

/* Where subjects come from; shared by threads. */
typedef struct subject_source {
    face_detector detector; /* detector.plan NULL: whole pictures */
    face_choice faces;
} subject_source;

/* Finds the subjects of one picture at a time; a thread's own. */
typedef struct subject_finder {
    const subject_source *source;
    kiln_detector *detector; /* NULL: whole pictures */
    kiln_face *faces;        /* room for MOST_FACES */
    size_t found;            /* faces in the last picture, those that do not count too */
    subject *subjects;       /* of it */
    size_t count;
} subject_finder;

/* For a network, whose file is `path`: its own detector is taken where it has one and none is
 * given; a network that was trained on faces which another file found is refused without that, and
 * a choice of faces without any detector. */
kiln_status subjects_open(const subject_options *options, const kiln_plan *network,
                          const char *path, subject_source *out_source, kiln_error *error);
void subjects_close(subject_source *source);
bool subjects_are_faces(const subject_source *source);

/* With a detector that is made already, and is the finder's from then on, but not on failure; NULL:
 * whole pictures. The source stays where it is meanwhile. */
kiln_status finder_begin(const subject_source *source, kiln_detector *detector,
                         subject_finder *out_finder, kiln_error *error);
/* With one of the source's. */
kiln_status finder_open(const subject_source *source, uint32_t threads, subject_finder *out_finder,
                        kiln_error *error);
void finder_close(subject_finder *finder);
/* None is no failure. */
kiln_status finder_find(subject_finder *finder, const rgb_picture *picture, kiln_error *error);
/* Why none of so many faces is a subject: "no face found", .... */
const char *subjects_why(size_t found, char *out, size_t size);

/* The subject as number `index` of a network's input. */
kiln_status subject_to_input(const rgb_picture *picture, const subject *which,
                             const kiln_tensor_info *input, const kiln_preprocess *preprocess,
                             uint32_t index, kiln_buffer buffer, kiln_error *error);

/* ---- Options ------------------------------------------------------------------------------- */

#define DETECTOR_ROW(at)                                                                           \
    {                                                                                              \
        .kind = OPTION_TEXT, .name = "detector", .value = "FILE", .place = (at),                   \
        .help = "a face detector (ONNX, plan, or a trained plan that holds one): faces are found " \
                "and aligned, instead of whole pictures"                                           \
    }
/* default: the word. */
#define FACES_ROW(at, default)                                                                     \
    {                                                                                              \
        .kind = OPTION_CALL, .name = "faces", .value = "WHICH", .place = (at),                     \
        .word = face_choice_word, .take = take_face_choice,                                        \
        .help = "of a picture: the largest near the middle, all, or the only one, where there is " \
                "no other (default " default ")"                                                   \
    }

#endif
