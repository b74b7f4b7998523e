/* SPDX-License-Identifier: BSD-2-Clause
 *
 * transpose_template.h - a transpose made of squares.
 *
 * The file that includes it defines
 *
 *   SIDE       rows and columns of a square
 *   SQUARES_HAVE_PARTS  whether square turns less than all of a square
 *   square     (row, rows, columns, to, to_stride): turn the first `rows` of the rows
 *              pointed at; `columns` values are left of them, SIDE at the most are turned
 *   TRANSPOSE  the name of the function to define
 */

/* Value by value. */
static inline void part_of_square(const float *const row[SIDE], size_t rows, size_t columns,
                                  float *to, size_t to_stride)
{
    for (size_t i = 0; i < rows; i++) {
        for (size_t c = 0; c < columns && c < SIDE; c++)
            to[c * to_stride + i] = row[i][c];
    }
}

void TRANSPOSE(const struct cconv_transpose *t)
{
    const size_t rows = t->outer * t->inner;
    size_t i = 0, j = 0;

    for (size_t first = 0; first < rows; first += SIDE) {
        const float *row[SIDE] = { NULL };
        const size_t count = rows - first < SIDE ? rows - first : SIDE;

        for (size_t k = 0; k < count; k++) {
            row[k] = t->from + i * t->from_outer + j * t->from_inner;
            if (++j == t->inner) {
                j = 0;
                i++;
            }
        }
        for (size_t c = 0; c < t->columns; c += SIDE) {
            const size_t left = t->columns - c;
            float *const to = t->to + c * t->to_stride + first;

            if (SQUARES_HAVE_PARTS || (count == SIDE && left >= SIDE))
                square(row, count, left, to, t->to_stride);
            else
                part_of_square(row, count, left, to, t->to_stride);
            for (size_t k = 0; k < count; k++)
                row[k] += SIDE;
        }
    }
}
