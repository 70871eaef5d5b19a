/* Kiln namer: from a camera's frame to the names of those on it, in one call.
 *
 *   kiln_namer *namer;
 *   kiln_named_face faces[8];
 *   size_t count;
 *   kiln_namer_open(plan, NULL, &namer, &error);   a plan of kiln train --detector FILE --bundle
 *   kiln_namer_run(namer, &frame, faces, 8, &count, &error);
 *   for (size_t k = 0; k < count; k++) if (faces[k].known) puts(faces[k].name);
 *
 * It is kiln/faces.h (finding and aligning), a session, and kiln_people_judge of kiln/people.h (who
 * it is, or nobody known) behind each other, as in `kiln classify`: of the same pixels and plan
 * both say the same. A plan whose head is an ordinary classifier knows no strangers: its faces have
 * the name of the most probable class.
 *
 * Threads: a namer belongs to one thread at a time; any number of them may share a plan, which must
 * outlive them, but each has a gallery of its own. Memory: of the plan's allocator. Errors: as in
 * kiln.h.
 *
 * A runtime built with KILN_BUILD_FACES=OFF or KILN_BUILD_PEOPLE=OFF has none of this. */
#ifndef KILN_NAMER_H
#define KILN_NAMER_H

#include <kiln/faces.h>
#include <kiln/people.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct kiln_namer kiln_namer;

typedef struct kiln_namer_options {
    size_t size;               /* sizeof(kiln_namer_options) */
    uint32_t threads;          /* of both networks; 0: 1 */
    uint32_t faces;            /* of a frame, at most; 0: 16 */
    double rate;               /* of strangers that pass (kiln_people_decide); 0: the default */
    const kiln_plan *detector; /* NULL: the plan's own. Must outlive the namer */
} kiln_namer_options;
KILN_OPTIONS_INIT(kiln_namer_options)

/* KILN_ERROR_ARGUMENT: the plan has no detector inside and none is given, or its people cannot
 * vouch for such a rate. `options` may be NULL. */
KILN_API kiln_status kiln_namer_open(const kiln_plan *plan, const kiln_namer_options *options,
                                     kiln_namer **out_namer, kiln_error *error);
/* NULL is allowed. */
KILN_API void kiln_namer_close(kiln_namer *namer);

typedef struct kiln_named_face {
    kiln_face face;
    bool known;
    /* Whom the face is of or, where it is nobody known, most like; "": there is nobody. Owned by
     * the namer until its people change. */
    const char *name;
    float similarity;  /* to that person; without people, the network's score of the class */
    float asked;       /* what it takes to be known; without people 0 */
    float probability; /* the head's score of that person, or class; NaN: see kiln_people_verdict */
} kiln_named_face;

/* Those on the image, at most `capacity` of them, by the falling score of their faces. Of a gallery
 * that has nothing to compare with (fewer than two people, and no strangers) nobody is known. */
KILN_API kiln_status kiln_namer_run(kiln_namer *namer, const kiln_image *image,
                                    kiln_named_face *out_faces, size_t capacity, size_t *out_count,
                                    kiln_error *error);

/* The people, owned by the namer: to be listed, or saved (kiln_people_save). NULL: the plan knows
 * none. After a change by other functions than the next, call kiln_namer_decide. */
KILN_API kiln_people *kiln_namer_people(kiln_namer *namer);

/* Makes a person known, or better known, by the largest face of each of `count` images, and decides
 * anew (kiln_namer_decide). KILN_OK: the person is enrolled, even where that cannot be decided; the
 * namer knows nobody then. After any error the gallery is as it was. KILN_ERROR_ARGUMENT: an image
 * is not sound or shows no face, the name is empty or too long (kiln/people.h), or the plan knows
 * no people. */
KILN_API kiln_status kiln_namer_enrol(kiln_namer *namer, const char *name, const kiln_image *images,
                                      size_t count, kiln_error *error);
/* What similarity is asked for, anew from who is in the gallery: KILN_OK also where there is
 * nothing to compare with, or the plan knows no people. KILN_ERROR_ARGUMENT: the gallery cannot
 * vouch for the rate of the options (the error tells what it takes); until it can, nobody is known.
 */
KILN_API kiln_status kiln_namer_decide(kiln_namer *namer, kiln_error *error);

#ifdef __cplusplus
}
#endif
#endif
