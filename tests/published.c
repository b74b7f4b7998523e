/* SPDX-License-Identifier: BSD-2-Clause
 *
 * published.c - the table of published coordinate channels.
 */
#include "published.h"

#include <math.h>
#include <string.h>

#include "support.h"

int published_near(double got, double want)
{
    return fabs(got - want) <= 5e-7 + fabs(want) * 1e-6;
}

#define N3 -1, -1, -1
#define Z3 0, 0, 0
#define P3 1, 1, 1
#define S2 1.414214
#define H2 0.707107
/* radius less 0.5, 3 x 3 */
#define OFF33 2.121320, 1.581139, 1.581139, 1.581139, H2, H2, 1.581139, H2, H2
#define OFF23 2.121320, 1.581139, 1.581139, 1.581139, H2, H2

/* Where a divisor is 0 what those implementations have is NaN or infinite; here the middle. */
static const struct published table[] = {
    /* 2 x 3 */
    { "uber,ashwindcruz",
      2,
      3,
      { -1, 1, 3, -1, 1, 3 },
      { N3, Z3 },
      { S2, S2, 3.162278, 1, 1, 3 },
      1,
      0,
      0 },
    { "mkocabas,mkocabas-th,walsvid,keras-coordconv,mvoelk",
      2,
      3,
      { N3, P3 },
      { -1, 0, 1, -1, 0, 1 },
      { OFF23 },
      1,
      1,
      0 },
    { "wizaron", 2, 3, { N3, P3 }, { -1, 0, 1, -1, 0, 1 }, { 1, H2, 1, 1, H2, 1 }, 1, 1, 1 },
    { "adaptive-wing-loss",
      2,
      3,
      { N3, P3 },
      { -1, 0, 1, -1, 0, 1 },
      { 1, H2, 1, 1, H2, 1 },
      1,
      1,
      0 },
    { "solo,solov2,mmdetection,optimize-coordconv,paddle",
      2,
      3,
      { -1, 0, 1, -1, 0, 1 },
      { N3, P3 },
      { 0 },
      0,
      0,
      0 },
    { "dominikandreas,coordconv",
      2,
      3,
      { -1, 0, 1, -1, 0, 1 },
      { N3, P3 },
      { S2, 1, S2, S2, 1, S2 },
      1,
      0,
      0 },
    { "paddle-slip,ppyolo",
      2,
      3,
      { -1, -0.75, -0.5, -1, -0.75, -0.5 },
      { N3, -0.5, -0.5, -0.5 },
      { 0 },
      0,
      0,
      0 },
    { "monai",
      2,
      3,
      { -0.5, -0.5, -0.5, 0.5, 0.5, 0.5 },
      { -0.5, 0, 0.5, -0.5, 0, 0.5 },
      { 0 },
      0,
      1,
      0 },
    { "pfrendl,batdetect2", 2, 3, { N3, P3 }, { -1, 0, 1, -1, 0, 1 }, { 0 }, 0, 1, 0 },
    { "dref360",
      2,
      3,
      { N3, Z3 },
      { -1, -0.333333, 0.333333, -1, -0.333333, 0.333333 },
      { 0 },
      0,
      1,
      0 },
    { "n-mca", 2, 3, { Z3, P3 }, { 0, 0.5, 1, 0, 0.5, 1 }, { 0 }, 0, 1, 0 },
    { "cell-center",
      2,
      3,
      { -0.666667, 0, 0.666667, -0.666667, 0, 0.666667 },
      { -0.5, -0.5, -0.5, 0.5, 0.5, 0.5 },
      { 0.833333, 0.5, 0.833333, 0.833333, 0.5, 0.833333 },
      1,
      0,
      0 },
    /* 3 x 3 */
    { "uber",
      3,
      3,
      { -1, 0, 1, -1, 0, 1, -1, 0, 1 },
      { N3, Z3, P3 },
      { S2, 1, S2, 1, 0, 1, S2, 1, S2 },
      1,
      0,
      0 },
    { "paper,glastonburyc,mkocabas-np",
      3,
      3,
      { -1, 0, 1, -1, 0, 1, -1, 0, 1 },
      { N3, Z3, P3 },
      { OFF33 },
      1,
      0,
      0 },
    { "mkocabas,walsvid,keras-coordconv,mvoelk",
      3,
      3,
      { N3, Z3, P3 },
      { -1, 0, 1, -1, 0, 1, -1, 0, 1 },
      { OFF33 },
      1,
      1,
      0 },
    { "wizaron",
      3,
      3,
      { N3, Z3, P3 },
      { -1, 0, 1, -1, 0, 1, -1, 0, 1 },
      { 1, H2, 1, H2, 0, H2, 1, H2, 1 },
      1,
      1,
      1 },
    /* 1 x 3 */
    { "uber", 1, 3, { Z3 }, { N3 }, { P3 }, 1, 0, 0 },
    { "mkocabas", 1, 3, { Z3 }, { -1, 0, 1 }, { 1.581139, H2, H2 }, 1, 1, 0 },
    { "wizaron", 1, 3, { Z3 }, { -1, 0, 1 }, { 1, 0, 1 }, 1, 1, 1 },
    { "solo", 1, 3, { -1, 0, 1 }, { N3 }, { 0 }, 0, 0, 0 },
    { "pfrendl", 1, 3, { N3 }, { -1, 0, 1 }, { 0 }, 0, 1, 0 },
    { "paddle", 1, 3, { -1, 0, 1 }, { Z3 }, { 0 }, 0, 0, 0 },
    { "monai", 1, 3, { -0.5, -0.5, -0.5 }, { -0.5, 0, 0.5 }, { 0 }, 0, 1, 0 },
    { "dref360", 1, 3, { N3 }, { -1, -0.333333, 0.333333 }, { 0 }, 0, 1, 0 },
    { "cell-center", 1, 3, { -0.666667, 0, 0.666667 }, { Z3 }, { 0.666667, 0, 0.666667 }, 1, 0, 0 },
    /* 2 x 1 */
    { "uber", 2, 1, { -1, -1 }, { 0, 0 }, { 1, 1 }, 1, 0, 0 },
    { "solo", 2, 1, { -1, -1 }, { -1, 1 }, { 0 }, 0, 0, 0 },
    { "mkocabas", 2, 1, { -1, 1 }, { 0, 0 }, { 1.581139, H2 }, 1, 1, 0 },
    { "monai", 2, 1, { -0.5, 0.5 }, { -0.5, -0.5 }, { 0 }, 0, 1, 0 },
    { "dref360", 2, 1, { -1, 0 }, { -1, -1 }, { 0 }, 0, 1, 0 },
    { "n-mca", 2, 1, { 0, 1 }, { 0.5, 0.5 }, { 0 }, 0, 1, 0 },
    { "paddle-slip", 2, 1, { -0.75, -0.75 }, { -1, -0.5 }, { 0 }, 0, 0, 0 },
    /* 1 x 1 */
    { "wizaron", 1, 1, { 0 }, { 0 }, { 0 }, 1, 1, 1 },
    { "uber,coordconv,cell-center", 1, 1, { 0 }, { 0 }, { 0 }, 1, 0, 0 },
    { "solo", 1, 1, { -1 }, { -1 }, { 0 }, 0, 0, 0 },
    { "monai", 1, 1, { -0.5 }, { -0.5 }, { 0 }, 0, 1, 0 },
    { "dref360", 1, 1, { -1 }, { -1 }, { 0 }, 0, 1, 0 },
};

void published_each(void (*check)(const struct published *row, const char *name))
{
    for (size_t i = 0; i < COUNT(table); i++) {
        char list[128], *name, *rest;

        assert_true(strlen(table[i].names) < sizeof list);
        strcpy(list, table[i].names);
        for (name = strtok_r(list, ",", &rest); name != NULL; name = strtok_r(NULL, ",", &rest))
            check(&table[i], name);
    }
}
