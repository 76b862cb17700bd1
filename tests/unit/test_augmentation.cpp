// SPDX-License-Identifier: LGPL-2.1-or-later
// What a fit also learns of each frame. Expected pictures are made by plain loops.

#include <algorithm>

#include "augmentation.hpp"
#include "station.hpp"

using namespace station;

namespace {

constexpr int kWidth = 100, kHeight = 50;

/// No two pixels of a row or column are the same.
Picture ramp() {
  Picture rgb;
  for (int y = 0; y < kHeight; ++y)
    for (int x = 0; x < kWidth; ++x)
      for (const int value : {x, y, 2 * x}) rgb.push_back(static_cast<uint8_t>(value));
  return rgb;
}

Picture copy_of(const Picture& rgb, Augmentation kind, uint64_t seed = 0, int64_t frame = 0) {
  Picture out(rgb.size());
  augment(kind, rgb.data(), {kWidth, kHeight}, seed, frame, out.data());
  return out;
}

const uint8_t* pixel(const Picture& rgb, int x, int y) {
  return &rgb[3 * (static_cast<size_t>(y) * kWidth + static_cast<size_t>(x))];
}

/// to(x, y) is from(at(x, y)) everywhere.
void assert_moved(const Picture& from, const Picture& to, auto at) {
  for (int y = 0; y < kHeight; ++y)
    for (int x = 0; x < kWidth; ++x) {
      const auto [sx, sy] = at(x, y);
      ck_assert_msg(std::equal(pixel(to, x, y), pixel(to, x, y) + 3, pixel(from, sx, sy)), "%d, %d",
                    x, y);
    }
}

Settings augmented(std::vector<Augmentation> kinds) {
  Settings s = settings();
  s.augmentation = std::move(kinds);
  return s;
}

/// Every patch that a fit learnt.
at::Tensor learnt(const Settings& s) {
  Fit fit(builtin(), s, {.coreset_ratio = 1, .folds = 0});
  add_normal(fit, 3);
  return fit.build().rows;
}

at::Tensor sorted(const at::Tensor& rows) { return std::get<0>(rows.sum(1).sort()); }

}  // namespace

START_TEST(flips_are_mirrored) {
  const Picture from = ramp();
  assert_moved(from, copy_of(from, Augmentation::FlipX),
               [](int x, int y) { return std::pair(kWidth - 1 - x, y); });
  assert_moved(from, copy_of(from, Augmentation::FlipY),
               [](int x, int y) { return std::pair(x, kHeight - 1 - y); });
}
END_TEST

START_TEST(shifts_are_small_differ_from_frame_to_frame_and_repeat_the_border) {
  const Picture from = ramp();
  std::vector<std::pair<int, int>> moves;
  for (int64_t frame = 0; frame < 40; ++frame) {
    const Picture to = copy_of(from, Augmentation::Shift, 7, frame);
    // Where the middle came from; the border is checked against that.
    const int dx = 50 - pixel(to, 50, 25)[0], dy = 25 - pixel(to, 50, 25)[1];
    ck_assert_int_le(std::abs(dx), 4);
    ck_assert_int_le(std::abs(dy), 2);
    assert_moved(from, to, [&](int x, int y) {
      return std::pair(std::clamp(x - dx, 0, kWidth - 1), std::clamp(y - dy, 0, kHeight - 1));
    });
    moves.emplace_back(dx, dy);
  }
  std::sort(moves.begin(), moves.end());
  ck_assert_int_ge(std::unique(moves.begin(), moves.end()) - moves.begin(), 10);
  const auto across = std::minmax_element(moves.begin(), moves.end());
  ck_assert_int_lt(across.first->first, 0);
  ck_assert_int_gt(across.second->first, 0);
}
END_TEST

START_TEST(brightness_is_a_factor_of_up_to_a_fifth) {
  const Picture grey(ramp().size(), 100);
  int darkest = 255, brightest = 0;
  for (int64_t frame = 0; frame < 60; ++frame) {
    const Picture to = copy_of(grey, Augmentation::Brightness, 0, frame);
    ck_assert(std::all_of(to.begin(), to.end(), [&](uint8_t v) { return v == to[0]; }));
    darkest = std::min<int>(darkest, to[0]);
    brightest = std::max<int>(brightest, to[0]);
  }
  ck_assert_int_ge(darkest, 80);
  ck_assert_int_lt(darkest, 90);
  ck_assert_int_le(brightest, 120);
  ck_assert_int_gt(brightest, 110);
  const Picture white(ramp().size(), 255);
  for (int64_t frame = 0; frame < 20; ++frame)  // clipped, not wrapped
    ck_assert_int_ge(copy_of(white, Augmentation::Brightness, 0, frame)[0], 204);
}
END_TEST

START_TEST(the_same_seed_and_frame_make_the_same_copy) {
  const Picture from = ramp();
  for (const auto kind : {Augmentation::Shift, Augmentation::Brightness}) {
    ck_assert(copy_of(from, kind, 3, 5) == copy_of(from, kind, 3, 5));
    ck_assert(copy_of(from, kind, 3, 5) != copy_of(from, kind, 4, 5));
  }
}
END_TEST

START_TEST(a_fit_learns_the_copies_besides_the_frames) {
  const at::Tensor plain = learnt(settings());
  const at::Tensor with = learnt(augmented({Augmentation::FlipX, Augmentation::Brightness}));
  ck_assert_int_eq(with.size(0), 3 * plain.size(0));
  // What is learnt twice over is there as often.
  Fit by_hand(builtin(), settings(), {.coreset_ratio = 1, .folds = 0});
  for (int i = 0; i < 3; ++i) {
    const Picture frame = normal(i);
    infer_one(frame, nullptr, &by_hand, nullptr);
    for (const auto kind : {Augmentation::FlipX, Augmentation::Brightness}) {
      Picture copy(frame.size());
      augment(kind, frame.data(), kInput, 0, i, copy.data());
      infer_one(copy, nullptr, &by_hand, nullptr);
    }
  }
  ck_assert_double_le(relative_error(sorted(with), sorted(by_hand.build().rows)), 1e-5);
}
END_TEST

START_TEST(frames_of_one_batch_have_the_copies_that_they_have_alone) {
  const Settings s = augmented({Augmentation::Shift});
  Fit fit(builtin(), s, {.coreset_ratio = 1, .folds = 0});
  std::vector<Picture> pictures{normal(0), normal(1), normal(2)};
  std::vector<Request> requests(3);
  for (size_t i = 0; i < 3; ++i) requests[i] = {pictures[i].data(), nullptr, &fit, {}};
  infer(*builtin(), kInput, requests);
  ck_assert_double_le(relative_error(sorted(fit.build().rows), sorted(learnt(s))), 1e-5);
}
END_TEST

START_TEST(the_threshold_is_found_with_frames_alone_and_counts_them_alone) {
  Fit fit(builtin(), augmented({Augmentation::FlipX, Augmentation::FlipY}), {});
  add_normal(fit);
  const MemoryBank bank = fit.build();
  ck_assert_int_eq(bank.frames, kFrames);
  ck_assert_uint_eq(bank.calibration.scores.size(), kFrames);
  const MemoryBank plain = built();
  // Rows are a share of all that was learnt.
  ck_assert_int_eq(bank.size(), 3 * kFrames * (kInput.width / 8) * (kInput.height / 8) / 10);
  ck_assert_int_gt(bank.size(), plain.size());
}
END_TEST

int main() {
  Suite* suite = suite_create("augmentation");
  TCase* copies = tcase_create("copies");
  tcase_add_test(copies, flips_are_mirrored);
  tcase_add_test(copies, shifts_are_small_differ_from_frame_to_frame_and_repeat_the_border);
  tcase_add_test(copies, brightness_is_a_factor_of_up_to_a_fifth);
  tcase_add_test(copies, the_same_seed_and_frame_make_the_same_copy);
  suite_add_tcase(suite, copies);
  TCase* fits = tcase_create("fits");
  tcase_set_timeout(fits, 60);
  tcase_add_test(fits, a_fit_learns_the_copies_besides_the_frames);
  tcase_add_test(fits, frames_of_one_batch_have_the_copies_that_they_have_alone);
  tcase_add_test(fits, the_threshold_is_found_with_frames_alone_and_counts_them_alone);
  suite_add_tcase(suite, fits);
  return run_suite(suite);
}
