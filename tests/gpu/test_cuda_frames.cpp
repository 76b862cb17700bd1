// SPDX-License-Identifier: LGPL-2.1-or-later
// Frames in a GPU's memory: to the network's input, beside the CPU's own way there, and pictures
// over them; both beside their CPU reference in fp64.

#include <cmath>

#include "cuda/frames.hpp"
#include "subject.hpp"

using namespace patchcore;
using cuda::InputValues;
using cuda::pointer;
using subject::there;

namespace {

constexpr int kStride = 8;

at::Tensor noise(const std::string& name, int64_t bytes) {
  return (float_noise(name, {bytes}).abs() * 997).fmod(256).to(at::kByte);
}

Settings resized_to(int width, int height, int crop = 0) {
  Settings settings = Settings::from_preset(Preset::Anomalib);
  settings.resize = {width, height};
  settings.crop = crop;
  return settings;
}

using Matrix = std::array<std::array<float, 4>, 3>;
constexpr Matrix kIdentity{{{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}}};
// BT.709, limited range, of 8 bits.
constexpr Matrix kBt709{{{1.164384F, 0, 1.792741F, -248.1007F},
                         {1.164384F, -0.213249F, -0.532909F, 76.87808F},
                         {1.164384F, 2.112402F, 0, -289.0175F}}};

/// A frame with room to spare around its rows.
struct Frame {
  at::Tensor bytes;
  std::array<int64_t, 3> offsets;  ///< of the components in the bytes
  SampledImage like;               ///< but for where they are

  SampledImage image(double pixel_aspect = 1) const {
    SampledImage image = like;
    for (size_t i = 0; i < 3; ++i) image.components[i].data = pointer<uint8_t>(bytes) + offsets[i];
    image.pixel_aspect = pixel_aspect;
    return image;
  }
  Frame on(c10::Device device) const {
    return {bytes.to(device, at::kByte, /*non_blocking=*/false, /*copy=*/true), offsets, like};
  }
};

Frame packed(int width, int height, int step, int red, int green, int blue) {
  const int64_t stride = width * step + 5;
  const Samples s{nullptr, stride, width, height, step, 1, 0, 8};
  return {
      noise("packed", stride * height), {red, green, blue}, {{s, s, s}, kIdentity, width, height}};
}

Frame nv12(int width, int height) {
  const int64_t stride = width + 7, chroma = stride * height;
  const int columns = (width + 1) / 2, rows = (height + 1) / 2;
  const Samples half{nullptr, stride, columns, rows, 2, 1, 0, 8};
  return {
      noise("nv12", chroma + stride * rows),
      {0, chroma, chroma + 1},
      {{Samples{nullptr, stride, width, height, 1, 1, 0, 8}, half, half}, kBt709, width, height}};
}

/// YUYV.
Frame yuy2(int width, int height) {
  const int64_t stride = width * 2 + 4;
  const Samples half{nullptr, stride, width / 2, height, 4, 1, 0, 8};
  return {
      noise("yuy2", stride * height),
      {0, 1, 3},
      {{Samples{nullptr, stride, width, height, 2, 1, 0, 8}, half, half}, kBt709, width, height}};
}

Frame grey(int width, int height) {
  const Samples s{nullptr, width, width, height, 1, 1, 0, 8};
  return {noise("grey", int64_t{width} * height),
          {0, 0, 0},
          {{s, s, s}, {{{1, 0, 0, 0}, {1, 0, 0, 0}, {1, 0, 0, 0}}}, width, height}};
}

/// Ten bits in the upper part of two bytes, as P010 has them; chroma at full size.
Frame ten_bits(int width, int height) {
  constexpr Matrix kQuarter{{{0.25F, 0, 0.1F, 0}, {0, 0.2F, 0, 3}, {0, 0, 0.25F, -9}}};
  const int64_t stride = width * 2 + 4, plane = stride * height;
  const Samples s{nullptr, stride, width, height, 2, 2, 6, 10};
  return {
      noise("ten bits", plane * 3), {0, plane, 2 * plane}, {{s, s, s}, kQuarter, width, height}};
}

at::Tensor input_of(const Frame& frame, const Preprocess& preprocess, double pixel_aspect,
                    InputValues values, const cuda::Kernels& kernels, c10::Device device) {
  const Frame mine = frame.on(device);
  const Size input = preprocess.geometry({frame.like.width, frame.like.height}, pixel_aspect).input;
  const auto type = values == InputValues::Bytes ? at::kByte : at::kFloat;
  const at::Tensor out =
      at::full({input.height, input.width, 3}, 77, at::TensorOptions(type).device(device));
  cuda::resize(preprocess, mine.image(pixel_aspect), values, out.data_ptr(), kernels,
               cuda::current_stream(device));
  cuda::synchronize(device);
  return out.cpu();
}

double largest_difference(const at::Tensor& a, const at::Tensor& b) {
  return (a.to(at::kDouble) - b.to(at::kDouble)).abs().max().item<double>();
}

/// The share of values that are farther apart.
double share_beyond(double tolerance, const at::Tensor& a, const at::Tensor& b) {
  return (a.to(at::kDouble) - b.to(at::kDouble))
      .abs()
      .gt(tolerance)
      .to(at::kDouble)
      .mean()
      .item<double>();
}

struct Case {
  Frame frame;
  Settings settings;
  double pixel_aspect = 1;
};

std::vector<Case> cases() {
  return {
      {packed(40, 33, 4, 2, 1, 0), resized_to(16, 24)},     // smaller
      {packed(11, 9, 3, 0, 1, 2), resized_to(32, 24)},      // larger
      {packed(50, 38, 4, 2, 1, 0), resized_to(24, 0, 16)},  // cropped
      {nv12(37, 31), resized_to(24, 0, 16)},
      {nv12(38, 30), resized_to(40, 8)},
      {nv12(37, 16), resized_to(16, 0), 0.5},  // of a field
      {yuy2(40, 23), resized_to(16, 16), 1.6},
      {grey(36, 20), resized_to(16, 0)},
      {ten_bits(23, 19), resized_to(16, 8)},
      {packed(1, 1, 4, 1, 2, 3), resized_to(8, 8)},
  };
}

}  // namespace

START_TEST(inputs_are_those_of_the_reference) {
  for (const Case& c : cases()) {
    const Preprocess preprocess(c.settings, kStride);
    const auto by = [&](InputValues values, const cuda::Kernels& kernels, c10::Device device) {
      return input_of(c.frame, preprocess, c.pixel_aspect, values, kernels, device);
    };
    // What lies between two levels may be rounded to either.
    for (const auto& [values, level] : {std::pair{InputValues::Floats, 1e-3},
                                        {InputValues::Bytes, 1.0},
                                        {InputValues::Normalised, 1.001 / 255 / 0.224}}) {
      const at::Tensor ours = by(values, *subject::kernels, subject::device),
                       expected = by(values, cuda::reference_kernels(), at::kCPU);
      ck_assert_double_le(largest_difference(ours, expected), level);
      ck_assert_double_le(share_beyond(level / 100, ours, expected),
                          values == InputValues::Floats ? 1 : 0.01);
    }
  }
}
END_TEST

START_TEST(inputs_are_those_of_preprocess) {
  for (const Case& c : cases()) {
    const Preprocess preprocess(c.settings, kStride);
    const auto ours = [&](InputValues values) {
      return input_of(c.frame, preprocess, c.pixel_aspect, values, *subject::kernels,
                      subject::device);
    };
    const at::Tensor in_bytes = ours(InputValues::Bytes), bytes = at::zeros_like(in_bytes),
                     in_floats = ours(InputValues::Floats), floats = at::zeros_like(in_floats);
    preprocess.resize_samples(c.frame.image(c.pixel_aspect), pointer<uint8_t>(bytes));
    preprocess.resize_samples(c.frame.image(c.pixel_aspect), pointer<float>(floats));
    ck_assert_double_le(largest_difference(in_floats, floats), 2e-3);
    // The CPU rounds each component twice on the way, which YUV's matrix then doubles.
    ck_assert_double_le(largest_difference(in_bytes, bytes), 4);
    ck_assert_double_le(share_beyond(2, in_bytes, bytes), 0.02);
    const at::Tensor normalised =
        Preprocess::normalise(in_bytes.unsqueeze(0)).permute({0, 2, 3, 1});
    ck_assert_double_le(largest_difference(ours(InputValues::Normalised), normalised[0]), 1e-6);
  }
}
END_TEST

START_TEST(values_between_levels_stay_there_where_the_bank_wants_floats) {
  Settings settings = resized_to(16, 16);
  settings.resize_values = ResizeValues::Floats;
  const Preprocess preprocess(settings, kStride);
  const Frame frame = packed(40, 40, 3, 0, 1, 2);
  const auto ours = [&](InputValues values) {
    return input_of(frame, preprocess, 1, values, *subject::kernels, subject::device);
  };
  const at::Tensor expected =
      Preprocess::normalise(ours(InputValues::Floats).unsqueeze(0)).permute({0, 2, 3, 1});
  ck_assert_double_le(largest_difference(ours(InputValues::Normalised), expected[0]), 1e-6);
}
END_TEST

START_TEST(samples_that_cannot_be_are_refused) {
  const Frame frame = packed(16, 16, 3, 0, 1, 2);
  const Preprocess preprocess(resized_to(8, 8), kStride);
  const auto refuses = [&](const char* what, auto change) {
    const at::Tensor out = at::zeros({8, 8, 3}, at::kByte);
    SampledImage image = frame.image();
    change(image);
    assert_refused(ErrorCode::InvalidArgument, {}, what, [&] {
      cuda::resize(preprocess, image, InputValues::Bytes, out.data_ptr(), cuda::reference_kernels(),
                   nullptr);
    });
    assert_refused(ErrorCode::InvalidArgument, {}, what,
                   [&] { preprocess.resize_samples(image, pointer<uint8_t>(out)); });
  };
  refuses("no samples", [](auto& image) { image.components[1].data = nullptr; });
  refuses("no columns", [](auto& image) { image.components[0].columns = 0; });
  refuses("no rows", [](auto& image) { image.components[0].rows = 0; });
  refuses("three bytes", [](auto& image) { image.components[0].bytes = 3; });
  refuses("nine bits of eight", [](auto& image) { image.components[0].depth = 9; });
  refuses("no bits", [](auto& image) { image.components[2].depth = 0; });
  refuses("a negative shift", [](auto& image) { image.components[2].shift = -1; });
  refuses("a shift beyond", [](auto& image) { image.components[2].shift = 1 << 30; });
  refuses("no step", [](auto& image) { image.components[2].step = 0; });
  refuses("no width", [](auto& image) { image.width = 0; });
  refuses("no aspect", [](auto& image) { image.pixel_aspect = NAN; });
}
END_TEST

namespace {

/// Clear, solid and half clear pixels.
at::Tensor picture(int64_t width, int64_t height) {
  at::Tensor argb = noise("picture", width * height * 4).view({height, width, 4}).clone();
  argb.select(2, 3).copy_(
      at::arange(width * height, at::kInt).mul(85).remainder(256).view({height, width}));
  return argb;
}

struct Canvas {
  Frame frame;
  bool interlaced;
  std::array<int32_t, 3> sub_x{}, sub_y{};
};

/// The frame's bytes when a picture was painted on all of its components.
at::Tensor painted(const Canvas& canvas, const at::Tensor& argb, const std::array<double, 4>& where,
                   const cuda::Kernels& kernels, c10::Device device) {
  const Frame frame = canvas.frame.on(device);
  const at::Tensor pixels = argb.to(device).contiguous();
  for (size_t i = 0; i < 3; ++i) {
    cuda::Paint p{};
    const Samples on = frame.image().components[i];
    p.sub_x = canvas.sub_x[i];
    p.sub_y = canvas.sub_y[i];
    p.width = frame.like.width;
    p.height = frame.like.height;
    p.interlaced = canvas.interlaced;
    p.pixels = static_cast<const uint32_t*>(pixels.data_ptr());
    p.picture_width = argb.size(1);
    p.picture_height = argb.size(0);
    p.x = where[0];
    p.y = where[1];
    p.w = where[2];
    p.h = where[3];
    const float full = static_cast<float>((1 << on.depth) - 1) / 255;
    const float weights[3][4] = {{0.2F, 0.6F, 0.1F, 16}, {-0.1F, -0.3F, 0.4F, 128}, {0, 0, 1, 0}};
    for (size_t j = 0; j < 4; ++j) p.weights[j] = weights[i][j] * full;
    cuda::paint(on, p, kernels, cuda::current_stream(device));
  }
  cuda::synchronize(device);
  return frame.bytes.cpu();
}

/// Samples of the first component in their own levels.
at::Tensor levels(const at::Tensor& bytes, bool of_two) {
  if (!of_two) return bytes.to(at::kInt);
  const at::Tensor pairs = bytes.view({-1, 2}).to(at::kInt);
  return (pairs.select(1, 0) + pairs.select(1, 1) * 256).div(64, "floor");
}

}  // namespace

START_TEST(pictures_are_those_of_the_reference) {
  const Canvas canvases[] = {{nv12(37, 31), false, {0, 1, 1}, {0, 1, 1}},
                             {nv12(38, 32), true, {0, 1, 1}, {0, 1, 1}},
                             {yuy2(20, 15), false, {0, 1, 1}},
                             {packed(20, 15, 4, 2, 1, 0), false},
                             {ten_bits(19, 12), false}};
  for (const Canvas& canvas : canvases)
    for (const auto& where : std::vector<std::array<double, 4>>{
             {0, 0, double(canvas.frame.like.width), double(canvas.frame.like.height)},
             {3.25, 2.75, 9.5, 6.5},
             {-4.5, -3, 60, 50},
             {12, 7, 1, 1},
             {100, 100, 5, 5},
             {-50, 2, 20, 20}}) {
      const at::Tensor argb = picture(5, 4);
      const at::Tensor ours = painted(canvas, argb, where, *subject::kernels, subject::device),
                       expected = painted(canvas, argb, where, cuda::reference_kernels(), at::kCPU);
      const bool of_two = canvas.frame.like.components[0].bytes == 2;
      ck_assert_double_le(largest_difference(levels(ours, of_two), levels(expected, of_two)), 1);
      ck_assert_double_le(ours.ne(expected).to(at::kDouble).mean().item<double>(), 0.01);
    }
}
END_TEST

START_TEST(bytes_beside_the_picture_are_left_alone) {
  const Canvas canvas{nv12(38, 32), false, {0, 1, 1}, {0, 1, 1}};
  const at::Tensor solid = at::full({2, 2, 4}, 255, at::kByte);
  const at::Tensor ours = painted(canvas, solid, {8, 10, 6, 4}, *subject::kernels, subject::device);
  const at::Tensor changed = ours.ne(canvas.frame.bytes);
  const int64_t stride = canvas.frame.like.components[0].stride;
  const at::Tensor luma = changed.slice(0, 0, stride * 32).view({32, stride});
  const at::Tensor chroma = changed.slice(0, stride * 32, stride * 48).view({16, stride});
  ck_assert(luma.slice(0, 10, 14).slice(1, 8, 14).any().item<bool>());
  ck_assert_int_eq(luma.sum().item<int64_t>(),
                   luma.slice(0, 10, 14).slice(1, 8, 14).sum().item<int64_t>());
  ck_assert_int_eq(chroma.sum().item<int64_t>(),
                   chroma.slice(0, 5, 7).slice(1, 8, 14).sum().item<int64_t>());
}
END_TEST

START_TEST(copies_are_the_same) {
  const at::Tensor values = there(float_noise("values", {1000})), out = at::zeros_like(values);
  subject::check(subject::kernels->copy(out.data_ptr(), values.data_ptr(),
                                        static_cast<int64_t>(values.nbytes()), subject::stream()));
  ck_assert(out.equal(values));
}
END_TEST

int main(int argc, char** argv) {
  Suite* suite = suite_create("cuda-frames");
  TCase* tests = tcase_create("small");
  tcase_set_timeout(tests, 240);
  tcase_add_test(tests, inputs_are_those_of_the_reference);
  tcase_add_test(tests, inputs_are_those_of_preprocess);
  tcase_add_test(tests, values_between_levels_stay_there_where_the_bank_wants_floats);
  tcase_add_test(tests, samples_that_cannot_be_are_refused);
  tcase_add_test(tests, pictures_are_those_of_the_reference);
  tcase_add_test(tests, bytes_beside_the_picture_are_left_alone);
  tcase_add_test(tests, copies_are_the_same);
  suite_add_tcase(suite, tests);
  return subject::run(argc, argv, suite);
}
