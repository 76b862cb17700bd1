// SPDX-License-Identifier: LGPL-2.1-or-later
// Greedy k-center in rounds against the plain algorithm, of more rows than a round looks at.

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "greedy_k_center.hpp"
#include "support.hpp"

using namespace patchcore;

namespace {

constexpr int64_t kRows = 3000;

/// The paper's algorithm 1 with every distance, the fp32 sum of the scalar kernels.
std::vector<int64_t> plain_greedy(const at::Tensor& rows, int64_t count, const CoresetSeed& seed) {
  const auto distance = kernels::kernels(kernels::InstructionSet::Scalar).squared_distance;
  const int64_t n = rows.size(0), width = rows.size(1);
  const float* values = rows.const_data_ptr<float>();
  std::vector<float> minimum(n, INFINITY);
  if (seed.minimum.defined())
    for (int64_t i = 0; i < n; ++i) {
      const float start = seed.minimum.const_data_ptr<float>()[i];
      minimum[i] = start * start;
    }
  std::vector<int64_t> chosen;
  while (static_cast<int64_t>(chosen.size()) < count) {
    int64_t next = std::max_element(minimum.begin(), minimum.end()) - minimum.begin();
    if (chosen.empty() && seed.first_row >= 0) next = seed.first_row;
    chosen.push_back(next);
    for (int64_t i = 0; i < n; ++i)
      minimum[i] = std::min(minimum[i], distance(values + i * width, values + next * width, width));
    minimum[next] = -1;
  }
  return chosen;
}

std::vector<int64_t> lazy_greedy(const at::Tensor& rows, int64_t count, const CoresetSeed& seed,
                                 const kernels::Kernels& kernels = kernels::kernels()) {
  const at::Tensor chosen = lazy_greedy_k_center(rows, count, seed, {}, kernels);
  return {chosen.data_ptr<int64_t>(), chosen.data_ptr<int64_t>() + chosen.numel()};
}

void assert_plain(const at::Tensor& rows, int64_t count, const CoresetSeed& seed = {{}, 0}) {
  ck_assert(lazy_greedy(rows, count, seed) == plain_greedy(rows, count, seed));
}

/// Rows with a few wide axes, as features have them.
at::Tensor features(int64_t width, int64_t count = kRows) {
  return (noise("features", {count, width}) / (1 + at::arange(width, at::kDouble) / 4) + 3)
      .to(at::kFloat);
}

/// Whole numbers, of which many are equally far from a centre.
at::Tensor grid(int64_t side) {
  const at::Tensor axis = at::arange(side, at::kFloat);
  const at::Tensor points =
      at::stack({axis.unsqueeze(1).expand({side, side}), axis.expand({side, side})}, 2)
          .reshape({side * side, 2});
  return points.index_select(0, at::arange(side * side) * 7919 % (side * side));
}

}  // namespace

START_TEST(rows_of_any_width_are_chosen_as_by_the_plain_algorithm) {
  for (const int64_t width : {1, 2, 31, 63, 64, 65, 130}) assert_plain(features(width), 400);
}
END_TEST

START_TEST(rows_without_principal_axes_are_chosen_as_by_the_plain_algorithm) {
  assert_plain(float_noise("isotropic", {kRows, 100}), 400);
}
END_TEST

START_TEST(the_start_of_the_mean_of_ten_counts_until_a_centre_is_nearer) {
  const at::Tensor rows = features(70);
  assert_plain(rows, 400, coreset_seed(rows, CoresetStart::MeanOfTen, 7));
  assert_plain(rows, 50, {at::arange(kRows, at::kFloat) / kRows, 11});
}
END_TEST

START_TEST(of_rows_equally_far_the_lower_is_chosen_whether_in_a_round_or_not) {
  assert_plain(grid(60), 2000);
  assert_plain(at::cat({grid(30), grid(31), grid(40)}), 2500);
}
END_TEST

START_TEST(copies_are_chosen_in_order_after_all_that_differ) {
  const at::Tensor distinct = features(9, 1000);
  assert_plain(at::cat({distinct, distinct, distinct}), 1100);
}
END_TEST

START_TEST(rows_that_are_all_equal_are_chosen_in_order) {
  std::vector<int64_t> expected(kRows);
  std::iota(expected.begin(), expected.end(), 0);
  std::rotate(expected.begin(), expected.begin() + 5, expected.begin() + 6);
  ck_assert(lazy_greedy(at::full({kRows, 5}, 3.0F), kRows, {{}, 5}) == expected);
}
END_TEST

START_TEST(values_of_any_size_are_chosen_as_by_the_plain_algorithm) {
  for (const double scale : {1e-30, 1e-20, 1e-15, 1e15, 1e17, 1e18, 1e19, 1e30})
    for (const int64_t width : {20, 70}) assert_plain((features(width) - 3) * scale, 100);
  assert_plain(features(70) + 1000, 100);
}
END_TEST

START_TEST(a_few_rows_far_away_do_not_blur_the_others) {
  at::Tensor rows = features(70);
  rows.slice(0, 0, kRows, 500).mul_(1e6);
  assert_plain(rows, 300);
}
END_TEST

START_TEST(distances_count_where_squares_of_values_overflow) {
  at::Tensor rows = (features(70) - 3) * 1e15;
  rows.slice(0, 1, kRows, 2) += 3e19;
  assert_plain(rows, 100);
}
END_TEST

START_TEST(every_instruction_set_and_number_of_threads_chooses_the_same) {
  const at::Tensor rows = features(77);
  const auto expected = plain_greedy(rows, 300, {{}, 3});
  const int before = at::get_num_threads();
  using enum kernels::InstructionSet;
  for (const auto set : {Scalar, Avx2, Avx512, Avx512Bf16, Amx})
    for (const int threads : {1, 2, 5}) {
      if (!kernels::is_available(set)) continue;
      at::set_num_threads(threads);
      ck_assert(lazy_greedy(rows, 300, {{}, 3}, kernels::kernels(set)) == expected);
    }
  at::set_num_threads(before);
}
END_TEST

START_TEST(no_rows_have_no_centres) {
  ck_assert(lazy_greedy(at::empty({0, 8}), 5, {}).empty());
  ck_assert(lazy_greedy(features(8), 0, {}).empty());
}
END_TEST

int main() {
  Suite* suite = suite_create("greedy_k_center");
  TCase* tests = tcase_create("greedy_k_center");
  tcase_set_timeout(tests, 60);
  tcase_add_test(tests, rows_of_any_width_are_chosen_as_by_the_plain_algorithm);
  tcase_add_test(tests, rows_without_principal_axes_are_chosen_as_by_the_plain_algorithm);
  tcase_add_test(tests, the_start_of_the_mean_of_ten_counts_until_a_centre_is_nearer);
  tcase_add_test(tests, of_rows_equally_far_the_lower_is_chosen_whether_in_a_round_or_not);
  tcase_add_test(tests, copies_are_chosen_in_order_after_all_that_differ);
  tcase_add_test(tests, rows_that_are_all_equal_are_chosen_in_order);
  tcase_add_test(tests, values_of_any_size_are_chosen_as_by_the_plain_algorithm);
  tcase_add_test(tests, a_few_rows_far_away_do_not_blur_the_others);
  tcase_add_test(tests, distances_count_where_squares_of_values_overflow);
  tcase_add_test(tests, every_instruction_set_and_number_of_threads_chooses_the_same);
  tcase_add_test(tests, no_rows_have_no_centres);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
