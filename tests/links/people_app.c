/* What an app that knows people calls: opening, deciding, matching, enrolling, forgetting. Linked,
 * not run: people_size.sh counts what of runtime/people/ comes with it. */
#include <kiln/people.h>

int main(int argc, char **argv) {
    kiln_plan *plan = NULL;
    kiln_people *people = NULL;
    kiln_people_threshold threshold = {0};
    kiln_people_answer answer = {0};
    const float features[128] = {1};
    if (argc < 2 || kiln_plan_open(argv[1], NULL, &plan, NULL) != KILN_OK ||
        kiln_people_open(plan, &people, NULL) != KILN_OK) {
        return 1;
    }
    (void)kiln_people_decide(people, 0.01, &threshold, NULL);
    (void)kiln_people_match(people, features, threshold.similarity, &answer, NULL);
    (void)kiln_people_enrol(people, "ada", features, 1, NULL, NULL);
    (void)kiln_people_forget(people, "ada", NULL);
    kiln_people_close(people);
    kiln_plan_close(plan);
    return answer.known ? 0 : 2;
}
