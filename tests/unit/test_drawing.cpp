// SPDX-License-Identifier: LGPL-2.1-or-later
// Colour maps against what their makers publish: turbo at research.google (Mikhailov 2019,
// turbo_srgb_bytes), inferno and viridis in matplotlib's _cm_listed.py; and text.

#include "drawing.hpp"
#include "support.hpp"

using namespace patchcore;

namespace {

void assert_colour(const Colour& ours, int red, int green, int blue) {
  ck_assert_int_le(std::abs(ours.red - red), 1);
  ck_assert_int_le(std::abs(ours.green - green), 1);
  ck_assert_int_le(std::abs(ours.blue - blue), 1);
}

long ink(const TextMask& mask) {
  return std::count_if(mask.pixels.begin(), mask.pixels.end(),
                       [](uint8_t value) { return value > 127; });
}

}  // namespace

START_TEST(the_ends_of_the_colour_maps_are_those_that_are_published) {
  assert_colour(colormap("turbo")[0], 48, 18, 59);
  assert_colour(colormap("turbo")[255], 122, 4, 3);
  assert_colour(colormap("inferno")[0], 0, 0, 4);
  assert_colour(colormap("inferno")[255], 252, 255, 164);
  assert_colour(colormap("viridis")[0], 68, 1, 84);
  assert_colour(colormap("viridis")[255], 253, 231, 37);
  assert_colour(colormap("jet")[0], 0, 0, 128);
  assert_colour(colormap("jet")[255], 128, 0, 0);
  for (const int i : {0, 100, 255}) assert_colour(colormap("grey")[i], i, i, i);
}
END_TEST

START_TEST(the_middle_of_viridis_and_inferno_is_that_of_matplotlib) {
  assert_colour(colormap("viridis")[128], 33, 145, 140);
  assert_colour(colormap("inferno")[128], 188, 55, 84);
}
END_TEST

START_TEST(an_unknown_colour_map_is_refused_with_those_that_there_are) {
  assert_refused(ErrorCode::InvalidArgument, {"plaid", "turbo", "grey"}, "plaid",
                 [] { colormap("plaid"); });
}
END_TEST

START_TEST(capital_letters_are_as_high_as_asked_for) {
  for (const unsigned height : {8, 20, 64}) {
    const TextMask mask = text_mask("H", height);
    ck_assert_uint_eq(mask.pixels.size(), static_cast<size_t>(mask.size.width) * mask.size.height);
    int first = mask.size.height, last = 0;
    for (int y = 0; y < mask.size.height; ++y)
      for (int x = 0; x < mask.size.width; ++x)
        if (mask.pixels[static_cast<size_t>(y) * mask.size.width + x] > 127) {
          first = std::min(first, y);
          last = std::max(last, y);
        }
    ck_assert_int_le(std::abs(last - first + 1 - static_cast<int>(height)),
                     1 + static_cast<int>(height) / 8);
  }
}
END_TEST

START_TEST(texts_differ_in_width_and_shape) {
  ck_assert_int_gt(text_mask("0.97", 20).size.width, text_mask("0.9", 20).size.width);
  ck_assert(text_mask("0.97", 20).pixels != text_mask("0.96", 20).pixels);
  ck_assert_int_eq(ink(text_mask("", 20)), 0);
  ck_assert_int_eq(ink(text_mask("   ", 20)), 0);
  ck_assert_int_gt(ink(text_mask("1", 20)), 20);
}
END_TEST

START_TEST(text_of_no_size_or_without_end_is_refused) {
  for (const unsigned height : {0u, 3u, 1001u, 4000000000u})
    assert_refused(ErrorCode::InvalidArgument, {"1000"}, "height", [&] { text_mask("x", height); });
  assert_refused(ErrorCode::InvalidArgument, {"200"}, "length",
                 [] { text_mask(std::string(201, 'x'), 20); });
}
END_TEST

int main() {
  Suite* suite = suite_create("drawing");
  TCase* tests = tcase_create("drawing");
  tcase_add_test(tests, the_ends_of_the_colour_maps_are_those_that_are_published);
  tcase_add_test(tests, the_middle_of_viridis_and_inferno_is_that_of_matplotlib);
  tcase_add_test(tests, an_unknown_colour_map_is_refused_with_those_that_there_are);
  tcase_add_test(tests, capital_letters_are_as_high_as_asked_for);
  tcase_add_test(tests, texts_differ_in_width_and_shape);
  tcase_add_test(tests, text_of_no_size_or_without_end_is_refused);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
