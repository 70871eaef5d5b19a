/* A library that carries Kiln, as an app's JNI layer does: it exports its own function alone. */
#include <kiln/kiln.h>

__attribute__((visibility("default"))) const char *Java_org_example_Kiln_version(void);
const char *Java_org_example_Kiln_version(void) {
    kiln_plan *plan = NULL;
    kiln_session *session = NULL;
    if (kiln_plan_open("/nowhere", NULL, &plan, NULL) == KILN_OK) {
        (void)kiln_session_create(plan, NULL, &session, NULL);
    }
    return kiln_version();
}
