// SPDX-License-Identifier: LGPL-2.1-or-later
// The coreset's kernel against the plain algorithm, which computes every distance.

#include <cmath>

#include "cuda/k_center.hpp"
#include "subject.hpp"

using namespace patchcore;
using subject::there;

namespace {

at::Tensor chosen_by(const cuda::Kernels& kernels, c10::Device device, const at::Tensor& rows,
                     int64_t count, const CoresetSeed& seed) {
  CoresetSeed there = seed;
  if (seed.minimum.defined()) there.minimum = seed.minimum.to(device);
  return cuda::greedy_k_center(rows.to(device), count, there, kernels);
}

void assert_same_choice(const at::Tensor& rows, int64_t count, const CoresetSeed& seed,
                        const char* what) {
  const at::Tensor ours = chosen_by(*subject::kernels, subject::device, rows, count, seed);
  const at::Tensor expected = chosen_by(cuda::reference_kernels(), at::kCPU, rows, count, seed);
  ck_assert_msg(ours.equal(expected), "%s", what);
}

at::Tensor clustered(int64_t rows, int64_t width) {
  const at::Tensor centres = float_noise("centres", {7, width}) * 5;
  const at::Tensor own = at::arange(rows, at::kLong).remainder_(7);
  return centres.index_select(0, own) + float_noise("rows", {rows, width});
}

/// Of whole numbers, whose distances are exact: Python's max() takes the first of equals.
std::vector<int64_t> plain_choice(const at::Tensor& rows, int64_t count, int64_t first) {
  std::vector<double> minimum(rows.size(0), INFINITY);
  std::vector<int64_t> chosen{first};
  while (true) {
    const at::Tensor d = (rows - rows[chosen.back()]).to(at::kDouble).square().sum(1).contiguous();
    for (size_t i = 0; i < minimum.size(); ++i)
      minimum[i] = std::min(minimum[i], d.data_ptr<double>()[i]);
    minimum[chosen.back()] = -1;
    if (static_cast<int64_t>(chosen.size()) == count) return chosen;
    chosen.push_back(std::max_element(minimum.begin(), minimum.end()) - minimum.begin());
  }
}

}  // namespace

START_TEST(the_choice_is_that_of_every_distance) {
  assert_same_choice(clustered(700, 40), 60, {{}, 5}, "clusters");
  assert_same_choice(float_noise("rows", {600, 50}), 40, {{}, 0}, "noise");
  assert_same_choice(clustered(90, 40) + 1e4, 90, {{}, 3}, "far from the origin");
}
END_TEST

START_TEST(rows_of_every_shape_are_chosen_from) {
  for (const int64_t width : {1, 31, 32, 100})
    for (const int64_t rows : {1, 33, 130})
      assert_same_choice(float_noise("rows", {rows, width}), rows, {{}, rows / 2}, "all rows");
}
END_TEST

START_TEST(a_minimum_that_is_given_decides_the_first_row) {
  const at::Tensor rows = clustered(200, 20);
  at::Tensor minimum = at::full({200}, 1000.0);
  minimum[123] = 1001;
  const CoresetSeed seed{minimum, -1};
  assert_same_choice(rows, 20, seed, "a minimum");
  const at::Tensor ours = chosen_by(*subject::kernels, subject::device, rows, 3, seed);
  ck_assert_int_eq(ours[0].item<int64_t>(), 123);
}
END_TEST

START_TEST(ties_go_to_the_lower_row_and_no_row_is_chosen_twice) {
  const at::Tensor once = (float_noise("rows", {40, 6}) * 3).round();
  const at::Tensor rows = at::cat({once, once, once});
  const auto expected = plain_choice(rows, 120, 2);
  const at::Tensor ours = chosen_by(*subject::kernels, subject::device, rows, 120, {{}, 2});
  ck_assert(ours.equal(at::tensor(expected, at::kLong)));
}
END_TEST

START_TEST(work_goes_on_where_the_launch_before_ended) {
  assert_same_choice(clustered(600, 4), 530, {{}, 0}, "more than one launch's steps");
}
END_TEST

START_TEST(the_radius_is_that_of_the_cpu) {
  const at::Tensor rows = clustered(subject::device.is_cuda() ? 20000 : 700, 60);
  const int64_t count = rows.size(0) / 20;
  const at::Tensor ours = chosen_by(*subject::kernels, subject::device, rows, count, {{}, 0});
  const at::Tensor theirs = greedy_k_center(rows, count, {{}, 0});
  const double radius = covering_radius(rows, rows.index_select(0, ours));
  const double expected = covering_radius(rows, rows.index_select(0, theirs));
  ck_assert_double_eq_tol(radius, expected, 0.01 * expected);
}
END_TEST

int main(int argc, char** argv) {
  Suite* suite = suite_create("cuda-coreset");
  TCase* tests = tcase_create("small");
  tcase_set_timeout(tests, 240);
  tcase_add_test(tests, the_choice_is_that_of_every_distance);
  tcase_add_test(tests, rows_of_every_shape_are_chosen_from);
  tcase_add_test(tests, a_minimum_that_is_given_decides_the_first_row);
  tcase_add_test(tests, ties_go_to_the_lower_row_and_no_row_is_chosen_twice);
  tcase_add_test(tests, work_goes_on_where_the_launch_before_ended);
  tcase_add_test(tests, the_radius_is_that_of_the_cpu);
  suite_add_tcase(suite, tests);
  return subject::run(argc, argv, suite);
}
