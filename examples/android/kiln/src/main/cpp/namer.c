/* Faces and people. */
#include "images.h"
#include <kiln/namer.h>

#include <math.h>
#include <stdlib.h>

static jlong open_namer(JNIEnv *env, jclass class, jlong plan, jlong detector, jint threads,
                        jint faces, jdouble rate) {
    (void)class;
    kiln_namer_options options;
    kiln_namer *namer = NULL;
    kiln_error error;
    kiln_namer_options_init(&options);
    options.threads = (uint32_t)threads;
    options.faces = (uint32_t)faces;
    options.rate = rate;
    options.detector = object_at(detector);
    kiln_status status = kiln_namer_open(object_at(plan), &options, &namer, &error);
    return succeeded(env, status, &error) ? address_of(namer) : 0;
}

static void close_namer(JNIEnv *env, jclass class, jlong namer) {
    (void)env, (void)class;
    kiln_namer_close(object_at(namer));
}

/* ---- Faces ---------------------------------------------------------------------------------- */

/* Numbers of a face, in the order of KilnFace.java. */
enum { POINTS = 9, NUMBERS = POINTS + 2 * KILN_FACE_POINTS };

static bool face_to_java(JNIEnv *env, const kiln_named_face *named, jsize index, jobjectArray names,
                         jfloatArray numbers) {
    const kiln_face *face = &named->face;
    jfloat all[NUMBERS] = {face->left,        face->top,         face->right,  face->bottom,
                           face->score,       named->similarity, named->asked, named->known ? 1 : 0,
                           named->probability};
    for (size_t k = 0; k < KILN_FACE_POINTS; k++) {
        all[POINTS + 2 * k] = face->point_count > 0 ? face->points[k][0] : NAN;
        all[POINTS + 2 * k + 1] = face->point_count > 0 ? face->points[k][1] : NAN;
    }
    (*env)->SetFloatArrayRegion(env, numbers, index * NUMBERS, NUMBERS, all);
    jbyteArray name = text_to_java(env, named->name);
    if (name == NULL) {
        return false;
    }
    (*env)->SetObjectArrayElement(env, names, index, name);
    (*env)->DeleteLocalRef(env, name);
    return true;
}

static jint recognise(JNIEnv *env, jclass class, jlong namer, jobjectArray planes,
                      jintArray geometry, jobjectArray names, jfloatArray numbers) {
    (void)class;
    kiln_error error;
    images taken;
    size_t capacity = (size_t)(*env)->GetArrayLength(env, names), count = 0;
    kiln_named_face *faces = calloc(capacity, sizeof *faces);
    if (faces == NULL) {
        throw_no_memory(env);
        return 0;
    }
    if (images_take(env, planes, geometry, &taken)) {
        kiln_status status =
            kiln_namer_run(object_at(namer), taken.each, faces, capacity, &count, &error);
        bool good = succeeded(env, status, &error);
        for (size_t k = 0; good && k < count; k++) {
            good = face_to_java(env, &faces[k], (jsize)k, names, numbers);
        }
    }
    images_release(&taken);
    free(faces);
    return (jint)count;
}

/* ---- People --------------------------------------------------------------------------------- */

/* NULL: the plan knows none, and an exception is pending. */
static kiln_people *people_of(JNIEnv *env, jlong namer) {
    kiln_people *people = kiln_namer_people(object_at(namer));
    if (people == NULL) {
        const kiln_error error = {KILN_ERROR_ARGUMENT, "the plan knows no people"};
        throw_error(env, &error);
    }
    return people;
}

static void enrol(JNIEnv *env, jclass class, jlong namer, jbyteArray name, jobjectArray planes,
                  jintArray geometry) {
    (void)class;
    kiln_error error;
    images taken;
    char *text = text_from_java(env, name);
    if (text == NULL) {
        return;
    }
    if (images_take(env, planes, geometry, &taken)) {
        kiln_status status =
            kiln_namer_enrol(object_at(namer), text, taken.each, taken.count, &error);
        (void)succeeded(env, status, &error);
    }
    images_release(&taken);
    free(text);
}

static void forget(JNIEnv *env, jclass class, jlong namer, jbyteArray name) {
    (void)class;
    kiln_error error;
    kiln_people *people = people_of(env, namer);
    char *text = people != NULL ? text_from_java(env, name) : NULL;
    if (text != NULL) {
        kiln_status status = kiln_people_forget(people, text, &error);
        if (status == KILN_OK) {
            status = kiln_namer_decide(object_at(namer), &error);
        }
        (void)succeeded(env, status, &error);
    }
    free(text);
}

static const char *person_name(void *people, size_t k) {
    return kiln_people_name(people, k);
}

static jobjectArray list_people(JNIEnv *env, jclass class, jlong namer) {
    (void)class;
    kiln_people *people = people_of(env, namer);
    return people != NULL ? texts_to_java(env, kiln_people_count(people), person_name, people)
                          : NULL;
}

static void save(JNIEnv *env, jclass class, jlong namer, jlong plan, jbyteArray path) {
    (void)class;
    kiln_error error;
    kiln_people *people = people_of(env, namer);
    char *text = people != NULL ? text_from_java(env, path) : NULL;
    if (text != NULL) {
        (void)succeeded(env, kiln_people_save(people, object_at(plan), text, &error), &error);
    }
    free(text);
}

#define PLANES "[Ljava/nio/ByteBuffer;"

const JNINativeMethod namer_methods[] = {
    {"namerOpen", "(JJIID)J", (void *)open_namer},
    {"namerClose", "(J)V", (void *)close_namer},
    {"recognise", "(J" PLANES "[I[[B[F)I", (void *)recognise},
    {"enrol", "(J[B" PLANES "[I)V", (void *)enrol},
    {"forget", "(J[B)V", (void *)forget},
    {"people", "(J)[[B", (void *)list_people},
    {"save", "(JJ[B)V", (void *)save},
    {NULL, NULL, NULL},
};
