/* SPDX-License-Identifier: BSD-2-Clause
 *
 * camera_pipeline.cpp - from OpenCV's pixels to a network that knows where they are.
 *
 * Reads a picture or a video, and looks for something red in the lower half of it: a network of two
 * convolutions whose weights are set by hand, colour and place in one. The pixels of each cv::Mat
 * are read where they lie; coordinates are written once and stay in the network's input.
 *
 * usage: camera_pipeline INPUT OUTPUT.png
 * INPUT is what cv::imread or cv::VideoCapture open. Prints a line a frame, and writes the last
 * frame with what was found in it.
 */
#include <coordconv/coordconv.h>

#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <opencv2/videoio.hpp>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace
{

void check(coordconv_status status)
{
    if (status != COORDCONV_OK)
        throw std::runtime_error(coordconv_last_error());
}

/* A handle of the library, dropped with the object. */
template <class T, void (*unref)(T *)> struct drop {
    void operator()(T *handle) const { unref(handle); }
};
using context_ptr =
    std::unique_ptr<coordconv_context, drop<coordconv_context, coordconv_context_unref>>;
using layer_ptr = std::unique_ptr<coordconv_layer, drop<coordconv_layer, coordconv_layer_unref>>;
using model_ptr = std::unique_ptr<coordconv_model, drop<coordconv_model, coordconv_model_unref>>;
using plan_ptr = std::unique_ptr<coordconv_plan, drop<coordconv_plan, coordconv_plan_unref>>;
using tensor_ptr =
    std::unique_ptr<coordconv_tensor, drop<coordconv_tensor, coordconv_tensor_unref>>;

enum { CHANNELS = 5 }; /* red, green, blue, x, y */

layer_ptr convolution(coordconv_context *context, int in, int out, int side,
                      const std::vector<float> &weights, const std::vector<float> &bias)
{
    coordconv_conv2d_desc desc = {};
    coordconv_layer *layer = nullptr;
    coordconv_tensor *parameter = nullptr;

    desc.struct_size = sizeof desc;
    desc.in_channels = in;
    desc.out_channels = out;
    desc.kernel[0] = desc.kernel[1] = side;
    desc.padding = COORDCONV_SAME;
    check(coordconv_conv2d_new(context, &desc, &layer));
    layer_ptr owned(layer);
    check(coordconv_layer_parameter(layer, "weight", &parameter));
    tensor_ptr weight(parameter);
    std::memcpy(coordconv_tensor_data(parameter), weights.data(), weights.size() * sizeof(float));
    check(coordconv_layer_parameter(layer, "bias", &parameter));
    tensor_ptr offset(parameter);
    std::memcpy(coordconv_tensor_data(parameter), bias.data(), bias.size() * sizeof(float));
    return owned;
}

/* Two hidden channels: how red the pixels around are, and how far above the middle they lie. What
 * is left of the first after much of the second is the answer. */
model_ptr build(coordconv_context *context)
{
    coordconv_model *model = nullptr;
    std::vector<float> see(2 * CHANNELS * 9, 0);
    const int64_t shape[4] = { -1, -1, -1, CHANNELS };

    for (int tap = 0; tap < 9; tap++) { /* [out][in][3][3] */
        see[(0 * CHANNELS + 0) * 9 + tap] = 1 / 9.0F;
        see[(0 * CHANNELS + 1) * 9 + tap] = -0.5F / 9;
        see[(0 * CHANNELS + 2) * 9 + tap] = -0.5F / 9;
    }
    see[(1 * CHANNELS + 4) * 9 + 4] = -100; /* y is below 0 there */
    layer_ptr seen = convolution(context, CHANNELS, 2, 3, see, { -0.25F, 0 });
    layer_ptr judged = convolution(context, 2, 1, 1, { 1, -1 }, { 0 });

    check(coordconv_model_new(context, &model));
    model_ptr owned(model);
    coordconv_value value = coordconv_model_input(model, "image", COORDCONV_F32, 4, shape);
    value = coordconv_model_relu(model, coordconv_model_apply(model, seen.get(), value));
    value = coordconv_model_relu(model, coordconv_model_apply(model, judged.get(), value));
    coordconv_model_output(model, "found", value);
    check(coordconv_model_status(model));
    return owned;
}

/* The network for frames of one size. */
class finder
{
  public:
    finder(coordconv_context *context, int height, int width)
        : context_(context), input_((size_t)height * width * CHANNELS), model_(build(context)),
          height_(height), width_(width)
    {
        const int64_t shape[4] = { 1, height, width, CHANNELS };
        coordconv_input_shape input = {};
        coordconv_plan_desc desc = {};
        coordconv_plan *plan = nullptr;
        coordconv_tensor *image = nullptr;

        input.name = "image";
        input.ndim = 4;
        std::memcpy(input.shape, shape, sizeof shape);
        desc.struct_size = sizeof desc;
        desc.inputs = &input;
        desc.input_count = 1;
        check(coordconv_plan_new(model_.get(), &desc, &plan));
        plan_.reset(plan);
        check(coordconv_tensor_wrap(context, COORDCONV_F32, 4, shape, nullptr, input_.data(),
                                    nullptr, nullptr, &image));
        tensor_ptr owned(image);
        check(coordconv_plan_bind(plan, "image", image));
    }

    /* Where it is: a box, empty if nothing was found. */
    cv::Rect find(const cv::Mat &frame)
    {
        coordconv_tensor *found = nullptr;

        append(frame);
        check(coordconv_plan_run(plan_.get()));
        check(coordconv_plan_output(plan_.get(), "found", &found));
        tensor_ptr owned(found);
        const cv::Mat map(height_, width_, CV_32F, coordconv_tensor_data(found));
        return cv::boundingRect(map > 0);
    }

    bool fits(const cv::Mat &frame) const { return frame.rows == height_ && frame.cols == width_; }

  private:
    /* The Mat's own bytes, with its own stride, become floats beside the coordinates. */
    void append(const cv::Mat &frame)
    {
        coordconv_pixels_desc pixels = {};
        coordconv_append_desc desc = {};

        pixels.struct_size = sizeof pixels;
        pixels.format = COORDCONV_PIXELS_BGR;
        pixels.dtype = COORDCONV_U8;
        pixels.data = frame.data;
        pixels.height = frame.rows;
        pixels.width = frame.cols;
        pixels.row_stride = (int64_t)frame.step[0];
        desc.struct_size = sizeof desc;
        desc.format = COORDCONV_PIXELS_RGB;
        desc.parts = coordinates_are_there_ ? COORDCONV_PARTS_DATA : COORDCONV_PARTS_ALL;
        for (int c = 0; c < 3; c++)
            desc.scale[c] = 1 / 255.0F;
        desc.channel_stride = 1; /* NHWC */
        desc.column_stride = CHANNELS;
        desc.row_stride = (int64_t)CHANNELS * frame.cols;
        check(coordconv_append(context_, &pixels, &desc, input_.data(), input_.size()));
        coordinates_are_there_ = true;
    }

    coordconv_context *context_;
    std::vector<float> input_;
    model_ptr model_;
    plan_ptr plan_;
    int height_, width_;
    bool coordinates_are_there_ = false;
};

/* Frames of a video, or the one of a picture. */
class source
{
  public:
    explicit source(const std::string &path) : picture_(cv::imread(path, cv::IMREAD_COLOR))
    {
        if (picture_.empty() && !video_.open(path))
            throw std::runtime_error("cannot read " + path);
    }

    bool next(cv::Mat &frame)
    {
        if (video_.isOpened())
            return video_.read(frame);
        frame = picture_;
        picture_ = cv::Mat();
        return !frame.empty();
    }

  private:
    cv::Mat picture_;
    cv::VideoCapture video_;
};

void run(const std::string &input, const std::string &output)
{
    coordconv_context *context = nullptr;
    cv::Mat frame, last;
    cv::Rect box;
    source frames(input);

    check(coordconv_context_new(nullptr, &context));
    context_ptr owned(context);
    std::unique_ptr<finder> network;
    for (int number = 0; frames.next(frame); number++) {
        if (frame.type() != CV_8UC3)
            throw std::runtime_error("frames of another type than CV_8UC3");
        if (!network || !network->fits(frame))
            network = std::make_unique<finder>(context, frame.rows, frame.cols);
        box = network->find(frame);
        std::printf("frame %d: %d %d %d %d\n", number, box.x, box.y, box.width, box.height);
        last = frame.clone();
    }
    if (last.empty())
        throw std::runtime_error("no frame in " + input);
    if (!box.empty())
        cv::rectangle(last, box, cv::Scalar(0, 255, 0), 2);
    if (!cv::imwrite(output, last))
        throw std::runtime_error("cannot write " + output);
}

} // namespace

int main(int argc, char **argv)
{
    if (argc != 3) {
        std::fprintf(stderr, "usage: camera_pipeline INPUT OUTPUT.png\n");
        return 2;
    }
    try {
        run(argv[1], argv[2]);
    } catch (const std::exception &error) {
        std::fprintf(stderr, "camera_pipeline: %s\n", error.what());
        return 1;
    }
    return 0;
}
