/* The section TUNED, and plans with choices. */
#include "runtime/plan/choices.h"
#include "runtime/base/checksum.h"
#include "runtime/base/memory.h"
#include "runtime/base/processor.h"
#include "runtime/kernels/conv_choice.h"
#include "runtime/plan/bands.h"
#include "runtime/ukernels/ukernels.h"
#include <kiln/machine.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- The processor at hand ----------------------------------------------------------------- */

static char processor[sizeof((kiln_plan_tuned *)NULL)->processor];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void find_out(void) {
    if (processor_name()[0] != '\0') {
        snprintf(processor, sizeof processor, "%s %s %s", ukernels_best()->name, processor_name(),
                 conv_library());
    }
}

const char *kiln_machine_processor(void) {
    (void)pthread_once(&once, find_out);
    return processor;
}

/* ---- The section --------------------------------------------------------------------------- */

/* One processor's part of it. */
typedef struct tuned_part {
    kiln_plan_tuned header;
    kiln_span bytes; /* header and layers */
} tuned_part;

/* Takes the first part off; false at the end, and at what is damaged. */
static bool next_part(kiln_span *inout_rest, tuned_part *out_part) {
    kiln_plan_tuned *h = &out_part->header;
    if (inout_rest->size < sizeof *h) {
        return false;
    }
    memcpy(h, inout_rest->data, sizeof *h);
    uint64_t size = sizeof *h + (uint64_t)h->layers * sizeof(kiln_plan_tuned_layer);
    if (memchr(h->processor, '\0', sizeof h->processor) == NULL || size > inout_rest->size) {
        return false;
    }
    out_part->bytes = (kiln_span){inout_rest->data, (size_t)size};
    inout_rest->data = (const uint8_t *)inout_rest->data + size;
    inout_rest->size -= (size_t)size;
    return true;
}

static kiln_span section_of(const kiln_plan *plan) {
    kiln_span content = {NULL, 0};
    (void)kiln_plan_find_section(plan, KILN_PLAN_TUNED, &content);
    return content;
}

const char *kiln_plan_tuned_for(const kiln_plan *plan, size_t index) {
    kiln_span rest = section_of(plan);
    tuned_part part;
    while (next_part(&rest, &part)) {
        if (index-- == 0) {
            return (const char *)part.bytes.data;
        }
    }
    return NULL;
}

static bool is_convolution(const kiln_plan_view *v, size_t step) {
    return v->steps[step].kernel == KILN_KERNEL_CONV_2D;
}

/* Of a convolution, which has one output. */
static uint64_t output_hash(const kiln_plan_view *v, size_t step) {
    const kiln_plan_step *s = &v->steps[step];
    const char *name = v->strings + v->tensors[v->operands[s->first_operand + s->input_count]].name;
    return checksum(name, strlen(name));
}

static int compare_layers(const void *a, const void *b) {
    uint64_t x = ((const kiln_plan_tuned_layer *)a)->tensor;
    uint64_t y = ((const kiln_plan_tuned_layer *)b)->tensor;
    return x < y ? -1 : x > y;
}

bool choices_find(const kiln_plan *plan, const char *of, uint8_t *out_choice) {
    const kiln_plan_view *v = &plan->view;
    kiln_span rest = section_of(plan);
    tuned_part part;
    bool found = false;
    while (!found && next_part(&rest, &part)) {
        found = strcmp(part.header.processor, of) == 0;
    }
    for (size_t step = 0; step < v->step_count && found; step++) {
        out_choice[step] = NO_CHOICE;
        if (is_convolution(v, step)) {
            const kiln_plan_tuned_layer wanted = {.tensor = output_hash(v, step)};
            const kiln_plan_tuned_layer *layer =
                bsearch(&wanted, (const uint8_t *)part.bytes.data + sizeof part.header,
                        part.header.layers, sizeof wanted, compare_layers);
            bool known = layer != NULL && layer->choice < KILN_CONV_CHOICES;
            out_choice[step] = known ? (uint8_t)layer->choice : NO_CHOICE;
        }
    }
    return found;
}

void choices_write(const kiln_plan *plan, const char *of, const uint8_t *choice,
                   byte_buffer *out_content) {
    const kiln_plan_view *v = &plan->view;
    kiln_span rest = section_of(plan);
    tuned_part part;
    kiln_plan_tuned header = {.layers = 0};
    while (next_part(&rest, &part)) {
        if (strcmp(part.header.processor, of) != 0) {
            buffer_append(out_content, part.bytes.data, part.bytes.size);
        }
    }
    snprintf(header.processor, sizeof header.processor, "%s", of);
    for (size_t step = 0; step < v->step_count; step++) {
        header.layers += choice[step] != NO_CHOICE;
    }
    buffer_append(out_content, &header, sizeof header);
    size_t first = out_content->size;
    for (size_t step = 0; step < v->step_count; step++) {
        if (choice[step] != NO_CHOICE) {
            const kiln_plan_tuned_layer layer = {.tensor = output_hash(v, step),
                                                 .choice = choice[step]};
            buffer_append(out_content, &layer, sizeof layer);
        }
    }
    if (!out_content->failed) {
        qsort(out_content->data + first, header.layers, sizeof(kiln_plan_tuned_layer),
              compare_layers);
    }
}

/* ---- Plans with choices -------------------------------------------------------------------- */

static struct kiln_plan_choices *make(const kiln_plan *plan, const uint8_t *choice) {
    const kiln_plan_view *v = &plan->view;
    size_t params_bytes = v->step_count * sizeof(kiln_conv_params);
    uint8_t *block = memory_zeros(&plan->allocator, 1,
                                  sizeof(struct kiln_plan_choices) + params_bytes + v->step_count);
    if (block == NULL) {
        return NULL;
    }
    kiln_conv_params *params = (void *)(block + sizeof(struct kiln_plan_choices));
    uint8_t *measured = block + sizeof(struct kiln_plan_choices) + params_bytes;
    for (size_t step = 0; step < v->step_count; step++) {
        if (choice[step] != NO_CHOICE && is_convolution(v, step)) {
            memcpy(&params[step], v->params + v->steps[step].params_offset, sizeof *params);
            bool ours = choice[step] != KILN_CONV_BY_XNNPACK;
            params[step].algorithm = ours ? choice[step] : KILN_CONV_DIRECT;
            measured[step] = (uint8_t)(1 + choice[step]);
        }
    }
    struct kiln_plan_choices *choices = (void *)block;
    *choices = (struct kiln_plan_choices){measured, params};
    return choices;
}

kiln_status choices_set(kiln_plan *plan, const uint8_t *choice, kiln_error *error) {
    struct kiln_plan_choices *before = plan->choices, *made = make(plan, choice);
    if (made == NULL) {
        return memory_fail(error);
    }
    plan->choices = made;
    plan->view.choices = made;
    kiln_status status = plan_validate_steps(plan, error);
    if (status == KILN_OK) {
        status = plan_validate_bands(plan, error);
    }
    if (status != KILN_OK) {
        plan->choices = before;
        plan->view.choices = before;
    }
    memory_free(status == KILN_OK ? before : made);
    return status;
}

kiln_status choices_of_section(kiln_plan *plan, kiln_error *error) {
    if (section_of(plan).size == 0 || kiln_machine_processor()[0] == '\0') {
        return KILN_OK;
    }
    uint8_t *choice = memory_zeros(&plan->allocator, plan->view.step_count + 1, 1);
    if (choice == NULL) {
        return memory_fail(error);
    }
    kiln_status status = choices_find(plan, kiln_machine_processor(), choice)
                             ? choices_set(plan, choice, error)
                             : KILN_OK;
    memory_free(choice);
    return status == KILN_ERROR_MEMORY ? status : KILN_OK;
}

void choices_now(const kiln_plan *plan, uint8_t *out_choice) {
    const kiln_plan_view *v = &plan->view;
    const kernel_host host = {.threads = 1, .allocator = &plan->allocator};
    operand operands[KERNEL_MAX_OPERANDS];
    for (size_t step = 0; step < v->step_count; step++) {
        out_choice[step] = NO_CHOICE;
        if (is_convolution(v, step)) {
            kernel_call call;
            call_describe(v, step, &host, operands, &call);
            call.in_band = band_of_step(v->bands, v->band_count, step) != NULL;
            uint32_t algorithm = ((const kiln_conv_params *)call.params)->algorithm;
            out_choice[step] =
                (uint8_t)(conv_is_by_xnnpack(&call) ? KILN_CONV_BY_XNNPACK : algorithm);
        }
    }
}
