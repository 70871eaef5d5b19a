/* The page of kiln explain. */
#include "compiler/cli/cli.h"
#include "compiler/cli/data/thumbnail.h"
#include "compiler/cli/people/explain.h"

#include <math.h>
#include <string.h>

static const char style[] =
    "body{font:15px system-ui,sans-serif;margin:16px auto;max-width:760px;padding:0 12px;"
    "color:#1b1f24;background:#fff}h1{font-size:21px;overflow-wrap:anywhere}"
    "figure{display:inline-block;margin:0 16px 8px 0}figcaption{font-size:12px;color:#555}"
    "img{display:block;max-width:100%}.p{display:flex;gap:10px;align-items:center;padding:4px 0;"
    "border-bottom:1px solid #e3e6ea;overflow-wrap:anywhere}.n{flex:1 1 30%}.b{flex:1 1 40%;"
    "background:#f4f6f8;position:relative;height:16px}.b i{display:block;height:16px;background:"
    "#8ab4f8}.b u{position:absolute;top:-3px;width:2px;height:22px;background:#d1242f}"
    ".w{flex:0 1 20%;font-size:12px;color:#555}.p img{width:48px}";

static double percent(float similarity) {
    return 100 * fmin(fmax((double)similarity, 0), 1);
}

/* Names come from the plan: none leads out of the folder. */
static bool stays_inside(const char *name) {
    return name[0] != '\0' && name[0] != '.' && strchr(name, '/') == NULL;
}

/* A picture of the person, where it still lies in the folder; nothing otherwise. */
static kiln_status write_kept(FILE *out, const explanation *e, const ranked_person *r,
                              const char *pictures, kiln_error *error) {
    const char *name = kiln_people_name(e->known->people, r->person);
    char path[4096];
    int length = snprintf(path, sizeof path, "%s/%s/%s", pictures != NULL ? pictures : "", name,
                          r->nearest.name);
    rgb_picture picture = {0};
    kiln_error why;
    if (pictures == NULL || !stays_inside(name) || !stays_inside(r->nearest.name) ||
        length >= (int)sizeof path || picture_load(path, &picture, &why) != KILN_OK) {
        return KILN_OK;
    }
    kiln_status status = thumbnail_write_picture(&picture, out, error);
    picture_free(&picture);
    return status;
}

static kiln_status write_person(FILE *out, const explanation *e, const ranked_person *r,
                                const char *pictures, kiln_error *error) {
    fprintf(out, "<div class='p'><div class='n'>");
    html_text(out, kiln_people_name(e->known->people, r->person));
    fprintf(out,
            "</div><div class='b' title='%.3f of %.3f'><i style='width:%.1f%%'></i><u "
            "style='left:%.1f%%'></u></div><div class='w'>%.3f of %.3f; nearest: ",
            (double)r->similarity.value, (double)r->similarity.asked, percent(r->similarity.value),
            percent(r->similarity.asked), (double)r->similarity.value, (double)r->similarity.asked);
    html_text(out, r->nearest.name[0] != '\0' ? r->nearest.name : "a picture without a name");
    fprintf(out, "</div>");
    kiln_status status = write_kept(out, e, r, pictures, error);
    fprintf(out, "</div>\n");
    return status;
}

/* The photograph, and the face as the network sees it. */
static kiln_status write_pictures(FILE *out, const explanation *e, kiln_error *error) {
    enum { SIDE = 112 };
    fprintf(out, "<figure>");
    kiln_status status = thumbnail_write_picture(&e->picture, out, error);
    fprintf(out, "<figcaption>%u x %u</figcaption></figure>", e->picture.width, e->picture.height);
    if (status != KILN_OK || !e->subject.is_face) {
        return status;
    }
    rgb_picture face = {0};
    kiln_image image = picture_image(&e->picture);
    status = picture_allocate(&face, SIDE, SIDE, error);
    if (status == KILN_OK) {
        status = kiln_face_crop(&image, &e->subject.face, SIDE, SIDE, face.rgb, error);
    }
    if (status == KILN_OK) {
        fprintf(out, "<figure>");
        status = thumbnail_write_picture(&face, out, error);
        fprintf(out,
                "<figcaption>aligned; %.0f pixels between the eyes, blur %.2f, turned %.0f "
                "degrees</figcaption></figure>",
                e->quality.eyes, e->quality.blur, e->quality.angle);
    }
    picture_free(&face);
    return status;
}

static kiln_status write_page(FILE *out, const explanation *e, const char *pictures,
                              kiln_error *error) {
    fprintf(out, "<!DOCTYPE html><html lang='en'><head><meta charset='utf-8'><meta name='viewport' "
                 "content='width=device-width'><title>");
    html_text(out, e->path);
    fprintf(out, "</title><style>%s</style></head><body><h1>", style);
    html_text(out, e->path);
    fprintf(out, ": ");
    html_text(out, explained_name(e));
    fprintf(out, "</h1>");
    kiln_status status = write_pictures(out, e, error);
    if (e->count == 0) {
        fprintf(out, "<p>No face was found.</p>");
    } else {
        fprintf(out,
                "<p>Somebody is known from %.3f on, so that at most %.3g %% of strangers pass (%zu "
                "impostor scores of %zu people).</p><ul>",
                (double)e->threshold.similarity, 100 * e->threshold.rate, e->threshold.scores,
                e->threshold.groups);
    }
    for (size_t k = 0; k < e->remark_count; k++) {
        fprintf(out, "<li>");
        html_text(out, e->remarks[k]);
        fprintf(out, "</li>");
    }
    fprintf(out, "%s", e->count > 0 ? "</ul>\n" : "");
    for (size_t k = 0; k < e->count && status == KILN_OK; k++) {
        status = write_person(out, e, &e->people[k], k < 20 ? pictures : NULL, error);
    }
    fprintf(out, "</body></html>\n");
    return status;
}

kiln_status explain_page(const explanation *e, const char *pictures, const char *path,
                         kiln_error *error) {
    file_writer out;
    kiln_status status = file_begin(&out, path, error);
    return status == KILN_OK ? file_end(&out, write_page(out.file, e, pictures, error), error)
                             : status;
}
