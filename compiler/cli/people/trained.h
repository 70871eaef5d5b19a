/* The people of a plan that is being trained: its classes, by the features of their pictures. */
#ifndef KILN_CLI_PEOPLE_TRAINED_H
#define KILN_CLI_PEOPLE_TRAINED_H

#include "compiler/cli/train/training.h"

/* Makes t->people of the pictures that the head is fitted on, which are all but those of
 * --validation-data (and, with --no-refit, those held out), and of --strangers, and attaches them
 * to the plan; t->people stays NULL where the plan is to know none. */
kiln_status trained_people(training *t, kiln_error *error);

/* Whether the features are made for telling individuals apart: the backbone ends in an embedding,
 * or knows people already. --people and --no-people decide otherwise. */
bool people_are_wanted(const training *t);

/* Of t->people, where there are some. */
void trained_people_print(const training *t);
void trained_people_json(const training *t);

#endif
