/* SPDX-License-Identifier: BSD-2-Clause
 *
 * interrupt.h - Ctrl-C as a wish to end soon.
 */
#ifndef EXAMPLES_INTERRUPT_H
#define EXAMPLES_INTERRUPT_H

/* From here on the first Ctrl-C is only noted; a second one kills. */
void interrupt_catch(void);

/* Whether there was one, or interrupt_ask() was called. */
int interrupt_asked(void);

/* As Ctrl-C does. */
void interrupt_ask(void);

#endif /* EXAMPLES_INTERRUPT_H */
