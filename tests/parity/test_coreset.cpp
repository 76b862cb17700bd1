// SPDX-License-Identifier: LGPL-2.1-or-later
// Greedy k-center against a plain fp64 implementation: golden/coreset.safetensors, 3000 points with
// ten repeated ones, and the covering radius after each centre.

#include <ATen/ATen.h>

#include "../check_main.hpp"
#include "../shared_data.hpp"
#include "coreset.hpp"
#include "safetensors.hpp"

using namespace patchcore;

START_TEST(greedy_choices_are_those_of_the_plain_algorithm) {
  SafetensorsReader golden(shared_data() / "golden/coreset.safetensors");
  const CoresetSeed seed{{}, golden.tensor("first").item<int64_t>()};
  const at::Tensor chosen = greedy_k_center(golden.tensor("points"), 300, seed);
  ck_assert(chosen.equal(golden.tensor("index")));
}
END_TEST

START_TEST(covering_radius_is_that_of_the_plain_algorithm) {
  SafetensorsReader golden(shared_data() / "golden/coreset.safetensors");
  const at::Tensor points = golden.tensor("points"), index = golden.tensor("index");
  for (int64_t count : {1, 10, 100, 300}) {
    const double radius = covering_radius(points, points.index_select(0, index.slice(0, 0, count)));
    const double expected = golden.tensor("radius")[count - 1].item<double>();
    ck_assert_double_eq_tol(radius, expected, 1e-6 * expected);
  }
}
END_TEST

int main() {
  if (!has_shared("golden")) return skip_suite("../shared/golden is not there");
  Suite* suite = suite_create("coreset");
  TCase* tests = tcase_create("coreset");
  tcase_set_timeout(tests, 60);
  tcase_add_test(tests, greedy_choices_are_those_of_the_plain_algorithm);
  tcase_add_test(tests, covering_radius_is_that_of_the_plain_algorithm);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
