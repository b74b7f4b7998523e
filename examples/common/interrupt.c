/* SPDX-License-Identifier: BSD-2-Clause
 *
 * interrupt.c - Ctrl-C as a wish to end soon.
 */
#include "interrupt.h"

#include <signal.h>
#include <string.h>

static volatile sig_atomic_t asked;

static void on_interrupt(int signal)
{
    (void)signal;
    asked = 1;
}

void interrupt_catch(void)
{
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_handler = on_interrupt;
    action.sa_flags = (int)(SA_RESTART | SA_RESETHAND);
    sigaction(SIGINT, &action, NULL);
}

int interrupt_asked(void)
{
    return asked;
}

void interrupt_ask(void)
{
    asked = 1;
}
