/* Ends a case that does not end by itself, however busy the machine is. */
#ifndef KILN_TESTS_WATCHDOG_H
#define KILN_TESTS_WATCHDOG_H

#include <sys/time.h>
#include <unistd.h>

/* SIGPROF comes after so many seconds of the process's own processor time, of which other programs
 * take nothing away; SIGALRM after ten times as many by the clock, since a case may also wait for
 * what never comes. 0: the case has ended. Both outlast exec, and end a process that does not
 * handle them. */
static inline void watchdog_set(unsigned seconds) {
    const struct itimerval timer = {.it_value = {.tv_sec = (time_t)seconds}};
    (void)setitimer(ITIMER_PROF, &timer, NULL);
    (void)alarm(10 * seconds);
}

#endif
