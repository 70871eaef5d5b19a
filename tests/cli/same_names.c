/* Who is on pictures, by kiln/namer.h: a line a face, of the columns of `kiln classify --format
 * csv` from the picture to what is asked. same_names FACES.plan RATE PICTURE... */
#include "compiler/cli/picture.h"
#include <kiln/namer.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { MOST = 64 };

static kiln_error error;

static void need(kiln_status status) {
    if (status != KILN_OK) {
        fprintf(stderr, "same_names: %s\n", error.message);
        exit(EXIT_FAILURE);
    }
}

static void tell(kiln_namer *namer, const char *path) {
    kiln_named_face faces[MOST];
    rgb_picture picture;
    size_t count;
    need(picture_load(path, &picture, &error));
    const kiln_image image = picture_image(&picture);
    need(kiln_namer_run(namer, &image, faces, MOST, &count, &error));
    for (size_t k = 0; k < count; k++) {
        const kiln_named_face *f = &faces[k];
        char probability[32] = "";
        if (!isnan(f->probability)) {
            snprintf(probability, sizeof probability, "%.6g", (double)f->probability);
        }
        printf("%s,%.2f,%.2f,%.2f,%.2f,%.4f,%s,%s,%.6g,%.6g\n", path, (double)f->face.left,
               (double)f->face.top, (double)f->face.right, (double)f->face.bottom,
               (double)f->face.score, f->known ? f->name : "unknown", probability,
               (double)f->similarity, (double)f->asked);
    }
    picture_free(&picture);
}

int main(int argc, char **argv) {
    kiln_plan *plan;
    kiln_namer *namer;
    if (argc < 4) {
        return 2;
    }
    const kiln_namer_options options = {
        .size = sizeof options, .faces = MOST, .rate = strtod(argv[2], NULL)};
    need(kiln_plan_open(argv[1], NULL, &plan, &error));
    need(kiln_namer_open(plan, &options, &namer, &error));
    for (int k = 3; k < argc; k++) {
        tell(namer, argv[k]);
    }
    kiln_namer_close(namer);
    kiln_plan_close(plan);
    return 0;
}
