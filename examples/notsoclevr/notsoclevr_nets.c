/* SPDX-License-Identifier: BSD-2-Clause
 *
 * notsoclevr_nets.c - the networks of the paper, and the ones wired by hand.
 *
 * Each learned net is two models over the same layers: one ends in the loss,
 * the other in what a user wants to have.
 */
#include "notsoclevr_nets.h"

#include <string.h>

#include "notsoclevr_layers.h"

/* How much the loss on the map between the two stages counts in rendering. */
static const double map_loss_share = 0.1;

const char *net_name(enum net_kind kind)
{
    static const char *const names[NET_KINDS] = { "coordconv", "baseline", "analytic" };

    return names[kind];
}

static void make_layers(struct layers *l, enum net_kind kind, enum task task, enum split split)
{
    const int uniform = split == UNIFORM || split == UNIFORM_VALIDATION;

    if (kind == COORDCONV_NET)
        (task == CLASSIFICATION ? layers_make_painter
         : task == RENDERING    ? layers_make_renderer
                                : layers_make_locator)(l);
    else
        (task != REGRESSION ? layers_make_deconv
         : uniform          ? layers_make_pooling_conv
                            : layers_make_strided_conv)(l);
}

/* From the input to logits, or for regression to (x, y) / 64; *map is where rendering has it. */
static coordconv_value apply_layers(coordconv_model *m, const struct layers *l, enum net_kind kind,
                                    enum task task, enum split split, coordconv_value input,
                                    coordconv_value *map)
{
    const int uniform = split == UNIFORM || split == UNIFORM_VALIDATION;

    *map = COORDCONV_NO_VALUE;
    if (task == REGRESSION && kind == COORDCONV_NET)
        return layers_apply_locator(m, l, input);
    if (task == REGRESSION)
        return (uniform ? layers_apply_pooling_conv : layers_apply_strided_conv)(m, l, input);
    if (kind == BASELINE)
        return layers_apply_deconv(m, l, input);
    const coordconv_value drawn = layers_apply_painter(m, l, input);
    if (task == CLASSIFICATION)
        return drawn;
    *map = drawn;
    return layers_apply_stage_b(m, l, drawn);
}

static coordconv_value add_input(coordconv_model *m, const struct feed *feed)
{
    const int64_t image[4] = { -1, CANVAS, CANVAS, 1 };
    const int64_t pair[2] = { -1, 2 };
    const int64_t label = -1;

    if (feed->content == ONE_HOT || feed->content == SQUARE)
        return coordconv_model_input(m, feed->name, COORDCONV_F32, 4, image);
    if (feed->content == LABEL)
        return coordconv_model_input(m, feed->name, COORDCONV_I32, 1, &label);
    return coordconv_model_input(m, feed->name, COORDCONV_F32, 2, pair);
}

static void build_training(struct net *net, const struct layers *l, enum net_kind kind,
                           enum task task, enum split split)
{
    coordconv_model *m = net->training;
    coordconv_value inputs[MAX_FEEDS], map, loss;

    for (int32_t i = 0; i < net->feed_count; i++)
        inputs[i] = add_input(m, &net->feeds[i]);
    const coordconv_value answer = apply_layers(m, l, kind, task, split, inputs[0], &map);
    if (task == CLASSIFICATION)
        loss = coordconv_model_softmax_cross_entropy(m, answer, inputs[1]);
    else if (task == REGRESSION)
        loss = coordconv_model_mse(m, answer, inputs[1]);
    else
        loss = coordconv_model_sigmoid_cross_entropy(m, answer, inputs[1]);
    if (map != COORDCONV_NO_VALUE) {
        const coordconv_value extra = coordconv_model_softmax_cross_entropy(m, map, inputs[2]);
        loss = coordconv_model_add(m, loss, coordconv_model_scale(m, extra, map_loss_share));
    }
    coordconv_model_output(m, "answer", answer);
    coordconv_model_output(m, "loss", loss);
}

static void build_inference(struct net *net, const struct layers *l, enum net_kind kind,
                            enum task task, enum split split)
{
    coordconv_model *m = net->inference;
    const coordconv_value input = add_input(m, &net->input);
    coordconv_value map;
    coordconv_value answer = apply_layers(m, l, kind, task, split, input, &map);

    if (task == CLASSIFICATION)
        answer = coordconv_model_softmax(m, answer, 1u << 1 | 1u << 2);
    else if (task == REGRESSION)
        answer = coordconv_model_scale(m, answer, CANVAS);
    else
        answer = coordconv_model_sigmoid(m, answer);
    coordconv_model_output(m, net->output, answer);
}

static void choose_feeds(struct net *net, enum net_kind kind, enum task task)
{
    const enum content xy = kind == ANALYTIC ? XY : XY_SCALED;

    if (task == REGRESSION) {
        net->input = (struct feed){ "image", ONE_HOT };
        net->feeds[1] = (struct feed){ "target", XY_SHARE };
    } else {
        net->input = (struct feed){ "xy", xy };
        net->feeds[1] =
            task == RENDERING ? (struct feed){ "target", SQUARE } : (struct feed){ "label", LABEL };
        net->feeds[2] = (struct feed){ "label", LABEL };
    }
    net->feeds[0] = net->input;
    net->feed_count = task == RENDERING && kind == COORDCONV_NET ? 3 : 2;
    net->output = task == REGRESSION ? "xy" : "image";
}

static coordconv_status build_learned(struct net *net, coordconv_context *context,
                                      enum net_kind kind, enum task task, enum split split)
{
    struct layers l = { .context = context };
    coordconv_status status;

    make_layers(&l, kind, task, split);
    if ((status = l.status) == COORDCONV_OK &&
        (status = coordconv_model_new(context, &net->training)) == COORDCONV_OK &&
        (status = coordconv_model_new(context, &net->inference)) == COORDCONV_OK) {
        build_training(net, &l, kind, task, split);
        build_inference(net, &l, kind, task, split);
        if ((status = coordconv_model_status(net->training)) == COORDCONV_OK)
            status = coordconv_model_status(net->inference);
    }
    for (int32_t i = 0; i < l.count; i++)
        coordconv_layer_unref(l.items[i]);
    return status;
}

static coordconv_status build_analytic(struct net *net, coordconv_context *context, enum task task)
{
    if (task == CLASSIFICATION)
        return coordconv_analytic_xy_to_onehot(context, CANVAS, CANVAS, &net->inference);
    if (task == REGRESSION)
        return coordconv_analytic_onehot_to_xy(context, CANVAS, CANVAS, &net->inference);
    return coordconv_analytic_xy_to_rectangle(context, CANVAS, CANVAS, HALF, HALF, &net->inference);
}

coordconv_status net_new(struct net *net, coordconv_context *context, enum net_kind kind,
                         enum task task, enum split split)
{
    memset(net, 0, sizeof *net);
    choose_feeds(net, kind, task);
    const coordconv_status status = kind == ANALYTIC
                                        ? build_analytic(net, context, task)
                                        : build_learned(net, context, kind, task, split);
    if (status == COORDCONV_OK)
        net->parameters = coordconv_model_parameter_count(net->inference);
    if (status != COORDCONV_OK)
        net_free(net);
    return status;
}

void net_free(struct net *net)
{
    coordconv_model_unref(net->training);
    coordconv_model_unref(net->inference);
    memset(net, 0, sizeof *net);
}
