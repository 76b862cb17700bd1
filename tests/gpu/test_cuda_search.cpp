// SPDX-License-Identifier: LGPL-2.1-or-later
// The pruned search against fp64, and to the last bit against the reference, which prunes nothing.

#include <cmath>

#include "cuda/search.hpp"
#include "nearest_neighbour.hpp"
#include "subject.hpp"

using namespace patchcore;
using subject::there;

namespace {

constexpr int64_t kHeadWidth = 32;  // so that small banks have heads

Neighbours found_by(const cuda::Kernels& kernels, const at::Tensor& bank, const at::Tensor& queries,
                    int64_t head_width = kHeadWidth) {
  const Neighbours n = cuda::Search(bank, kernels, {}, head_width).search(queries);
  return {n.distances.cpu(), n.rows.cpu()};
}

void assert_exact(const at::Tensor& bank, const at::Tensor& queries, const char* what) {
  const Neighbours ours = found_by(*subject::kernels, there(bank), there(queries));
  const Neighbours expected = found_by(cuda::reference_kernels(), bank, queries);
  ck_assert((ours.distances.sizes() == at::IntArrayRef{queries.size(0), 1}));
  ck_assert_msg(ours.distances.equal(expected.distances), "%s: other distances", what);
  ck_assert_msg(ours.rows.equal(expected.rows), "%s: other rows", what);
  // In fp64, of the rows that were found and of all.
  const at::Tensor b = bank.to(at::kDouble), q = queries.to(at::kDouble);
  const at::Tensor least = std::get<0>(at::cdist(q, b, 2, /*compute_mode=*/2).min(1));
  const at::Tensor difference = b.index_select(0, ours.rows.flatten()) - q;
  const at::Tensor of_found = difference.square().sum(1).sqrt();
  ck_assert_msg(of_found.le(least * (1 + 1e-6) + 1e-30).all().item<bool>(), "%s", what);
}

at::Tensor clustered(const std::string& name, int64_t rows, int64_t width) {
  const at::Tensor centres = float_noise("centres", {9, width}) * 5;
  const at::Tensor own = at::arange(rows, at::kLong).remainder_(9);
  // Most of what is left varies in few directions, as features do.
  const at::Tensor few = at::matmul(float_noise(name, {rows, 6}), float_noise("few", {6, width}));
  return centres.index_select(0, own) + few + float_noise(name + " rest", {rows, width}) * 0.1;
}

/// How many queries the last search left to products of whole rows.
int64_t hard_queries = -1;

const char* counting_walk(const cuda::Walk& walk, cuda::Stream stream) {
  if (walk.selection.count) {
    const auto options = at::TensorOptions(at::kInt).device(subject::device);
    hard_queries =
        at::from_blob(const_cast<int32_t*>(walk.selection.count), {1}, options).item<int>();
  }
  return subject::kernels->walk(walk, stream);
}

cuda::Kernels counting_kernels() {
  cuda::Kernels kernels = *subject::kernels;
  kernels.walk = counting_walk;
  hard_queries = -1;
  return kernels;
}

}  // namespace

START_TEST(the_nearest_row_is_found_for_banks_of_every_shape) {
  for (const int64_t width : {1, 33, 70, 200})
    for (const int64_t rows : {1, 31, 33, 400})
      assert_exact(float_noise("bank", {rows, width}), float_noise("queries", {7, width}), "noise");
}
END_TEST

START_TEST(the_nearest_row_is_found_for_any_number_of_queries) {
  const at::Tensor bank = clustered("bank", 300, 70);
  for (const int64_t queries : {1, 8, 127, 130})
    assert_exact(bank, clustered("queries", queries, 70), "clusters");
}
END_TEST

START_TEST(of_equal_rows_the_lowest_is_the_nearest) {
  const at::Tensor once = clustered("bank", 90, 40);
  const at::Tensor bank = at::cat({once, once.flip(0), once});
  const Neighbours ours = found_by(*subject::kernels, there(bank), there(once));
  ck_assert(ours.rows.flatten().equal(at::arange(90, at::kLong)));
  ck_assert(ours.distances.eq(0).all().item<bool>());
  // All corners of a cube are as far from its centre; heads, which are rounded, prefer some.
  const at::Tensor corners = float_noise("corners", {150, 50}).sign();
  assert_exact(corners, at::zeros({2, 50}), "corners");
  const at::Tensor same = at::ones({100, 50});
  assert_exact(same, float_noise("queries", {5, 50}), "one row a hundred times");
}
END_TEST

START_TEST(hostile_values_find_their_row) {
  const at::Tensor bank = clustered("bank", 200, 64), queries = clustered("queries", 20, 64);
  assert_exact(bank + 1e4, queries + 1e4, "far from the origin");
  assert_exact(bank * 1e-15, queries * 1e-15, "tiny");
  assert_exact(bank * 1e15, queries * 1e15, "huge");
  assert_exact(bank, queries * 100, "far from the bank");
  assert_exact(at::zeros({70, 64}), queries, "a bank of zeros");
  at::Tensor outlier = bank.clone();
  outlier[13] *= 1e6;
  assert_exact(outlier, queries, "an outlier");
  const at::Tensor whole = queries.round(), grid = bank.round();
  assert_exact(grid, whole, "whole numbers, many of them ties");
}
END_TEST

// Squares overflow: all distances are infinite, and the lowest row is as near as any.
START_TEST(infinite_distances_and_no_numbers_come_to_an_end) {
  const at::Tensor bank = clustered("bank", 80, 64);
  at::Tensor queries = clustered("queries", 4, 64);
  queries[1][5] = INFINITY;
  queries[2][6] = NAN;
  const Neighbours ours = found_by(*subject::kernels, there(bank), there(queries));
  ck_assert(std::isinf(ours.distances[1][0].item<float>()));
  ck_assert_int_eq(ours.rows[1][0].item<int64_t>(), 0);
  ck_assert(std::isnan(ours.distances[2][0].item<float>()));
  ck_assert_int_eq(ours.rows[2][0].item<int64_t>(), 0);
  const Neighbours alone = found_by(*subject::kernels, there(bank), there(queries.slice(0, 3)));
  ck_assert_int_eq(ours.rows[3][0].item<int64_t>(), alone.rows[0][0].item<int64_t>());
}
END_TEST

// Of random rows in many dimensions heads tell little: budgets end, whole rows take over.
START_TEST(queries_that_heads_do_not_do_for_are_found_by_whole_rows) {
  const at::Tensor bank = float_noise("bank", {600, 256}), queries = float_noise("q", {40, 256});
  const cuda::Kernels kernels = counting_kernels();
  const Neighbours ours = found_by(kernels, there(bank), there(queries));
  ck_assert_int_gt(hard_queries, 20);
  const Neighbours expected = found_by(cuda::reference_kernels(), bank, queries);
  ck_assert(ours.distances.equal(expected.distances));
  ck_assert(ours.rows.equal(expected.rows));
}
END_TEST

START_TEST(heads_do_for_most_queries_whose_rows_vary_in_few_directions) {
  const cuda::Kernels kernels = counting_kernels();
  found_by(kernels, there(clustered("bank", 600, 256)), there(clustered("q", 40, 256)));
  ck_assert_int_ge(hard_queries, 0);
  ck_assert_int_le(hard_queries, 4);
}
END_TEST

START_TEST(a_query_finds_the_same_alone_and_in_company) {
  const at::Tensor bank = there(clustered("bank", 300, 70)), queries = clustered("q", 140, 70);
  const cuda::Search search(bank, *subject::kernels, {}, kHeadWidth);
  const Neighbours together = search.search(there(queries));
  for (const int64_t i : {0, 77, 139}) {
    const Neighbours alone = search.search(there(queries.slice(0, i, i + 1)));
    ck_assert(alone.distances.equal(together.distances.slice(0, i, i + 1)));
    ck_assert(alone.rows.equal(together.rows.slice(0, i, i + 1)));
  }
}
END_TEST

START_TEST(no_queries_find_nothing) {
  const Neighbours none =
      found_by(*subject::kernels, there(clustered("bank", 50, 70)), there(at::empty({0, 70})));
  ck_assert_int_eq(none.rows.size(0), 0);
}
END_TEST

// As a detector has it.
START_TEST(a_large_bank_is_searched_exactly) {
  const at::Tensor bank = there(clustered("bank", 16384, 1536));
  const at::Tensor queries = there(clustered("queries", 3000, 1536));
  const Neighbours ours = cuda::Search(bank, *subject::kernels).search(queries);
  for (int64_t at = 0; at < 3000; at += 500) {
    const at::Tensor q = queries.slice(0, at, at + 500).to(at::kDouble);
    const at::Tensor least = std::get<0>(at::cdist(q, bank.to(at::kDouble), 2, 2).min(1));
    const at::Tensor d = ours.distances.slice(0, at, at + 500).flatten().to(at::kDouble);
    ck_assert_double_le(((d - least).abs() / least).max().item<double>(), 1e-6);
  }
}
END_TEST

int main(int argc, char** argv) {
  Suite* suite = suite_create("cuda-search");
  TCase* tests = tcase_create("small");
  tcase_set_timeout(tests, 240);
  tcase_add_test(tests, the_nearest_row_is_found_for_banks_of_every_shape);
  tcase_add_test(tests, the_nearest_row_is_found_for_any_number_of_queries);
  tcase_add_test(tests, of_equal_rows_the_lowest_is_the_nearest);
  tcase_add_test(tests, hostile_values_find_their_row);
  tcase_add_test(tests, infinite_distances_and_no_numbers_come_to_an_end);
  tcase_add_test(tests, queries_that_heads_do_not_do_for_are_found_by_whole_rows);
  tcase_add_test(tests, heads_do_for_most_queries_whose_rows_vary_in_few_directions);
  tcase_add_test(tests, a_query_finds_the_same_alone_and_in_company);
  tcase_add_test(tests, no_queries_find_nothing);
  suite_add_tcase(suite, tests);
  if (subject::is_gpu(argc, argv)) {
    TCase* large = tcase_create("large");
    tcase_add_test(large, a_large_bank_is_searched_exactly);
    suite_add_tcase(suite, large);
  }
  return subject::run(argc, argv, suite);
}
