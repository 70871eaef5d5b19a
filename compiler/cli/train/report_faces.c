/* The page's section on faces: pictures that people should look at. */
#include "compiler/cli/cli.h"
#include "compiler/cli/data/thumbnail.h"
#include "compiler/cli/train/training.h"

enum { MOST_SHOWN = 120 };

static kiln_status write_note(const training *t, const gallery_note *note, FILE *out,
                              kiln_error *error) {
    char text[256];
    fprintf(out, "<figure>");
    kiln_status status = thumbnail_write(&t->data, &note->item, out, error);
    fprintf(out, "<figcaption>");
    html_text(out, note->item.path != NULL ? note->item.path : "a sample");
    fprintf(out, "<br>");
    html_text(out, gallery_text(note, text, sizeof text));
    fprintf(out, "</figcaption></figure>\n");
    return status;
}

kiln_status report_faces(const training *t, FILE *out, kiln_error *error) {
    const gallery *g = &t->gallery;
    kiln_status status = KILN_OK;
    if (g->pictures == 0) {
        return KILN_OK;
    }
    fprintf(out, "<h2>Faces</h2>\n<p>");
    html_text(out, t->subjects.detector.record.name);
    fprintf(out,
            " (%s) found and aligned the faces of %zu pictures: %zu without a face, %zu with "
            "several, %zu small, %zu blurred.</p>\n",
            t->subjects.detector.record.family, g->pictures, gallery_count(g, GALLERY_NO_FACE),
            gallery_count(g, GALLERY_SEVERAL), gallery_count(g, GALLERY_SMALL),
            gallery_count(g, GALLERY_BLURRED));
    if (g->count > 0) {
        fprintf(out, "<div class=\"mistakes\">\n");
    }
    for (size_t k = 0; k < g->count && k < MOST_SHOWN && status == KILN_OK; k++) {
        status = write_note(t, &g->notes[k], out, error);
    }
    if (g->count > 0) {
        fprintf(out, "</div>\n");
    }
    if (g->count > MOST_SHOWN) {
        fprintf(out, "<p>And %zu more.</p>\n", g->count - MOST_SHOWN);
    }
    return status;
}
