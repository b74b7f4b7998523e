/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_resnet.c - the plan of a large net: what is fused, how tight its memory
 * is, how long it takes to make.
 */
#include <math.h>
#include <string.h>
#include <time.h>

#include "base/checked.h"
#include "graph/compile.h"
#include "../../examples/resnet50/resnet.h"

#include "fixture.h"

static coordconv_plan *make_plan(coordconv_model *model, int64_t batch, int64_t side, int32_t mode)
{
    const coordconv_input_shape shape = { "image", 4, 0, { batch, side, side, 3 } };
    const coordconv_plan_desc desc = {
        .struct_size = sizeof desc, .mode = mode, .inputs = &shape, .input_count = 1
    };
    coordconv_plan *plan = NULL;

    check_ok(coordconv_plan_new(model, &desc, &plan));
    return plan;
}

/* ---- memory ---- */

/* 1 if node i, when it runs, reads or writes what lies at `root`. */
static int touches(const coordconv_plan *plan, int32_t i, int32_t root)
{
    const struct cconv_node *node = cconv_plan_source(plan, i);
    const struct cconv_plan_node *n = &plan->nodes[i];
    int touched = plan->values[i].root == root ||
                  (n->add != COORDCONV_NO_VALUE && plan->values[n->add].root == root);

    for (int32_t k = 0; k < node->input_count; k++)
        touched |= plan->values[node->inputs[k]].root == root;
    return touched;
}

/* Steps that run: applications that are neither left out nor done by another. */
static int runs(const coordconv_plan *plan, int32_t i)
{
    return plan->nodes[i].used && !plan->nodes[i].skipped && cconv_plan_source(plan, i)->op != NULL;
}

static int is_output_root(const coordconv_plan *plan, int32_t root)
{
    for (int32_t i = 0; i < plan->output_count; i++) {
        if (plan->values[plan->outputs[i].value].root == root)
            return 1;
    }
    return 0;
}

/* The largest sum of activations that some step needs at once, or that later steps still read. */
static size_t most_alive(const coordconv_plan *plan)
{
    size_t most = 0;

    for (int32_t at = 0; at < plan->node_count; at++) {
        size_t sum = 0;

        for (int32_t root = 0; runs(plan, at) && root < plan->node_count; root++) {
            int32_t first = plan->node_count, last = -1;

            if (cconv_plan_source(plan, root)->op == NULL)
                continue; /* the caller's */
            for (int32_t i = 0; i < plan->node_count; i++) {
                if (runs(plan, i) && touches(plan, i, root)) {
                    first = first < i ? first : i;
                    last = i;
                }
            }
            if (is_output_root(plan, root))
                last = plan->node_count;
            if (first <= at && at <= last)
                sum += plan->values[root].bytes;
        }
        most = sum > most ? sum : most;
    }
    return most;
}

static void check_tight(const coordconv_plan *plan)
{
    const size_t alive = most_alive(plan), others = plan->arena_bytes - plan->packed_bytes;

    print_message("  arena %zu: %zu of packed weights, %zu others; %zu of activations alive\n",
                  plan->arena_bytes, plan->packed_bytes, others, alive);
    assert_true(others <= alive + alive / 10);
}

static void resnet_50_fits(void **state)
{
    coordconv_model *model = resnet_new(context, &resnet_50, NULL);
    (void)state;

    check_ok(coordconv_model_status(model));
    assert_int_equal(coordconv_model_parameter_count(model), 25557032);
    for (int64_t batch = 1; batch <= 4; batch += 3) {
        coordconv_plan *plan = make_plan(model, batch, 224, COORDCONV_INFERENCE);
        int steps = 0;

        for (int32_t i = 0; i < plan->node_count; i++)
            steps += runs(plan, i);
        assert_int_equal(steps, 53 + 2 + 1); /* convolutions, pools, the linear layer */
        assert_true(most_alive(plan) <= resnet_most_alive((size_t)batch, 224, resnet_50.width));
        check_tight(plan);
        coordconv_plan_unref(plan);
    }
    coordconv_model_unref(model);
}

/* ---- time ---- */

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Compiling a net of `blocks` bottlenecks a stage for training, without its memory. */
static double compile_time(int32_t blocks)
{
    const struct resnet net = { .blocks = { blocks, blocks, blocks, blocks },
                                .width = 1,
                                .classes = 2 };
    const coordconv_input_shape shape = { "image", 4, 0, { 1, 32, 32, 3 } };
    const coordconv_plan_desc desc = {
        .struct_size = sizeof desc, .mode = COORDCONV_TRAINING, .inputs = &shape, .input_count = 1
    };
    coordconv_value logits = COORDCONV_NO_VALUE;
    coordconv_model *model = resnet_new(context, &net, &logits);
    const coordconv_value zero =
        coordconv_model_input(model, "zero", COORDCONV_F32, 2, (int64_t[]){ -1, 2 });
    double best = 1e9;
    size_t bytes;

    coordconv_model_output(model, "loss", coordconv_model_mse(model, logits, zero));
    for (int i = 0; i < 5; i++) {
        const double begin = seconds();

        check_ok(coordconv_plan_arena_size(model, &desc, &bytes));
        best = fmin(best, seconds() - begin);
    }
    coordconv_model_unref(model);
    return best;
}

/* Placing blocks is quadratic in their number, nothing is worse: 64 times as long for eight
 * times the net, where cubic would be 512. */
static void large_nets_compile_fast(void **state)
{
    (void)state;
    const double small = compile_time(8), large = compile_time(64);

    print_message("  %.2f ms, %.2f ms for eight times the net\n", 1e3 * small, 1e3 * large);
    assert_true(large < 2 * 64 * small);
}

/* ---- results ---- */

/* Logits of four images, `batch` at a time. */
static void run_batches(coordconv_context *on, coordconv_tensor *images, int64_t batch,
                        float logits[4][7])
{
    const struct resnet net = {
        .blocks = { 1, 2, 1, 1 }, .width = 4, .classes = 7, .coords = COORDCONV_COORDS_XY
    };
    coordconv_model *model = resnet_new(on, &net, NULL);
    coordconv_plan *plan;
    coordconv_tensor *part = NULL, *out = NULL;

    for (int32_t i = 0; i < coordconv_model_layer_count(model); i++)
        test_fill_layer(coordconv_model_layer(model, i), (uint64_t)i);
    plan = make_plan(model, batch, 32, COORDCONV_INFERENCE);
    for (int64_t first = 0; first < 4; first += batch) {
        check_ok(coordconv_tensor_slice(images, 0, first, batch, &part));
        check_ok(coordconv_plan_bind(plan, "image", part));
        check_ok(coordconv_plan_run(plan));
        check_ok(coordconv_plan_output(plan, "logits", &out));
        memcpy(logits[first], test_values(out), (size_t)batch * sizeof logits[0]);
        coordconv_tensor_unref(part);
        coordconv_tensor_unref(out);
    }
    coordconv_plan_unref(plan);
    coordconv_model_unref(model);
}

static void threads_and_batches_change_no_bit(void **state)
{
    const int64_t shape[4] = { 4, 32, 32, 3 };
    coordconv_tensor *images = test_tensor(context, 4, shape, 5);
    struct test_pool pool = { .threads = 3 };
    coordconv_context *threads = test_context(3, NULL, &pool);
    float want[4][7], got[4][7];
    (void)state;

    run_batches(context, images, 4, want);
    for (int i = 0; i < 28; i++)
        assert_true(isfinite((double)want[i / 7][i % 7]));
    for (int64_t batch = 1; batch <= 4; batch *= 2) {
        run_batches(batch == 1 ? context : threads, images, batch, got);
        assert_memory_equal(got, want, sizeof want);
    }
    coordconv_tensor_unref(images);
    coordconv_context_unref(threads);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resnet_50_fits),
        cmocka_unit_test(large_nets_compile_fast),
        cmocka_unit_test(threads_and_batches_change_no_bit),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
