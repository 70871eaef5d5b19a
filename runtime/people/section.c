/* The section PEOPLE (schemas/plan.md): reading, as of an untrusted file, and writing. */
#include "runtime/base/bytes.h"
#include "runtime/people/people.h"
#include <kiln/half.h>

#include <math.h>
#include <string.h>

/* Records, each at a multiple of 8. */
typedef struct people_header {
    uint32_t version, features, people, strangers;
    uint32_t metric; /* 1: a metric follows, metric_count(features) numbers of f32 */
    uint32_t reserved;
} people_header;

/* Then the name, its sum, kept pictures, corrections. */
typedef struct person_record {
    uint32_t pictures, kept, corrections, name_bytes;
} person_record;

/* Then the features as f16, the name. */
typedef struct picture_record {
    float score;
    uint32_t who, name_bytes, reserved;
} picture_record;

enum { VERSION = 1, ALIGNMENT = 8 };

/* ---- Writing ------------------------------------------------------------------------------- */

static void write_picture(byte_buffer *out, const portrait *p, size_t features) {
    picture_record record = {.score = p->score, .who = p->who};
    record.name_bytes = (uint32_t)strlen(p->name);
    buffer_append(out, &record, sizeof record);
    for (size_t k = 0, count; k < features; k += count) {
        uint16_t half[128];
        count = features - k < 128 ? features - k : 128;
        for (size_t j = 0; j < count; j++) {
            half[j] = kiln_f16_from_f32(p->features[k + j]);
        }
        buffer_append(out, half, count * sizeof *half);
    }
    buffer_append(out, p->name, record.name_bytes);
    buffer_pad(out, ALIGNMENT);
}

static void write_pictures(byte_buffer *out, const portraits *all, size_t features) {
    for (size_t k = 0; k < all->count; k++) {
        write_picture(out, &all->items[k], features);
    }
}

static void write_person(byte_buffer *out, const person *p, size_t features) {
    person_record record = {.pictures = p->count,
                            .kept = (uint32_t)p->kept.count,
                            .corrections = (uint32_t)p->refused.count,
                            .name_bytes = (uint32_t)strlen(p->name)};
    buffer_append(out, &record, sizeof record);
    buffer_append(out, p->name, record.name_bytes);
    buffer_pad(out, ALIGNMENT);
    buffer_append(out, p->sum, features * sizeof *p->sum);
    write_pictures(out, &p->kept, features);
    write_pictures(out, &p->refused, features);
}

kiln_status kiln_people_section(const kiln_people *people, void **out_bytes, size_t *out_size,
                                kiln_error *error) {
    byte_buffer out = {.allocator = &people->allocator};
    people_header header = {VERSION,
                            (uint32_t)people->features,
                            (uint32_t)people->count,
                            (uint32_t)people->strangers.count,
                            people->metric != NULL,
                            0};
    buffer_append(&out, &header, sizeof header);
    if (people->metric != NULL) {
        buffer_append(&out, people->metric,
                      metric_count(people->features) * sizeof *people->metric);
        buffer_pad(&out, ALIGNMENT);
    }
    for (size_t k = 0; k < people->count; k++) {
        write_person(&out, &people->items[k], people->features);
    }
    write_pictures(&out, &people->strangers, people->features);
    if (out.failed) {
        buffer_free(&out);
        return memory_fail(error);
    }
    *out_bytes = out.data;
    *out_size = out.size;
    return KILN_OK;
}

/* ---- Reading ------------------------------------------------------------------------------- */

/* What is left of the section. Each function takes something off, or fails. */
typedef struct reading {
    const uint8_t *at;
    size_t left;
    kiln_people *people;
    kiln_error *error;
} reading;

static kiln_status damaged(reading *r, const char *what) {
    return kiln_fail(r->error, KILN_ERROR_FORMAT, "damaged plan: section PEOPLE: %s", what);
}

/* NULL: not so many bytes are left. */
static const uint8_t *take(reading *r, size_t size) {
    size_t padded = size <= r->left ? (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT : size;
    if (padded > r->left) {
        return NULL;
    }
    const uint8_t *found = r->at;
    r->at += padded;
    r->left -= padded;
    return found;
}

static kiln_status read_bytes(reading *r, void *out, size_t size) {
    const uint8_t *from = take(r, size);
    if (from == NULL) {
        return damaged(r, "cut short");
    }
    memcpy(out, from, size);
    return KILN_OK;
}

/* A copy of a name in the file; NULL: it is none, or (with KILN_ERROR_MEMORY) there is no memory.
 */
static kiln_status copy_name(reading *r, const uint8_t *from, size_t size, char **out_name) {
    if (memchr(from, 0, size) != NULL) {
        return damaged(r, "a name");
    }
    *out_name = memory_take(&r->people->allocator, size + 1);
    if (*out_name == NULL) {
        return memory_fail(r->error);
    }
    memcpy(*out_name, from, size);
    (*out_name)[size] = '\0';
    return KILN_OK;
}

static kiln_status read_picture(reading *r, portrait *out_picture) {
    picture_record record;
    size_t features = r->people->features, bytes = features * sizeof(uint16_t);
    kiln_status status = read_bytes(r, &record, sizeof record);
    if (status != KILN_OK) {
        return status;
    }
    if (record.name_bytes > KILN_PEOPLE_NAME ||
        !(record.score >= -1.01f && record.score <= 1.01f)) {
        return damaged(r, "a picture");
    }
    const uint8_t *from = take(r, bytes + record.name_bytes);
    float *values =
        from != NULL ? memory_take(&r->people->allocator, features * sizeof *values) : NULL;
    char *name = NULL;
    if (values == NULL) {
        return from == NULL ? damaged(r, "cut short") : memory_fail(r->error);
    }
    for (size_t k = 0; k < features; k++) {
        uint16_t half;
        memcpy(&half, from + k * sizeof half, sizeof half);
        values[k] = kiln_f32_from_f16(half);
    }
    status = copy_name(r, from + bytes, record.name_bytes, &name);
    if (status == KILN_OK) {
        status = portrait_adopt(r->people, values, name, out_picture);
        status = status == KILN_ERROR_FORMAT ? damaged(r, "features that are not of length 1")
                 : status != KILN_OK         ? memory_fail(r->error)
                                             : KILN_OK;
    }
    if (status != KILN_OK) {
        memory_free(values);
        memory_free(name);
        return status;
    }
    out_picture->score = record.score;
    out_picture->who = record.who;
    return KILN_OK;
}

static kiln_status read_pictures(reading *r, size_t count, portraits *inout_all) {
    for (size_t k = 0; k < count; k++) {
        portrait p;
        kiln_status status = read_picture(r, &p);
        if (status == KILN_OK && !portraits_append(r->people, inout_all, &p)) {
            portrait_free(&p);
            status = memory_fail(r->error);
        }
        if (status != KILN_OK) {
            return status;
        }
    }
    return KILN_OK;
}

static kiln_status read_sum(reading *r, person *p) {
    kiln_status status = read_bytes(r, p->sum, r->people->features * sizeof *p->sum);
    for (size_t k = 0; status == KILN_OK && k < r->people->features; k++) {
        if (!(fabs(p->sum[k]) <= 1.01 * p->count)) {
            status = damaged(r, "a mean");
        }
    }
    if (status == KILN_OK) {
        person_settle(r->people, p);
    }
    return status;
}

static kiln_status read_person(reading *r) {
    person_record record;
    char *name = NULL;
    kiln_people *people = r->people;
    kiln_status status = read_bytes(r, &record, sizeof record);
    if (status != KILN_OK) {
        return status;
    }
    size_t kept = record.pictures < KILN_PEOPLE_KEPT ? record.pictures : KILN_PEOPLE_KEPT;
    if (record.pictures == 0 || record.pictures > KILN_PEOPLE_MOST || record.kept != kept ||
        record.corrections > KILN_PEOPLE_CORRECTIONS || record.name_bytes == 0 ||
        record.name_bytes > KILN_PEOPLE_NAME) {
        return damaged(r, "a person");
    }
    const uint8_t *from = take(r, record.name_bytes);
    status = from != NULL ? copy_name(r, from, record.name_bytes, &name) : damaged(r, "cut short");
    if (status != KILN_OK) {
        return status;
    }
    size_t at = people->count;
    bool sorted = at == 0 || strcmp(people->items[at - 1].name, name) < 0;
    person *p = sorted ? people_insert(people, at, name) : NULL;
    memory_free(name);
    if (p == NULL) {
        return sorted ? memory_fail(r->error) : damaged(r, "people are not in order");
    }
    p->count = record.pictures;
    status = read_sum(r, p);
    if (status == KILN_OK) {
        status = read_pictures(r, record.kept, &p->kept);
    }
    return status == KILN_OK ? read_pictures(r, record.corrections, &p->refused) : status;
}

static kiln_status read_metric(reading *r) {
    size_t features = r->people->features, count = metric_count(features);
    if (features > KILN_PEOPLE_LEARNT) {
        return damaged(r, "a metric");
    }
    r->people->metric = memory_take(&r->people->allocator, count * sizeof *r->people->metric);
    if (r->people->metric == NULL) {
        return memory_fail(r->error);
    }
    kiln_status status = read_bytes(r, r->people->metric, count * sizeof *r->people->metric);
    if (status != KILN_OK) {
        return status;
    }
    const float *row = r->people->metric;
    for (size_t i = 0; i < features; i++) {
        for (size_t j = 0; j <= i; j++) {
            if (!(fabsf(row[j]) <= 1e6f) || (i == j && !(row[j] >= 1e-6f))) {
                return damaged(r, "a metric");
            }
        }
        row += i + 1;
    }
    return KILN_OK;
}

kiln_status people_read(kiln_span content, const kiln_allocator *allocator,
                        kiln_people **out_people, kiln_error *error) {
    people_header header;
    reading r = {content.data, content.size, NULL, error};
    kiln_status status = read_bytes(&r, &header, sizeof header);
    if (status != KILN_OK) {
        return status;
    }
    if (header.version != VERSION) {
        return kiln_fail(error, KILN_ERROR_FORMAT,
                         "section PEOPLE of version %u; this runtime reads %d", header.version,
                         VERSION);
    }
    if (header.people > KILN_PEOPLE_MOST || header.strangers > KILN_PEOPLE_MOST ||
        header.metric > 1) {
        return damaged(&r, "numbers of people");
    }
    status = kiln_people_create(header.features, allocator, &r.people, error);
    if (status == KILN_OK && header.metric != 0) {
        status = read_metric(&r);
    }
    for (uint32_t k = 0; status == KILN_OK && k < header.people; k++) {
        status = read_person(&r);
    }
    if (status == KILN_OK) {
        status = read_pictures(&r, header.strangers, &r.people->strangers);
    }
    if (status == KILN_OK && r.left != 0) {
        status = damaged(&r, "bytes behind the end");
    }
    if (status != KILN_OK) {
        kiln_people_close(r.people);
        return status;
    }
    *out_people = r.people;
    return KILN_OK;
}
