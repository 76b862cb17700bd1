// SPDX-License-Identifier: LGPL-2.1-or-later
// Greedy k-center against a plain fp64 implementation, its starts, and the projections.

#include <cmath>
#include <set>

#include "coreset.hpp"
#include "support.hpp"

using namespace patchcore;

namespace {

/// Rows with a few wide axes, as features have them.
at::Tensor rows_of(int64_t count, int64_t width) {
  return (noise("rows", {count, width}) / (1 + at::arange(width, at::kDouble) / 4) + 3)
      .to(at::kFloat);
}

/// The paper's algorithm 1 as it stands there: minimum starts at `minimum` or at infinity.
std::vector<int64_t> naive_greedy(const at::Tensor& rows, int64_t count, const CoresetSeed& seed) {
  const at::Tensor points = rows.to(at::kDouble);
  at::Tensor minimum = seed.minimum.defined() ? seed.minimum.to(at::kDouble)
                                              : at::full({rows.size(0)}, INFINITY, at::kDouble);
  std::vector<int64_t> chosen;
  for (int64_t i = 0; i < count; ++i) {
    int64_t next = 0;
    for (int64_t row = 1; row < rows.size(0); ++row)
      if (minimum[row].item<double>() > minimum[next].item<double>()) next = row;
    if (i == 0 && seed.first_row >= 0) next = seed.first_row;
    chosen.push_back(next);
    minimum = at::minimum(minimum, (points - points[next]).square().sum(1).sqrt());
    minimum[next] = -1;
  }
  return chosen;
}

std::vector<int64_t> list(const at::Tensor& indices) {
  return {indices.data_ptr<int64_t>(), indices.data_ptr<int64_t>() + indices.numel()};
}

std::vector<int64_t> greedy(const at::Tensor& rows, int64_t count, const CoresetSeed& seed) {
  return list(greedy_k_center(rows, count, seed));
}

void assert_naive(const at::Tensor& rows, int64_t count, const CoresetSeed& seed) {
  ck_assert(greedy(rows, count, seed) == naive_greedy(rows, count, seed));
}

constexpr CoresetStart kStarts[] = {CoresetStart::MeanOfTen, CoresetStart::RandomPoint,
                                    CoresetStart::FirstPoint};

}  // namespace

START_TEST(the_choice_is_that_of_the_plain_algorithm_from_every_start) {
  const at::Tensor rows = rows_of(400, 64);
  for (const CoresetStart start : kStarts) assert_naive(rows, 120, coreset_seed(rows, start, 7));
}
END_TEST

START_TEST(rows_of_any_width_are_thinned_as_the_plain_algorithm_does_it) {
  for (const int64_t width : {1, 2, 31, 32, 33, 200})
    assert_naive(rows_of(150, width), 40, {{}, 0});
}
END_TEST

START_TEST(points_far_from_the_origin_are_told_apart) {
  const at::Tensor rows = rows_of(200, 16) + 1000;
  assert_naive(rows, 50, {{}, 3});
}
END_TEST

START_TEST(ties_go_to_the_lower_row) {
  const at::Tensor line = at::arange(0, 9, at::kFloat).unsqueeze(1);
  const std::vector<int64_t> expected{0, 8, 4, 2, 6, 1, 3, 5, 7};
  ck_assert(greedy(line, 9, {{}, 0}) == expected);
}
END_TEST

START_TEST(copies_are_chosen_only_when_nothing_else_is_left) {
  const at::Tensor distinct = rows_of(50, 37);
  const auto chosen = greedy(at::cat({distinct, distinct, distinct}), 60, {{}, 0});
  std::set<int64_t> points;
  for (int i = 0; i < 50; ++i) points.insert(chosen[i] % 50);
  ck_assert_uint_eq(points.size(), 50);
  ck_assert_uint_eq(std::set(chosen.begin(), chosen.end()).size(), 60);
}
END_TEST

START_TEST(rows_that_are_all_the_same_are_each_chosen_once) {
  const auto chosen = greedy(at::full({20, 5}, 3.0f), 20, {{}, 4});
  ck_assert_int_eq(chosen.front(), 4);
  ck_assert_uint_eq(std::set(chosen.begin(), chosen.end()).size(), 20);
}
END_TEST

START_TEST(more_centres_than_rows_are_all_rows) {
  const at::Tensor rows = rows_of(30, 8);
  for (const CoresetStart start : kStarts) {
    const auto chosen = greedy(rows, 100, coreset_seed(rows, start, 1));
    ck_assert_uint_eq(chosen.size(), 30);
    ck_assert_uint_eq(std::set(chosen.begin(), chosen.end()).size(), 30);
  }
}
END_TEST

START_TEST(one_row_is_its_own_coreset) {
  const at::Tensor row = rows_of(1, 8);
  for (const CoresetStart start : kStarts)
    ck_assert(greedy(row, 1, coreset_seed(row, start, 1)) == std::vector<int64_t>{0});
}
END_TEST

START_TEST(a_longer_choice_begins_with_the_shorter) {
  const at::Tensor rows = rows_of(100, 16);
  auto longer = greedy(rows, 40, {{}, 0});
  longer.resize(10);
  ck_assert(longer == greedy(rows, 10, {{}, 0}));
}
END_TEST

START_TEST(the_first_point_is_row_0_and_the_random_one_any) {
  const at::Tensor rows = rows_of(4, 3);
  ck_assert_int_eq(coreset_seed(rows, CoresetStart::FirstPoint, 9).first_row, 0);
  std::set<int64_t> firsts;
  for (uint64_t seed = 0; seed < 64; ++seed)
    firsts.insert(coreset_seed(rows, CoresetStart::RandomPoint, seed).first_row);
  ck_assert((firsts == std::set<int64_t>{0, 1, 2, 3}));
}
END_TEST

START_TEST(the_mean_start_is_the_mean_distance_to_ten_different_rows) {
  for (const int64_t count : {1, 4, 10}) {  // few enough that the ten are all of them
    const at::Tensor rows = rows_of(count, 6);
    const CoresetSeed seed = coreset_seed(rows, CoresetStart::MeanOfTen, 3);
    const at::Tensor p = rows.to(at::kDouble);
    const at::Tensor mean = (p.unsqueeze(0) - p.unsqueeze(1)).square().sum(2).sqrt().mean(0);
    ck_assert_int_eq(seed.first_row, -1);
    ck_assert_double_le((seed.minimum - mean).abs().max().item<double>(), 1e-6);
  }
}
END_TEST

START_TEST(of_many_rows_ten_are_taken_for_the_mean) {
  // Unit vectors: the mean distance is 0.9 sqrt 2 to a row of the ten, and sqrt 2 to the others.
  const at::Tensor rows = at::eye(40);
  const at::Tensor minimum = coreset_seed(rows, CoresetStart::MeanOfTen, 3).minimum;
  ck_assert_int_eq(((minimum - 0.9 * std::sqrt(2)).abs() < 1e-6).sum().item<int64_t>(), 10);
  ck_assert_int_eq(((minimum - std::sqrt(2)).abs() < 1e-6).sum().item<int64_t>(), 30);
}
END_TEST

START_TEST(a_seed_gives_the_same_choice_twice_and_another_seed_another) {
  const at::Tensor rows = rows_of(300, 200);
  for (const Projection projection :
       {Projection::Dense128, Projection::SparseJohnsonLindenstrauss}) {
    for (const CoresetStart start : {CoresetStart::MeanOfTen, CoresetStart::RandomPoint}) {
      const auto choice = [&](uint64_t seed) {
        const at::Tensor projected = project(rows, projection, seed);
        return greedy(projected, 20, coreset_seed(projected, start, seed));
      };
      ck_assert(choice(5) == choice(5));
      ck_assert(choice(5) != choice(6));
    }
  }
}
END_TEST

START_TEST(the_dense_projection_is_128_wide_unless_the_rows_are) {
  const at::Tensor same = rows_of(10, 128);
  ck_assert(project(same, Projection::Dense128, 0).is_same(same));
  for (const int64_t width : {64, 127, 129, 1024})
    ck_assert_int_eq(project(rows_of(10, width), Projection::Dense128, 0).size(1), 128);
}
END_TEST

START_TEST(the_sparse_projection_is_as_wide_as_johnson_and_lindenstrauss_say) {
  // floor(4 ln N / 0.162); scikit-learn's johnson_lindenstrauss_min_dim(N, eps=0.9).
  const std::vector<std::pair<int64_t, int64_t>> widths{
      {2, 17}, {10, 56}, {100, 113}, {1000, 170}, {5000, 210}};
  for (const auto& [count, width] : widths) {
    const at::Tensor wider = float_noise("wide", {count, width + 1});
    ck_assert_int_eq(project(wider, Projection::SparseJohnsonLindenstrauss, 0).size(1), width);
    const at::Tensor narrow = wider.slice(1, 0, width);
    ck_assert(project(narrow, Projection::SparseJohnsonLindenstrauss, 0).is_same(narrow));
  }
  const at::Tensor one = rows_of(1, 500);
  ck_assert(project(one, Projection::SparseJohnsonLindenstrauss, 0).is_same(one));
}
END_TEST

START_TEST(dense_entries_are_uniform_within_one_by_the_root_of_the_width) {
  const at::Tensor matrix = project(at::eye(400), Projection::Dense128, 1);
  const double bound = 1 / std::sqrt(400.0);
  ck_assert_double_le(matrix.abs().max().item<double>(), bound * (1 + 1e-6));
  ck_assert_double_ge(matrix.abs().max().item<double>(), bound * 0.99);
  ck_assert_double_eq_tol(matrix.mean().item<double>() / bound, 0, 0.02);
  ck_assert_double_eq_tol(matrix.square().mean().item<double>() / (bound * bound), 1 / 3.0, 0.02);
}
END_TEST

START_TEST(sparse_entries_are_of_one_size_at_the_density_of_li_et_al) {
  const at::Tensor matrix = project(at::eye(400), Projection::SparseJohnsonLindenstrauss, 1);
  const auto width = matrix.size(1);
  const double value = std::sqrt(std::sqrt(400.0) / static_cast<double>(width));
  const double share = 1 / static_cast<double>(matrix.numel());
  const at::Tensor others = matrix.masked_select(matrix.ne(0));
  ck_assert_double_le((others.abs() - value).abs().max().item<double>(), 1e-6);
  ck_assert_double_eq_tol(static_cast<double>(others.numel()) * share, 1 / 20.0, 0.004);
  ck_assert_double_eq_tol(others.gt(0).to(at::kDouble).mean().item<double>(), 0.5, 0.05);
}
END_TEST

START_TEST(the_covering_radius_is_the_largest_distance_to_the_nearest_centre) {
  const at::Tensor rows = rows_of(3000, 10);
  const at::Tensor centres = rows.slice(0, 0, 3000, 100);
  const at::Tensor r = rows.to(at::kDouble);
  at::Tensor nearest = at::full({3000}, INFINITY, at::kDouble);
  for (int64_t c = 0; c < 3000; c += 100)
    nearest = at::minimum(nearest, (r - r[c]).square().sum(1).sqrt());
  const double expected = nearest.max().item<double>();
  ck_assert_double_eq_tol(covering_radius(rows, centres), expected, 1e-12 * expected);
  ck_assert_double_eq(covering_radius(rows, rows), 0);
}
END_TEST

START_TEST(a_cancelled_choice_ends_at_once) {
  int looks = 0;
  double last = 0;
  const Monitor monitor{[&](double fraction) { last = fraction; }, [&] { return ++looks == 10; }};
  assert_refused(ErrorCode::Cancelled, {}, "cancelled", [&] {
    greedy_k_center(rows_of(200, 8), 100, {{}, 0}, monitor);
  });
  ck_assert_int_eq(looks, 10);
  ck_assert_double_lt(last, 0.11);
}
END_TEST

START_TEST(progress_rises_to_one) {
  double last = 0;
  const Monitor monitor{[&](double fraction) {
                          ck_assert_double_ge(fraction, last);
                          last = fraction;
                        },
                        {}};
  greedy_k_center(rows_of(100, 8), 50, {{}, 0}, monitor);
  ck_assert_double_eq(last, 1);
}
END_TEST

int main() {
  Suite* suite = suite_create("coreset");
  TCase* tests = tcase_create("coreset");
  tcase_set_timeout(tests, 30);
  tcase_add_test(tests, the_choice_is_that_of_the_plain_algorithm_from_every_start);
  tcase_add_test(tests, rows_of_any_width_are_thinned_as_the_plain_algorithm_does_it);
  tcase_add_test(tests, points_far_from_the_origin_are_told_apart);
  tcase_add_test(tests, ties_go_to_the_lower_row);
  tcase_add_test(tests, copies_are_chosen_only_when_nothing_else_is_left);
  tcase_add_test(tests, rows_that_are_all_the_same_are_each_chosen_once);
  tcase_add_test(tests, more_centres_than_rows_are_all_rows);
  tcase_add_test(tests, one_row_is_its_own_coreset);
  tcase_add_test(tests, a_longer_choice_begins_with_the_shorter);
  tcase_add_test(tests, the_first_point_is_row_0_and_the_random_one_any);
  tcase_add_test(tests, the_mean_start_is_the_mean_distance_to_ten_different_rows);
  tcase_add_test(tests, of_many_rows_ten_are_taken_for_the_mean);
  tcase_add_test(tests, a_seed_gives_the_same_choice_twice_and_another_seed_another);
  tcase_add_test(tests, the_dense_projection_is_128_wide_unless_the_rows_are);
  tcase_add_test(tests, the_sparse_projection_is_as_wide_as_johnson_and_lindenstrauss_say);
  tcase_add_test(tests, dense_entries_are_uniform_within_one_by_the_root_of_the_width);
  tcase_add_test(tests, sparse_entries_are_of_one_size_at_the_density_of_li_et_al);
  tcase_add_test(tests, the_covering_radius_is_the_largest_distance_to_the_nearest_centre);
  tcase_add_test(tests, a_cancelled_choice_ends_at_once);
  tcase_add_test(tests, progress_rises_to_one);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
