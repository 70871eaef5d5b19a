/* What a trained plan tells of itself besides its network: metadata and optional sections. */
#include "runtime/base/memory.h"
#include "runtime/train/trainer.h"

#include <stdio.h>
#include <string.h>

static kiln_status out_of_memory(kiln_error *error) {
    return memory_fail(error);
}

kiln_status kiln_trainer_describe(kiln_trainer *t, const char *key, const char *value,
                                  kiln_error *error) {
    size_t at = 0;
    while (at < t->description_count && strcmp(t->descriptions[at].key, key) != 0) {
        at++;
    }
    char *copy = memory_text(&t->allocator, value);
    if (copy != NULL && at < t->description_count) {
        memory_free(t->descriptions[at].value);
        t->descriptions[at].value = copy;
        return KILN_OK;
    }
    description *grown = memory_grow(&t->allocator, t->descriptions, (at + 1) * sizeof *grown);
    t->descriptions = grown != NULL ? grown : t->descriptions;
    char *name = memory_text(&t->allocator, key);
    if (copy == NULL || grown == NULL || name == NULL) {
        memory_free(copy);
        memory_free(name);
        return out_of_memory(error);
    }
    t->descriptions[t->description_count++] = (description){name, copy};
    return KILN_OK;
}

kiln_status kiln_trainer_attach(kiln_trainer *t, const char *tag, kiln_span content,
                                kiln_error *error) {
    size_t length = strlen(tag), at = 0;
    if (length == 0 || length > KILN_PLAN_TAG) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT, "section '%s': a tag has 1 to %u characters",
                         tag, KILN_PLAN_TAG);
    }
    while (at < t->attachment_count && strcmp(t->attachments[at].tag, tag) != 0) {
        at++;
    }
    void *copy = memory_take(&t->allocator, content.size + 1);
    attachment *grown =
        memory_grow(&t->allocator, t->attachments, (t->attachment_count + 1) * sizeof *grown);
    t->attachments = grown != NULL ? grown : t->attachments;
    if (copy == NULL || grown == NULL) {
        memory_free(copy);
        return out_of_memory(error);
    }
    if (content.size > 0) {
        memcpy(copy, content.data, content.size);
    }
    if (at < t->attachment_count) {
        memory_free(grown[at].data);
    } else {
        t->attachment_count++;
    }
    grown[at] = (attachment){.data = copy, .size = content.size};
    snprintf(grown[at].tag, sizeof grown[at].tag, "%s", tag);
    return KILN_OK;
}

void descriptions_free(kiln_trainer *t) {
    for (size_t k = 0; k < t->description_count; k++) {
        memory_free(t->descriptions[k].key);
        memory_free(t->descriptions[k].value);
    }
    for (size_t k = 0; k < t->attachment_count; k++) {
        memory_free(t->attachments[k].data);
    }
    memory_free(t->descriptions);
    memory_free(t->attachments);
}
