// SPDX-License-Identifier: LGPL-2.1-or-later
// Expected values: numpy.percentile, the binomial distribution, or by hand.
#include <vector>

#include "../check_main.hpp"
#include "bootstrap.hpp"

using namespace patchcore::cli;

namespace {

constexpr double kTolerance = 1e-12;

const std::vector<double> kGood{1, 2, 3, 4, 5, 6, 7, 8};
const std::vector<double> kDefective{4, 5, 6, 7, 8, 9, 10, 11};

ImageIntervals with(const BootstrapOptions& options) {
  return bootstrap(kGood, kDefective, 6.5, options);
}

START_TEST(quantiles_are_interpolated_as_numpy_does) {
  const std::vector<double> values{1, 2, 4, 8, 16};
  ck_assert_double_eq_tol(quantile(values, 0.025), 1.1, kTolerance);
  ck_assert_double_eq_tol(quantile(values, 0.5), 4, kTolerance);
  ck_assert_double_eq_tol(quantile(values, 0.975), 15.2, kTolerance);
  ck_assert_double_eq(quantile(std::vector<double>{7}, 0.975), 7);
}
END_TEST

START_TEST(the_interval_is_that_of_the_binomial_distribution_where_it_is_one) {
  // One good image between 25 + 25 defective ones: the AUROC of a resample is k / 50 with k of
  // Binomial(50, 1/2), whose 2.5 % and 97.5 % quantiles are 18 and 32.
  std::vector<double> defective(25, 1.0);
  defective.insert(defective.end(), 25, -1.0);
  const auto interval = bootstrap(std::vector<double>{0}, defective, {}, {20000, 3}).auroc;
  ck_assert_double_eq_tol(interval->low, 18 / 50.0, kTolerance);
  ck_assert_double_eq_tol(interval->high, 32 / 50.0, kTolerance);
}
END_TEST

START_TEST(good_images_are_drawn_too) {
  const auto interval = bootstrap(kGood, std::vector<double>{4.5}, {}, {}).auroc;
  ck_assert_double_lt(interval->low, 0.5);
  ck_assert_double_gt(interval->high, 0.5);
}
END_TEST

START_TEST(intervals_surround_the_metrics) {
  const ImageMetrics metrics = image_metrics(score_levels(kGood, kDefective), 6.5);
  const ImageIntervals intervals = with({});
  const auto assert_inside = [](const std::optional<double>& value,
                                const std::optional<Interval>& interval) {
    ck_assert_double_le(interval->low, *value);
    ck_assert_double_ge(interval->high, *value);
    ck_assert_double_lt(interval->low, interval->high);
  };
  assert_inside(metrics.auroc, intervals.auroc);
  assert_inside(metrics.average_precision, intervals.average_precision);
  assert_inside(metrics.best_f1, intervals.best_f1);
  assert_inside(metrics.calibrated_f1, intervals.calibrated_f1);
}
END_TEST

START_TEST(the_same_seed_gives_the_same_interval) {
  const Interval first = *with({500, 7}).average_precision;
  const Interval second = *with({500, 7}).average_precision;
  const Interval other = *with({500, 8}).average_precision;
  ck_assert_double_eq(first.low, second.low);
  ck_assert_double_eq(first.high, second.high);
  ck_assert(first.low != other.low || first.high != other.high);
}
END_TEST

START_TEST(separated_images_stay_separated) {
  const auto interval =
      bootstrap(std::vector<double>{1, 2, 3}, std::vector<double>{4, 5}, {}, {}).auroc;
  ck_assert_double_eq(interval->low, 1);
  ck_assert_double_eq(interval->high, 1);
}
END_TEST

START_TEST(no_interval_without_resamples) { ck_assert(!with({0, 0}).auroc); }
END_TEST

START_TEST(no_interval_of_a_metric_that_is_not_there) {
  ck_assert(!bootstrap({}, kDefective, 6.5, {}).auroc);
  ck_assert(!bootstrap(kGood, {}, 6.5, {}).auroc);
  ck_assert(!bootstrap(kGood, kDefective, {}, {}).calibrated_f1);
}
END_TEST

Suite* suite() {
  Suite* suite = suite_create("bootstrap");
  TCase* all = tcase_create("bootstrap");
  for (const TTest* test :
       {quantiles_are_interpolated_as_numpy_does,
        the_interval_is_that_of_the_binomial_distribution_where_it_is_one,
        good_images_are_drawn_too, intervals_surround_the_metrics,
        the_same_seed_gives_the_same_interval, separated_images_stay_separated,
        no_interval_without_resamples, no_interval_of_a_metric_that_is_not_there})
    tcase_add_test(all, test);
  suite_add_tcase(suite, all);
  return suite;
}

}  // namespace

int main() { return run_suite(suite()); }
