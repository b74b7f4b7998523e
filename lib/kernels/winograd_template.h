/* SPDX-License-Identifier: BSD-2-Clause
 *
 * winograd_template.h - the transforms of winograd.h for any vector.
 *
 * The file that includes it defines INLINE and UNROLL (x86/unroll.h) and
 *
 *   VEC, LANES        a vector of reals and its length
 *   PART, part_of(n)  which lanes are there: the first n, all if there are not so many
 *   LOAD_PART(p, part), STORE_PART(p, part, v)
 *                     0 in other lanes, whose memory is not touched
 *   STREAM(p, v)      a store past the caches, p aligned to the vector
 *   PREFETCH(p)       into the second-level cache
 *   LOAD(p), STORE(p, v), ZERO, SET1(x), ADD(a, b), SUB(a, b), MUL(a, b)
 *   FMA(a, b, c)      a * b + c
 *   RELU(v), LEAKY(v, slope)
 *   COSTS_2, COSTS_4  input_cost and output_cost of F(2, 3) and F(4, 3)
 *
 * A transform L x L^T is L applied to the columns, then to the rows. L is one of
 * the functions of one dimension below; with 3/4 and 3/2 in pairs of opposite
 * sign, even and odd powers are summed once for both.
 */

/* Powers of the points of F(4, 3), and the products that norm its filters. */
#define P1   0.75
#define P2   1.5
#define P1_2 0.5625   /* P1^2 */
#define P2_2 2.25     /* P2^2 */
#define P1_3 0.421875 /* P1^3 */
#define P2_3 3.375    /* P2^3 */
#define PROD 1.265625 /* P1^2 P2^2 */
#define PSUM 2.8125   /* P1^2 + P2^2 */
#define N0   (1 / PROD)
#define N1   (1 / (2 * P1_2 * (P1_2 - P2_2)))
#define N2   (1 / (2 * P2_2 * (P2_2 - P1_2)))

/* B^T of F(2, 3): 4 from 4. */
INLINE void input_2(VEC o[], const VEC d[])
{
    o[0] = SUB(d[0], d[2]);
    o[1] = ADD(d[2], d[1]);
    o[2] = SUB(d[2], d[1]);
    o[3] = SUB(d[3], d[1]);
}

/* A: 4 from 2. */
INLINE void gradient_2(VEC o[], const VEC e[])
{
    o[0] = e[0];
    o[1] = ADD(e[0], e[1]);
    o[2] = SUB(e[0], e[1]);
    o[3] = e[1];
}

/* G: 4 from 3. */
INLINE void filter_2(VEC o[], const VEC g[])
{
    const VEC half = SET1(0.5), even = MUL(half, ADD(g[0], g[2]));

    o[0] = g[0];
    o[1] = FMA(half, g[1], even);
    o[2] = SUB(even, MUL(half, g[1]));
    o[3] = g[2];
}

/* A^T: 2 from 4. */
INLINE void output_2(VEC o[], const VEC v[])
{
    o[0] = ADD(v[0], ADD(v[1], v[2]));
    o[1] = ADD(v[3], SUB(v[1], v[2]));
}

/* G^T: 3 from 4. */
INLINE void filter_gradient_2(VEC o[], const VEC v[])
{
    const VEC half = SET1(0.5), even = MUL(half, ADD(v[1], v[2]));

    o[0] = ADD(v[0], even);
    o[1] = MUL(half, SUB(v[1], v[2]));
    o[2] = ADD(v[3], even);
}

/* The same for F(4, 3). B^T: 6 from 6. */
INLINE void input_4(VEC o[], const VEC d[])
{
    const VEC even1 = FMA(SET1(-P2_2), d[2], d[4]), odd1 = FMA(SET1(-P2_2), d[1], d[3]);
    const VEC even2 = FMA(SET1(-P1_2), d[2], d[4]), odd2 = FMA(SET1(-P1_2), d[1], d[3]);

    o[0] = FMA(SET1(PROD), d[0], FMA(SET1(-PSUM), d[2], d[4]));
    o[1] = FMA(SET1(P1), odd1, even1);
    o[2] = FMA(SET1(-P1), odd1, even1);
    o[3] = FMA(SET1(P2), odd2, even2);
    o[4] = FMA(SET1(-P2), odd2, even2);
    o[5] = FMA(SET1(PROD), d[1], FMA(SET1(-PSUM), d[3], d[5]));
}

/* A: 6 from 4. */
INLINE void gradient_4(VEC o[], const VEC e[])
{
    const VEC even1 = FMA(SET1(P1_2), e[2], e[0]), even2 = FMA(SET1(P2_2), e[2], e[0]);
    const VEC odd1 = FMA(SET1(P1_2), e[3], e[1]), odd2 = FMA(SET1(P2_2), e[3], e[1]);

    o[0] = e[0];
    o[1] = FMA(SET1(P1), odd1, even1);
    o[2] = FMA(SET1(-P1), odd1, even1);
    o[3] = FMA(SET1(P2), odd2, even2);
    o[4] = FMA(SET1(-P2), odd2, even2);
    o[5] = e[3];
}

/* G: 6 from 3. */
INLINE void filter_4(VEC o[], const VEC g[])
{
    const VEC even1 = MUL(SET1(N1), FMA(SET1(P1_2), g[2], g[0])), odd1 = MUL(SET1(N1 * P1), g[1]);
    const VEC even2 = MUL(SET1(N2), FMA(SET1(P2_2), g[2], g[0])), odd2 = MUL(SET1(N2 * P2), g[1]);

    o[0] = MUL(SET1(N0), g[0]);
    o[1] = ADD(even1, odd1);
    o[2] = SUB(even1, odd1);
    o[3] = ADD(even2, odd2);
    o[4] = SUB(even2, odd2);
    o[5] = g[2];
}

/* A^T: 4 from 6. */
INLINE void output_4(VEC o[], const VEC v[])
{
    const VEC even1 = ADD(v[1], v[2]), odd1 = SUB(v[1], v[2]);
    const VEC even2 = ADD(v[3], v[4]), odd2 = SUB(v[3], v[4]);

    o[0] = ADD(v[0], ADD(even1, even2));
    o[1] = FMA(SET1(P1), odd1, MUL(SET1(P2), odd2));
    o[2] = FMA(SET1(P1_2), even1, MUL(SET1(P2_2), even2));
    o[3] = FMA(SET1(P1_3), odd1, FMA(SET1(P2_3), odd2, v[5]));
}

/* G^T: 3 from 6. */
INLINE void filter_gradient_4(VEC o[], const VEC v[])
{
    const VEC even1 = MUL(SET1(N1), ADD(v[1], v[2])), odd1 = MUL(SET1(N1), SUB(v[1], v[2]));
    const VEC even2 = MUL(SET1(N2), ADD(v[3], v[4])), odd2 = MUL(SET1(N2), SUB(v[3], v[4]));

    o[0] = FMA(SET1(N0), v[0], ADD(even1, even2));
    o[1] = FMA(SET1(P1), odd1, MUL(SET1(P2), odd2));
    o[2] = FMA(SET1(P1_2), even1, FMA(SET1(P2_2), even2, v[5]));
}

typedef void transform_fn(VEC o[], const VEC i[]);

/* Some processors take long over parts of vectors, stores above all. */
INLINE VEC load(const cconv_real *p, const PART part, const int full)
{
    return full ? LOAD(p) : LOAD_PART(p, part);
}

INLINE void store(cconv_real *p, const PART part, const int full, VEC v)
{
    if (full)
        STORE(p, v);
    else
        STORE_PART(p, part, v);
}

/* One vector of channels, n x n inputs to k x k planes. Where all is inside and
 * all lanes are there, `whole` is a constant 1 and there is nothing to ask;
 * elsewhere what lies outside reads as zero. */
INLINE void spread_vector(const struct cconv_winograd_spread *s, size_t c, const int whole,
                          transform_fn *l, const int n, const int k)
{
    const int m = k - 2, full = whole || s->channels - c >= LANES;
    const PART part = part_of(s->channels - c);
    VEC t[6][6];

    UNROLL
    for (int x = 0; x < n; x++) {
        const cconv_real *from = s->x + x * s->pixel + c;
        VEC d[6], o[6];

        if (whole && x < m) {
            UNROLL
            for (int y = 0; y < m; y++)
                PREFETCH(from + (n + y) * s->row);
        }
        UNROLL
        for (int y = 0; y < n; y++, from += s->row) {
            const int inside = y >= s->y0 && y < s->y1 && x >= s->x0 && x < s->x1;

            d[y] = whole || inside ? load(from, part, full) : ZERO;
        }
        l(o, d);
        UNROLL
        for (int i = 0; i < k; i++)
            t[i][x] = o[i];
    }
    UNROLL
    for (int i = 0; i < k; i++) {
        cconv_real *to = s->v + i * k * s->plane + c;
        VEC o[6];

        l(o, t[i]);
        UNROLL
        for (int j = 0; j < k; j++, to += s->plane)
            store(to, part, full, o[j]);
    }
}

INLINE void spread(const struct cconv_winograd_spread *s, transform_fn *l, const int n, const int k)
{
    const int inside = s->y0 <= 0 && s->y1 >= n && s->x0 <= 0 && s->x1 >= n;
    size_t c = 0;

    if (inside) {
        for (; s->channels - c >= LANES; c += LANES)
            spread_vector(s, c, 1, l, n, k);
    }
    for (; c < s->channels; c += LANES)
        spread_vector(s, c, 0, l, n, k);
}

/* The same where all is inside, whatever the bounds say. */
INLINE void spread_inside(const struct cconv_winograd_spread *s, transform_fn *l, const int n,
                          const int k)
{
    struct cconv_winograd_spread all = *s;
    size_t c = 0;

    all.y0 = all.x0 = 0;
    all.y1 = all.x1 = n;
    for (; s->channels - c >= LANES; c += LANES)
        spread_vector(&all, c, 1, l, n, k);
    if (c < s->channels)
        spread_vector(&all, c, 0, l, n, k);
}

INLINE VEC activate(VEC v, enum cconv_activation act, cconv_real slope)
{
    if (act == CCONV_ACT_RELU)
        return RELU(v);
    return act == CCONV_ACT_LEAKY ? LEAKY(v, SET1(slope)) : v;
}

/* How the pixels of a tile start. */
enum start {
    START_INIT,   /* all from init */
    START_AFFINE, /* all from the formula */
    START_MIXED   /* to be asked for each */
};

/* What the pixels of row y start from where the formula holds, at the tile's first column. */
INLINE VEC start_row(const struct cconv_winograd_join *j, size_t c, const PART part, const int full,
                     int y)
{
    return FMA(SET1(j->column0), load(j->right + c, part, full),
               FMA(SET1(j->row0 + (cconv_real)y), load(j->down + c, part, full),
                   load(j->base + c, part, full)));
}

/* Row y of a tile: start, add, activate and store n transformed values. */
INLINE void finish_row(const struct cconv_winograd_join *j, size_t c, const PART part,
                       const int whole, const int full, const enum start start, int y, VEC o[],
                       const int n)
{
    const cconv_real *init = j->init == NULL ? NULL : j->init + y * j->init_row + c;
    const cconv_real *add = j->add == NULL ? NULL : j->add + y * j->row + c;
    const int some = start != START_INIT && y >= j->ay0 && y < j->ay1;
    const VEC row = start == START_AFFINE || some ? start_row(j, c, part, full, y) : ZERO;
    const VEC right = start == START_AFFINE || some ? load(j->right + c, part, full) : ZERO;
    cconv_real *to = j->c + y * j->row + c;

    UNROLL
    for (int x = 0; x < n; x++, to += j->pixel) {
        if (!whole && x >= j->columns)
            break;
        if (start == START_AFFINE || (some && x >= j->ax0 && x < j->ax1))
            o[x] = ADD(o[x], x == 0 ? row : FMA(SET1((cconv_real)x), right, row));
        else if (init != NULL)
            o[x] = ADD(o[x], load(init + x * j->init_pixel, part, full));
        if (add != NULL)
            o[x] = ADD(o[x], load(add + x * j->pixel, part, full));
        o[x] = activate(o[x], j->act, j->slope);
        if (whole && j->stream)
            STREAM(to, o[x]);
        else
            store(to, part, full, o[x]);
    }
}

/* The columns of one vector of channels, k x k planes to n x k values. */
INLINE void join_columns(const struct cconv_winograd_join *j, size_t c, const PART part,
                         const int full, transform_fn *l, const int k, const int n, VEC t[][6])
{
    UNROLL
    for (int x = 0; x < k; x++) {
        const cconv_real *from = j->v + x * j->plane + c;
        VEC v[6], o[4];

        UNROLL
        for (int y = 0; y < k; y++, from += k * j->plane)
            v[y] = load(from, part, full);
        l(o, v);
        UNROLL
        for (int i = 0; i < n; i++)
            t[i][x] = o[i];
    }
}

/* One vector of channels, k x k planes to n x n outputs. */
INLINE void join_vector(const struct cconv_winograd_join *j, size_t c, const int whole,
                        const enum start start, transform_fn *l, const int k, const int n)
{
    const int full = whole || j->channels - c >= LANES;
    const PART part = part_of(j->channels - c);
    VEC t[4][6];

    join_columns(j, c, part, full, l, k, n, t);
    UNROLL
    for (int y = 0; y < n; y++) {
        VEC o[4];

        if (!whole && y >= j->rows)
            break;
        l(o, t[y]);
        finish_row(j, c, part, whole, full, start, y, o, n);
    }
}

/* The same with nothing to start from and nothing to do at the end. */
INLINE void join_plain(const struct cconv_winograd_join *j, size_t c, const int full,
                       transform_fn *l, const int k, const int n)
{
    const PART part = part_of(j->channels - c);
    VEC t[4][6];

    join_columns(j, c, part, full, l, k, n, t);
    UNROLL
    for (int y = 0; y < n; y++) {
        cconv_real *to = j->c + y * j->row + c;
        VEC o[4];

        l(o, t[y]);
        UNROLL
        for (int x = 0; x < n; x++, to += j->pixel)
            store(to, part, full, o[x]);
    }
}

INLINE void join_taps(const struct cconv_winograd_join *j, transform_fn *l, const int k)
{
    size_t c = 0;

    for (; j->channels - c >= LANES; c += LANES)
        join_plain(j, c, 1, l, k, 3);
    if (c < j->channels)
        join_plain(j, c, 0, l, k, 3);
}

/* What is rare goes through one copy of the code that asks for everything. */
INLINE void join(const struct cconv_winograd_join *j, transform_fn *l, const int k, const int n)
{
    const int none = j->ay0 >= j->ay1 || j->ax0 >= j->ax1;
    const int all = j->ay0 <= 0 && j->ay1 >= n && j->ax0 <= 0 && j->ax1 >= n;
    size_t c = 0;

    if (j->rows >= n && j->columns >= n) {
        for (; none && j->channels - c >= LANES; c += LANES)
            join_vector(j, c, 1, START_INIT, l, k, n);
        for (; all && j->channels - c >= LANES; c += LANES)
            join_vector(j, c, 1, START_AFFINE, l, k, n);
    }
    for (; c < j->channels; c += LANES)
        join_vector(j, c, 0, START_MIXED, l, k, n);
}

#define DEFINE_SPREAD(name, n, k)                                                                  \
    static void spread_##name(const struct cconv_winograd_spread *s)                               \
    {                                                                                              \
        spread(s, name, n, k);                                                                     \
    }
#define DEFINE_FILTER(name, k)                                                                     \
    static void spread_##name(const struct cconv_winograd_spread *s)                               \
    {                                                                                              \
        spread_inside(s, name, 3, k);                                                              \
    }
#define DEFINE_JOIN(name, k, n)                                                                    \
    static void join_##name(const struct cconv_winograd_join *j)                                   \
    {                                                                                              \
        join(j, name, k, n);                                                                       \
    }
#define DEFINE_TAPS(name, k)                                                                       \
    static void join_##name(const struct cconv_winograd_join *j)                                   \
    {                                                                                              \
        join_taps(j, name, k);                                                                     \
    }

DEFINE_SPREAD(input_2, 4, 4)
DEFINE_SPREAD(gradient_2, 2, 4)
DEFINE_FILTER(filter_2, 4)
DEFINE_JOIN(output_2, 4, 2)
DEFINE_TAPS(filter_gradient_2, 4)
DEFINE_SPREAD(input_4, 6, 6)
DEFINE_SPREAD(gradient_4, 4, 6)
DEFINE_FILTER(filter_4, 6)
DEFINE_JOIN(output_4, 6, 4)
DEFINE_TAPS(filter_gradient_4, 6)

static const struct cconv_winograd_kernels winograd_kernels = {
    .f2 = { 2, spread_input_2, spread_gradient_2, spread_filter_2, join_output_2,
            join_filter_gradient_2, COSTS_2 },
    .f4 = { 4, spread_input_4, spread_gradient_4, spread_filter_4, join_output_4,
            join_filter_gradient_4, COSTS_4 },
};
