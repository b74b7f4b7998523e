/* SPDX-License-Identifier: BSD-2-Clause
 *
 * letters.h - a font of strokes, enough to label a picture.
 */
#ifndef EXAMPLES_LETTERS_H
#define EXAMPLES_LETTERS_H

enum {
    LETTER_BASELINE = 9 /* units from the top of a capital to the line it stands on */
};

/*
 * Strokes of a letter: points of two signs each, x then y in units counted
 * 0..9a..c from the left and from the top of a capital; a comma lifts the pen.
 * A letter the font lacks is an empty box.
 */
const char *letter_strokes(char letter);

/* The number that a sign of a point stands for. */
int letter_unit(char sign);

/* Units from the left edge of a letter to that of the next. */
int letter_advance(char letter);

#endif /* EXAMPLES_LETTERS_H */
