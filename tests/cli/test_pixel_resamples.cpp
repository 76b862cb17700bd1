// SPDX-License-Identifier: LGPL-2.1-or-later
// Expected values: the binomial distribution, or by hand.
#include <vector>

#include "../check_main.hpp"
#include "pixel_resamples.hpp"

using namespace patchcore::cli;

namespace {

/// An image with as many good pixels of value 0 and defective ones of value 1 and -1 (which counts
/// as 0, a tie with the good ones).
CoarsePixels image(int good, int found, int tied) {
  CoarsePixels pixels;
  for (int i = 0; i < good; ++i) pixels.add_good(0);
  for (int i = 0; i < found; ++i) pixels.add_defective(1, 1);
  for (int i = 0; i < tied; ++i) pixels.add_defective(-1, 1);
  return pixels;
}

PixelResamples group(const std::vector<CoarsePixels>& images, const BootstrapOptions& options,
                     uint32_t number) {
  PixelResamples resamples(images.size(), options, number);
  for (const CoarsePixels& one : images) resamples.add(one);
  return resamples;
}

PixelResamples one_good(const BootstrapOptions& options) {
  PixelResamples resamples(1, options, 0);
  resamples.add(image(9, 0, 0));
  return resamples;
}

/// 25 images whose defect is found and 25 whose defect ties with the good pixels.
std::vector<CoarsePixels> half_found() {
  std::vector<CoarsePixels> images;
  for (int i = 0; i < 50; ++i) images.push_back(image(0, i % 2, 1 - i % 2));
  return images;
}

START_TEST(intervals_are_those_of_the_binomial_distribution_where_it_is_one) {
  // k of 50 defects found: the AUROC is (k + (50 - k) / 2) / 50, k of Binomial(50, 1/2) has the
  // quantiles 18 and 32.
  const BootstrapOptions options{10000, 1};
  const auto intervals =
      PixelResamples::intervals(one_good(options), group(half_found(), options, 1));
  ck_assert_double_eq_tol(intervals.auroc->low, (18 + 32 / 2.0) / 50, 1e-12);
  ck_assert_double_eq_tol(intervals.auroc->high, (32 + 18 / 2.0) / 50, 1e-12);
}
END_TEST

START_TEST(the_order_of_images_does_not_matter_to_their_chance) {
  // All that is found first, then all that is not: as above.
  std::vector<CoarsePixels> images;
  for (int i = 0; i < 50; ++i) images.push_back(image(0, i < 25, i >= 25));
  const BootstrapOptions options{10000, 2};
  const auto intervals = PixelResamples::intervals(one_good(options), group(images, options, 1));
  ck_assert_double_eq_tol(intervals.auroc->low, (18 + 32 / 2.0) / 50, 1e-12);
  ck_assert_double_eq_tol(intervals.auroc->high, (32 + 18 / 2.0) / 50, 1e-12);
}
END_TEST

START_TEST(a_resample_has_as_many_images_as_there_are) {
  // Each image has one good and one defective pixel, apart: whatever is drawn, 50 are, and the
  // pixels of a group that is alike are measured alike.
  std::vector<CoarsePixels> images;
  for (int i = 0; i < 7; ++i) images.push_back(image(1, 1, 1));
  const BootstrapOptions options{200, 3};
  const auto intervals =
      PixelResamples::intervals(PixelResamples(options), group(images, options, 1));
  ck_assert_double_eq_tol(intervals.auroc->low, 0.75, 1e-12);
  ck_assert_double_eq_tol(intervals.auroc->high, 0.75, 1e-12);
}
END_TEST

START_TEST(groups_are_drawn_apart) {
  // Were both drawn alike, each resample would find as many as it misses.
  std::vector<CoarsePixels> found, tied;
  for (int i = 0; i < 30; ++i) {
    found.push_back(image(0, i % 2, 0));
    tied.push_back(image(0, 0, i % 2));
  }
  const BootstrapOptions options{500, 4};
  PixelResamples defective(options);
  defective.add(group(found, options, 1));
  defective.add(group(tied, options, 2));
  const auto interval = PixelResamples::intervals(one_good(options), defective);
  ck_assert_double_gt(interval.auroc->high - interval.auroc->low, 0.05);
}
END_TEST

START_TEST(the_same_seed_draws_the_same) {
  const auto high = [](uint64_t seed) {
    const BootstrapOptions options{30, seed};
    return PixelResamples::intervals(one_good(options), group(half_found(), options, 1))
        .aupro->high;
  };
  ck_assert_double_eq(high(1), high(1));
  ck_assert_double_ne(high(1), high(uint64_t{1} << 32));
}
END_TEST

START_TEST(without_resamples_there_is_no_interval) {
  const BootstrapOptions none{0, 0};
  const auto intervals = PixelResamples::intervals(one_good(none), group(half_found(), none, 1));
  ck_assert(!intervals.auroc && !intervals.aupro);
}
END_TEST

Suite* suite() {
  Suite* suite = suite_create("pixel-resamples");
  TCase* all = tcase_create("pixel-resamples");
  for (const TTest* test : {intervals_are_those_of_the_binomial_distribution_where_it_is_one,
                            the_order_of_images_does_not_matter_to_their_chance,
                            a_resample_has_as_many_images_as_there_are, groups_are_drawn_apart,
                            the_same_seed_draws_the_same, without_resamples_there_is_no_interval})
    tcase_add_test(all, test);
  suite_add_tcase(suite, all);
  return suite;
}

}  // namespace

int main() { return run_suite(suite()); }
