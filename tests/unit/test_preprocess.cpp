// SPDX-License-Identifier: LGPL-2.1-or-later
// Frames to network input: Pillow's resize (pillow_fixture.hpp), torchvision's geometry.
// torchvision's Resize(N) makes the shorter side N and the longer int(N * longer / shorter);
// CenterCrop(N) starts at int(round((side - N) / 2)), where Python rounds halves to even.

#include <cmath>

#include "pillow_fixture.hpp"
#include "preprocess.hpp"
#include "support.hpp"

using namespace patchcore;

namespace {

constexpr int kStride = 8;

Preprocess preprocess(ResizeTarget resize, int crop = 0, int stride = kStride) {
  Settings settings;
  settings.resize = resize;
  settings.crop = crop;
  return {settings, stride};
}

/// picture() of make_fixtures.py, with `padding` bytes of 255 behind each row.
std::vector<uint8_t> pattern(Size size, int padding = 0) {
  std::vector<uint8_t> bytes;
  for (int y = 0; y < size.height; ++y) {
    for (int x = 0; x < size.width; ++x)
      for (int c = 0; c < 3; ++c)
        bytes.push_back(static_cast<uint8_t>((x * 7 + y * 13 + x * y * (c + 1)) % 256));
    bytes.insert(bytes.end(), padding, 255);
  }
  return bytes;
}

std::vector<uint8_t> resized(const Preprocess& p, Size size, int padding = 0) {
  const auto bytes = pattern(size, padding);
  const Size input = p.geometry(size).input;
  std::vector<uint8_t> rgb(static_cast<size_t>(input.width) * input.height * 3 + 16, 77);
  p.resize({bytes.data(), size.width, size.height, size.width * 3 + padding}, rgb.data());
  for (size_t i = rgb.size() - 16; i < rgb.size(); ++i) ck_assert_int_eq(rgb[i], 77);
  rgb.resize(rgb.size() - 16);
  return rgb;
}

template <size_t N>
void assert_within_a_grey_level(const std::vector<uint8_t>& ours,
                                const std::array<uint8_t, N>& expected) {
  ck_assert_uint_eq(ours.size(), N);
  for (size_t i = 0; i < N; ++i)
    ck_assert_msg(std::abs(ours[i] - expected[i]) <= 1, "byte %zu is %d and not %d", i, ours[i],
                  expected[i]);
}

void assert_size(Size size, int width, int height) {
  ck_assert_int_eq(size.width, width);
  ck_assert_int_eq(size.height, height);
}

void assert_impossible(const Preprocess& p, Size frame, const std::vector<std::string>& parts) {
  assert_refused(ErrorCode::InvalidArgument, parts, "size", [&] { p.geometry(frame); });
}

}  // namespace

START_TEST(a_frame_is_made_smaller_as_pillow_does_it) {
  assert_within_a_grey_level(resized(preprocess({24, 16}), {61, 47}), kDown61x47To24x16);
}
END_TEST

START_TEST(floats_are_not_rounded_as_torchvision_has_them_of_tensors) {
  Settings settings;
  settings.resize = {24, 16};
  settings.resize_values = ResizeValues::Floats;
  const Preprocess p(settings, 8);
  ck_assert(p.wants_floats());
  ck_assert(!preprocess({24, 16}).wants_floats());
  const auto bytes = pattern({61, 47});
  std::vector<float> rgb(kDown61x47To24x16Floats.size());
  p.resize({bytes.data(), 61, 47, 61 * 3}, rgb.data());
  for (size_t i = 0; i < rgb.size(); ++i)
    ck_assert_double_eq_tol(rgb[i], kDown61x47To24x16Floats[i], 1e-3);
}
END_TEST

START_TEST(a_frame_is_made_larger_as_pillow_does_it) {
  assert_within_a_grey_level(resized(preprocess({24, 32}), {13, 11}), kUp13x11To24x32);
}
END_TEST

START_TEST(a_shorter_side_and_a_crop_are_those_of_torchvision) {
  assert_within_a_grey_level(resized(preprocess({24, 0}, 16), {61, 47}), kShorterSide24Crop16);
}
END_TEST

START_TEST(a_frame_of_the_right_size_is_copied) {
  const auto rgb = resized(preprocess({64, 40}), {64, 40});
  ck_assert(rgb == pattern({64, 40}));
}
END_TEST

START_TEST(padding_behind_the_rows_is_not_seen) {
  for (const int padding : {1, 5, 64}) {
    for (const auto& p : {preprocess({24, 16}), preprocess({24, 0}, 16), preprocess({64, 64})})
      ck_assert(resized(p, {61, 47}, padding) == resized(p, {61, 47}));
  }
}
END_TEST

START_TEST(the_order_of_a_pixels_bytes_makes_no_difference) {
  struct Order {
    PixelFormat format;
    size_t bytes, red, green, blue;
  };
  constexpr Size kSize{61, 47};
  const auto rgb = pattern(kSize);
  for (const Order& order :
       {Order{PixelFormat::BGR, 3, 2, 1, 0}, Order{PixelFormat::RGBx, 4, 0, 1, 2},
        Order{PixelFormat::BGRx, 4, 2, 1, 0}, Order{PixelFormat::xRGB, 4, 1, 2, 3},
        Order{PixelFormat::xBGR, 4, 3, 2, 1}}) {
    std::vector<uint8_t> bytes(rgb.size() / 3 * order.bytes, 200);
    for (size_t i = 0; i < rgb.size() / 3; ++i) {
      bytes[i * order.bytes + order.red] = rgb[3 * i];
      bytes[i * order.bytes + order.green] = rgb[3 * i + 1];
      bytes[i * order.bytes + order.blue] = rgb[3 * i + 2];
    }
    for (const auto& p : {preprocess({24, 16}), preprocess({24, 0}, 16), preprocess({64, 64})}) {
      const auto expected = resized(p, kSize);
      std::vector<uint8_t> ours(expected.size());
      p.resize({bytes.data(), kSize.width, kSize.height,
                static_cast<std::ptrdiff_t>(order.bytes) * kSize.width, order.format},
               ours.data());
      ck_assert_msg(ours == expected, "format %d", static_cast<int>(order.format));
    }
  }
}
END_TEST

START_TEST(an_order_of_bytes_that_is_none_is_refused) {
  const auto bytes = pattern({16, 16});
  std::vector<uint8_t> rgb(16 * 16 * 3);
  assert_refused(ErrorCode::InvalidArgument, {"format"}, "format", [&] {
    preprocess({16, 16}).resize({bytes.data(), 16, 16, 48, static_cast<PixelFormat>(6)},
                                rgb.data());
  });
}
END_TEST

START_TEST(the_smallest_and_the_narrowest_frames_are_resized) {
  const auto one = resized(preprocess({16, 16}), {1, 1});
  for (const uint8_t value : one) ck_assert_int_eq(value, 0);
  ck_assert_uint_eq(resized(preprocess({16, 16}), {500, 1}).size(), 16 * 16 * 3);
  ck_assert_uint_eq(resized(preprocess({16, 0}), {1, 20}).size(), 16 * 320 * 3);
}
END_TEST

START_TEST(resize_and_crop_of_a_wide_frame_are_torchvisions) {
  const InputGeometry g = preprocess({256, 0}, 224, 16).geometry({640, 480});
  assert_size(g.resized, 341, 256);  // 341.33
  assert_size(g.input, 224, 224);
  ck_assert_int_eq(g.left, 58);  // of 58.5
  ck_assert_int_eq(g.top, 16);
}
END_TEST

START_TEST(resize_and_crop_of_a_tall_frame_are_torchvisions) {
  const InputGeometry g = preprocess({256, 0}, 224, 16).geometry({1080, 1920});
  assert_size(g.resized, 256, 455);  // 455.11
  ck_assert_int_eq(g.left, 16);
  ck_assert_int_eq(g.top, 116);  // of 115.5
}
END_TEST

START_TEST(a_frame_of_two_equal_sides_stays_square) {
  assert_size(preprocess({256, 0}, 224, 16).geometry({1000, 1000}).resized, 256, 256);
}
END_TEST

START_TEST(width_and_height_are_had_exactly_whatever_the_aspect) {
  const InputGeometry g = preprocess({320, 240}, 0, 16).geometry({100, 900});
  assert_size(g.resized, 320, 240);
  assert_size(g.input, 320, 240);
  ck_assert_int_eq(g.left, 0);
  ck_assert_int_eq(g.top, 0);
}
END_TEST

START_TEST(without_a_crop_both_sides_become_the_nearest_multiples_of_the_stride) {
  assert_size(preprocess({256, 0}, 0, 16).geometry({640, 480}).input, 336, 256);    // 341
  assert_size(preprocess({256, 0}, 0, 16).geometry({1920, 1080}).input, 448, 256);  // 455
  assert_size(preprocess({256, 0}, 0, 16).geometry({1080, 1920}).input, 256, 448);
  assert_size(preprocess({250, 0}, 0, 32).geometry({100, 100}).input, 256, 256);
  assert_size(preprocess({16, 0}, 0, 32).geometry({100, 100}).input, 32, 32);
}
END_TEST

START_TEST(what_is_not_of_square_pixels_is_resized_as_it_is_shown) {
  // PAL, 4:3 and 16:9, as ITU-R BT.601 has them: 768 and 1024 wide; and one field of 1080 lines.
  const Preprocess p = preprocess({256, 0}, 0, 16);
  assert_size(p.geometry({720, 576}, 16 / 15.0).input, 336, 256);  // 341
  assert_size(p.geometry({720, 576}, 64 / 45.0).input, 448, 256);  // 455
  assert_size(p.geometry({1920, 540}, 0.5).input, 448, 256);
  assert_size(p.geometry({720, 576}).input, 320, 256);
  // A crop is of the picture as it is shown.
  const Rectangle crop = preprocess({256, 256}, 224, 16).geometry({640, 480}, 2).region;
  ck_assert_double_eq_tol(crop.width, 224 / 256.0, 1e-12);
  assert_size(preprocess({256, 0}, 224, 16).geometry({640, 480}, 2).resized, 682, 256);
}
END_TEST

START_TEST(pixels_without_a_shape_are_refused) {
  for (const double aspect : {0.0, -1.0, 65.0, 1e-300, 1e300, std::nan("")})
    assert_refused(ErrorCode::InvalidArgument, {"Pixels"}, "aspect", [&] {
      preprocess({256, 0}, 0, 16).geometry({640, 480}, aspect);
    });
}
END_TEST

START_TEST(the_region_is_where_the_input_lies_in_the_frame) {
  const Rectangle crop = preprocess({256, 256}, 224, 16).geometry({640, 480}).region;
  ck_assert_double_eq_tol(crop.x, 16 / 256.0, 1e-12);
  ck_assert_double_eq_tol(crop.y, 16 / 256.0, 1e-12);
  ck_assert_double_eq_tol(crop.width, 224 / 256.0, 1e-12);
  ck_assert_double_eq_tol(crop.height, 224 / 256.0, 1e-12);
  const Rectangle wide = preprocess({256, 0}, 224, 16).geometry({640, 480}).region;
  ck_assert_double_eq_tol(wide.x, 58 / 341.0, 1e-12);
  ck_assert_double_eq_tol(wide.width, 224 / 341.0, 1e-12);
  const Rectangle whole = preprocess({256, 0}, 0, 16).geometry({640, 480}).region;
  ck_assert_double_eq(whole.x, 0);
  ck_assert_double_eq(whole.y, 0);
  ck_assert_double_eq(whole.width, 1);
  ck_assert_double_eq(whole.height, 1);
}
END_TEST

START_TEST(sizes_that_cannot_be_had_are_refused_with_the_numbers) {
  assert_impossible(preprocess({200, 0}, 224, 16), {640, 480}, {"224x224", "266x200"});
  assert_impossible(preprocess({256, 128}, 224, 16), {640, 480}, {"224x224", "256x128"});
  assert_impossible(preprocess({250, 256}, 0, 16), {640, 480}, {"250x256", "16"});
  assert_impossible(preprocess({256, 0}, 200, 16), {640, 480}, {"200x200", "16"});
  for (const Size frame : {Size{0, 480}, Size{640, 0}, Size{0, 0}, Size{-1, 480}})
    assert_impossible(preprocess({256, 256}, 0, 16), frame, {});
}
END_TEST

// (v / 255 - mean) / deviation of ImageNet: 0.485, 0.456, 0.406 and 0.229, 0.224, 0.225.
START_TEST(bytes_are_normalised_by_imagenets_mean_and_deviation) {
  at::Tensor rgb = at::zeros({1, 1, 3, 3}, at::kByte);  // N x H x W x 3
  rgb[0][0][1] = at::tensor({255, 255, 255}, at::kByte);
  rgb[0][0][2] = at::tensor({0, 128, 51}, at::kByte);
  const at::Tensor expected = at::tensor({-2.11790393, 2.24890830, -2.11790393,  //
                                          -2.03571429, 2.42857143, 0.20518207,   //
                                          -1.80444444, 2.64000000, -0.91555556},
                                         at::kDouble)
                                  .reshape({1, 3, 1, 3});
  const at::Tensor ours = Preprocess::normalise(rgb);
  ck_assert(ours.sizes() == expected.sizes());
  ck_assert_double_le((ours - expected).abs().max().item<double>(), 1e-6);
}
END_TEST

START_TEST(normalising_keeps_images_rows_and_columns_in_place) {
  at::Tensor rgb = at::zeros({2, 4, 5, 3}, at::kByte);
  rgb[1][3][2][0] = 255;
  const at::Tensor ours = Preprocess::normalise(rgb);
  ck_assert((ours.sizes() == at::IntArrayRef{2, 3, 4, 5}));
  ck_assert_double_eq_tol(ours[1][0][3][2].item<double>(), 2.24890830, 1e-6);
  ck_assert_int_eq(ours.gt(2).sum().item<int64_t>(), 1);
}
END_TEST

int main() {
  Suite* suite = suite_create("preprocess");
  TCase* tests = tcase_create("preprocess");
  tcase_add_test(tests, a_frame_is_made_smaller_as_pillow_does_it);
  tcase_add_test(tests, floats_are_not_rounded_as_torchvision_has_them_of_tensors);
  tcase_add_test(tests, a_frame_is_made_larger_as_pillow_does_it);
  tcase_add_test(tests, a_shorter_side_and_a_crop_are_those_of_torchvision);
  tcase_add_test(tests, a_frame_of_the_right_size_is_copied);
  tcase_add_test(tests, padding_behind_the_rows_is_not_seen);
  tcase_add_test(tests, the_order_of_a_pixels_bytes_makes_no_difference);
  tcase_add_test(tests, an_order_of_bytes_that_is_none_is_refused);
  tcase_add_test(tests, the_smallest_and_the_narrowest_frames_are_resized);
  tcase_add_test(tests, resize_and_crop_of_a_wide_frame_are_torchvisions);
  tcase_add_test(tests, resize_and_crop_of_a_tall_frame_are_torchvisions);
  tcase_add_test(tests, a_frame_of_two_equal_sides_stays_square);
  tcase_add_test(tests, width_and_height_are_had_exactly_whatever_the_aspect);
  tcase_add_test(tests, without_a_crop_both_sides_become_the_nearest_multiples_of_the_stride);
  tcase_add_test(tests, the_region_is_where_the_input_lies_in_the_frame);
  tcase_add_test(tests, what_is_not_of_square_pixels_is_resized_as_it_is_shown);
  tcase_add_test(tests, pixels_without_a_shape_are_refused);
  tcase_add_test(tests, sizes_that_cannot_be_had_are_refused_with_the_numbers);
  tcase_add_test(tests, bytes_are_normalised_by_imagenets_mean_and_deviation);
  tcase_add_test(tests, normalising_keeps_images_rows_and_columns_in_place);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
