// SPDX-License-Identifier: LGPL-2.1-or-later
// The search against plain fp64 loops.

#include <algorithm>
#include <cmath>
#include <numeric>

#include "nearest_neighbour.hpp"
#include "support.hpp"

using namespace patchcore;

namespace {

constexpr double kRelative = 1e-6;

struct Found {
  double distance;
  int64_t row;
  auto operator<=>(const Found&) const = default;
};

/// The k nearest of one query, ties to the lower row.
std::vector<Found> naive_search(const at::Tensor& bank, const at::Tensor& query, int64_t k) {
  const at::Tensor distances =
      (bank.to(at::kDouble) - query.to(at::kDouble)).square().sum(1).sqrt().contiguous();
  std::vector<Found> all;
  for (int64_t row = 0; row < bank.size(0); ++row)
    all.push_back({distances.data_ptr<double>()[row], row});
  std::sort(all.begin(), all.end());
  all.resize(k);
  return all;
}

void assert_naive(const at::Tensor& bank, const at::Tensor& queries, int64_t k) {
  const Neighbours found = NearestNeighbour(bank).search(queries, k);
  ck_assert((found.distances.sizes() == at::IntArrayRef{queries.size(0), k}));
  ck_assert((found.rows.sizes() == at::IntArrayRef{queries.size(0), k}));
  for (int64_t q = 0; q < queries.size(0); ++q) {
    const auto expected = naive_search(bank, queries[q], k);
    for (int64_t i = 0; i < k; ++i) {
      ck_assert_double_eq_tol(found.distances[q][i].item<double>(), expected[i].distance,
                              kRelative * expected[i].distance + 1e-30);
      ck_assert_int_eq(found.rows[q][i].item<int64_t>(), expected[i].row);
    }
  }
}

at::Tensor sample_bank() { return float_noise("bank", {500, 48}); }

int64_t row_found(const Neighbours& found, int64_t query, int64_t place) {
  return found.rows[query][place].item<int64_t>();
}

}  // namespace

START_TEST(the_nearest_rows_and_their_distances_are_those_of_plain_loops) {
  for (const int64_t k : {1, 2, 9}) assert_naive(sample_bank(), float_noise("q", {60, 48}), k);
}
END_TEST

START_TEST(banks_of_any_shape_are_searched) {
  for (const auto& [rows, width] :
       std::vector<std::pair<int64_t, int64_t>>{{1, 1}, {1, 64}, {2, 1}, {7, 3}, {129, 1000}})
    assert_naive(float_noise("bank", {rows, width}), float_noise("q", {9, width}),
                 std::min<int64_t>(rows, 2));
}
END_TEST

START_TEST(as_many_neighbours_as_rows_are_all_rows) {
  assert_naive(float_noise("bank", {33, 8}), float_noise("q", {10, 8}), 33);
}
END_TEST

START_TEST(distances_far_from_the_origin_do_not_cancel) {
  assert_naive(sample_bank() + 1000, float_noise("q", {40, 48}) + 1000, 3);
}
END_TEST

START_TEST(distances_of_far_queries_are_right) {
  assert_naive(sample_bank(), float_noise("q", {20, 48}) * 1000, 3);
}
END_TEST

START_TEST(queries_of_more_than_one_block_keep_their_order) {
  const at::Tensor bank = float_noise("bank", {2000, 4});  // blocks of 4194 queries
  const at::Tensor queries = float_noise("q", {9000, 4});
  const Neighbours all = NearestNeighbour(bank).search(queries, 2);
  ck_assert_int_eq(all.rows.size(0), 9000);
  for (const int64_t q : {0, 4193, 4194, 4195, 8388, 8999})
    ck_assert_int_eq(row_found(all, q, 0), naive_search(bank, queries[q], 1)[0].row);
}
END_TEST

// 5000 rows of 300 values are centred and transposed in two blocks.
START_TEST(a_bank_of_more_than_one_block_is_searched) {
  assert_naive(float_noise("bank", {5000, 300}) + 3, float_noise("q", {12, 300}) + 3, 2);
}
END_TEST

START_TEST(a_search_that_can_be_cancelled_finds_the_same) {
  const at::Tensor bank = float_noise("bank", {20000, 400}), queries = float_noise("q", {600, 400});
  int looks = 0;
  const Monitor monitor{{}, [&] { return ++looks < 0; }};
  const NearestNeighbour search(bank, monitor);
  const int made = std::exchange(looks, 0);
  ck_assert_int_ge(made, 16);
  const Neighbours ours = search.search(queries, 2, monitor), plain = search.search(queries, 2);
  ck_assert_int_ge(looks, 5);  // 600 x 20000 x 400 multiplications, at most 2^30 at a time
  ck_assert(ours.rows.equal(plain.rows));
  ck_assert_double_le(relative_error(ours.distances, plain.distances), 1e-6);
  for (const int moment : {1, made / 2, made}) {
    looks = 0;
    assert_refused(ErrorCode::Cancelled, {}, "making", [&] {
      NearestNeighbour(bank, {{}, [&] { return ++looks == moment; }});
    });
    ck_assert_int_eq(looks, moment);
  }
}
END_TEST

START_TEST(a_row_of_the_bank_is_at_distance_0_from_itself) {
  for (const double offset : {0.0, 50.0}) {
    const at::Tensor bank = sample_bank() + offset;
    const Neighbours found = NearestNeighbour(bank).search(bank, 1);
    ck_assert(found.distances.eq(0).all().item<bool>());
    ck_assert(found.rows.flatten().equal(at::arange(bank.size(0))));
  }
}
END_TEST

// A product in fp32 can't order these: their squared distances are below its rounding.
START_TEST(a_row_is_found_among_rows_that_hardly_differ) {
  const at::Tensor base = sample_bank().slice(0, 0, 50) + 5;
  const at::Tensor bank = at::cat(
      {base + 1e-5 * float_noise("a", {50, 48}), base, base + 1e-5 * float_noise("b", {50, 48})});
  const Neighbours found = NearestNeighbour(bank).search(base, 1);
  ck_assert(found.distances.eq(0).all().item<bool>());
  ck_assert(found.rows.flatten().equal(at::arange(50, 100)));
}
END_TEST

START_TEST(ties_go_to_the_lower_row) {
  const at::Tensor line = at::tensor({5.0f, 1.0f, 3.0f, 1.0f, 5.0f}).unsqueeze(1);
  const Neighbours found =
      NearestNeighbour(line).search(at::tensor({2.0f, 4.0f, 1.0f}).unsqueeze(1), 3);
  const std::vector<std::vector<int64_t>> expected{{1, 2, 3}, {0, 2, 4}, {1, 3, 2}};
  for (int64_t q = 0; q < 3; ++q)
    for (int64_t i = 0; i < 3; ++i) ck_assert_int_eq(row_found(found, q, i), expected[q][i]);
}
END_TEST

START_TEST(of_copies_the_lower_row_is_found) {
  const at::Tensor distinct = float_noise("bank", {203, 37});
  const NearestNeighbour search(at::cat({distinct, distinct, distinct}));
  const at::Tensor queries = distinct + 0.01 * float_noise("q", {203, 37});
  for (const int64_t k : {1, 2, 3}) {
    const Neighbours found = search.search(queries, k);
    for (int64_t q = 0; q < 203; ++q)
      for (int64_t i = 0; i < k; ++i) ck_assert_int_eq(row_found(found, q, i), q + 203 * i);
  }
}
END_TEST

START_TEST(a_query_finds_the_same_alone_and_in_any_company) {
  const at::Tensor queries = float_noise("q", {50, 48});
  const NearestNeighbour search(sample_bank());
  const Neighbours together = search.search(queries, 9);
  for (const int64_t size : {1, 3, 16}) {
    for (int64_t first = 0; first + size <= 50; first += size) {
      const Neighbours apart = search.search(queries.slice(0, first, first + size), 9);
      ck_assert(apart.rows.equal(together.rows.slice(0, first, first + size)));
      ck_assert_double_le(
          relative_error(apart.distances, together.distances.slice(0, first, first + size)), 1e-5);
    }
  }
}
END_TEST

START_TEST(the_nearest_of_candidates_are_those_of_plain_loops) {
  const at::Tensor bank = sample_bank(), queries = float_noise("q", {60, 48});
  const at::Tensor candidates =
      ((noise("candidates", {60, 12}) + 1) * 250).to(at::kLong);  // some of them twice
  const at::Tensor nearest = nearest_candidates(queries, bank, candidates, 4);
  ck_assert((nearest.sizes() == at::IntArrayRef{60, 4}));
  for (int64_t q = 0; q < 60; ++q) {
    const auto expected = naive_search(bank.index_select(0, candidates[q]), queries[q], 4);
    for (int64_t i = 0; i < 4; ++i)
      ck_assert_int_eq(nearest[q][i].item<int64_t>(),
                       candidates[q][expected[i].row].item<int64_t>());
  }
}
END_TEST

START_TEST(a_rows_own_neighbours_begin_with_the_row_itself) {
  const at::Tensor bank = sample_bank();
  const at::Tensor own = NearestNeighbour(bank).own_neighbours(9);
  for (int64_t row = 0; row < bank.size(0); ++row) {
    ck_assert_int_eq(own[row][0].item<int64_t>(), row);
    const auto expected = naive_search(bank, bank[row], 9);
    for (int64_t i = 1; i < 9; ++i) {  // by distance: fp32 may swap rows that it can't tell apart
      const at::Tensor other = bank[own[row][i].item<int64_t>()].to(at::kDouble);
      ck_assert_double_eq_tol((other - bank[row]).square().sum().sqrt().item<double>(),
                              expected[i].distance, kRelative);
    }
  }
}
END_TEST

START_TEST(copies_of_a_row_come_behind_the_row_itself_in_order) {
  const at::Tensor distinct = float_noise("bank", {20, 16});
  const at::Tensor own =
      NearestNeighbour(at::cat({distinct, distinct, distinct})).own_neighbours(3);
  for (int64_t row = 0; row < 60; ++row) {
    std::vector<int64_t> expected{row};
    for (int64_t copy = row % 20; copy < 60; copy += 20)
      if (copy != row) expected.push_back(copy);
    for (int64_t i = 0; i < 3; ++i) ck_assert_int_eq(own[row][i].item<int64_t>(), expected[i]);
  }
}
END_TEST

START_TEST(a_row_is_not_crowded_out_by_more_copies_than_neighbours) {
  const at::Tensor own = NearestNeighbour(at::full({30, 4}, 2.0f)).own_neighbours(9);
  for (int64_t row = 0; row < 30; ++row) {
    ck_assert_int_eq(own[row][0].item<int64_t>(), row);
    const at::Tensor once = std::get<0>(own[row].sort());
    ck_assert(once.slice(0, 1).gt(once.slice(0, 0, 8)).all().item<bool>());
  }
}
END_TEST

START_TEST(the_only_row_is_its_own_only_neighbour) {
  ck_assert(
      NearestNeighbour(at::ones({1, 4})).own_neighbours(1).equal(at::zeros({1, 1}, at::kLong)));
}
END_TEST

int main() {
  Suite* suite = suite_create("nearest-neighbour");
  TCase* tests = tcase_create("nearest-neighbour");
  tcase_set_timeout(tests, 30);
  tcase_add_test(tests, the_nearest_rows_and_their_distances_are_those_of_plain_loops);
  tcase_add_test(tests, banks_of_any_shape_are_searched);
  tcase_add_test(tests, as_many_neighbours_as_rows_are_all_rows);
  tcase_add_test(tests, distances_far_from_the_origin_do_not_cancel);
  tcase_add_test(tests, distances_of_far_queries_are_right);
  tcase_add_test(tests, queries_of_more_than_one_block_keep_their_order);
  tcase_add_test(tests, a_bank_of_more_than_one_block_is_searched);
  tcase_add_test(tests, a_search_that_can_be_cancelled_finds_the_same);
  tcase_add_test(tests, a_row_of_the_bank_is_at_distance_0_from_itself);
  tcase_add_test(tests, a_row_is_found_among_rows_that_hardly_differ);
  tcase_add_test(tests, ties_go_to_the_lower_row);
  tcase_add_test(tests, of_copies_the_lower_row_is_found);
  tcase_add_test(tests, a_query_finds_the_same_alone_and_in_any_company);
  tcase_add_test(tests, the_nearest_of_candidates_are_those_of_plain_loops);
  tcase_add_test(tests, a_rows_own_neighbours_begin_with_the_row_itself);
  tcase_add_test(tests, copies_of_a_row_come_behind_the_row_itself_in_order);
  tcase_add_test(tests, a_row_is_not_crowded_out_by_more_copies_than_neighbours);
  tcase_add_test(tests, the_only_row_is_its_own_only_neighbour);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
