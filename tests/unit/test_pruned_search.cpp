// SPDX-License-Identifier: LGPL-2.1-or-later
// The search by lower bounds against fp64 distances to all rows.

#include <cmath>

#include "pruned_search.hpp"
#include "support.hpp"

using namespace patchcore;
using kernels::InstructionSet;

namespace {

/// Values as a network's are: few directions have most of the variance.
at::Tensor features(const char* name, int64_t rows, int64_t width) {
  const at::Tensor scales = at::pow(at::arange(1, width + 1), -0.7);
  const at::Tensor turn = float_noise("turn", {width, width});
  return at::matmul(float_noise(name, {rows, width}) * scales, turn) + 0.5;
}

/// Distances within 1e-6 of fp64, and no row nearer than those found.
void assert_exact(const PrunedSearch& search, const at::Tensor& bank, const at::Tensor& queries,
                  int64_t k = 1) {
  const Neighbours found = search.search(queries, k);
  const at::Tensor b = bank.to(at::kDouble);
  for (int64_t q = 0; q < queries.size(0); ++q) {
    const at::Tensor all = (b - queries[q].to(at::kDouble)).square().sum(1).sqrt();
    const at::Tensor expected = std::get<0>(all.sort()).slice(0, 0, k);
    const at::Tensor tolerance = expected * 1e-6 + 1e-30;
    const at::Tensor off = (found.distances[q].to(at::kDouble) - expected).abs();
    ck_assert(off.le(tolerance).all().item<bool>());
    const at::Tensor of_rows = all.index_select(0, found.rows[q]);
    ck_assert((of_rows - expected).abs().le(tolerance).all().item<bool>());
  }
}

}  // namespace

START_TEST(rows_of_every_form_are_searched_exactly) {
  for (const int64_t width : {5, 63, 64, 65, 128, 191, 192, 193, 400}) {
    const at::Tensor bank = features("bank", 900, width);
    const PrunedSearch search(bank);
    assert_exact(search, bank, features("q", 40, width));
    assert_exact(search, bank, features("q", 40, width), 9);
    assert_exact(search, bank, bank.slice(0, 100, 140) + 0.01 * features("q", 40, width));
  }
}
END_TEST

START_TEST(queries_that_nothing_can_be_ruled_out_of_are_searched_exactly) {
  const at::Tensor bank = float_noise("bank", {3000, 384});
  assert_exact(PrunedSearch(bank), bank, float_noise("q", {60, 384}));
  assert_exact(PrunedSearch(bank), bank, 100 * float_noise("far", {30, 384}));
}
END_TEST

START_TEST(hard_and_easy_queries_side_by_side_are_searched_exactly) {
  const at::Tensor bank = features("bank", 3000, 384);
  at::Tensor queries = bank.slice(0, 0, 90) + 0.01 * features("near", 90, 384);
  queries.slice(0, 0, 90, 7).copy_(5 * float_noise("far", {13, 384}));
  assert_exact(PrunedSearch(bank), bank, queries);
  assert_exact(PrunedSearch(bank), bank, queries, 3);
}
END_TEST

START_TEST(very_large_and_very_small_values_are_searched_exactly) {
  for (const double scale : {1e-15, 1e15, 3e16}) {
    const at::Tensor bank = features("bank", 500, 200) * scale;
    assert_exact(PrunedSearch(bank), bank, features("q", 30, 200) * scale);
  }
  const at::Tensor bank = features("bank", 500, 200);
  assert_exact(PrunedSearch(bank), bank, features("q", 30, 200) * 1e12);
}
END_TEST

START_TEST(values_whose_squares_overflow_still_find_a_row) {
  const at::Tensor bank = features("bank", 300, 200);
  const Neighbours found = PrunedSearch(bank).search(bank.slice(0, 0, 9) * 1e30, 1);
  ck_assert(found.distances.isinf().all().item<bool>());
  ck_assert(found.rows.eq(0).all().item<bool>());  // of equals the lowest
}
END_TEST

START_TEST(rows_whose_squares_overflow_are_found_by_queries_next_to_them) {
  for (const double far : {1e19, 1e25}) {
    at::Tensor bank = features("bank", 500, 200);
    bank.slice(0, 100, 300).mul_(far);
    const PrunedSearch search(bank);
    for (const int64_t k : {1, 3}) {
      const Neighbours found = search.search(bank.slice(0, 0, 300), k);
      ck_assert(found.rows.select(1, 0).equal(at::arange(300)));
      ck_assert(found.distances.select(1, 0).eq(0).all().item<bool>());
    }
  }
  const at::Tensor bank = features("bank", 500, 200) * 1e25;
  ck_assert(PrunedSearch(bank).search(bank, 2).rows.select(1, 0).equal(at::arange(500)));
}
END_TEST

START_TEST(a_query_that_is_no_number_leaves_the_others_alone) {
  const at::Tensor bank = features("bank", 500, 200);
  at::Tensor queries = features("q", 30, 200);
  const PrunedSearch search(bank);
  const Neighbours before = search.search(queries, 1);
  queries[7].fill_(NAN);
  const Neighbours after = search.search(queries, 1);
  ck_assert(std::isnan(after.distances[7][0].item<float>()));
  const at::Tensor others = at::arange(30).ne(7);
  ck_assert(after.distances.index({others}).equal(before.distances.index({others})));
  ck_assert(after.rows.index({others}).equal(before.rows.index({others})));
}
END_TEST

START_TEST(equal_rows_and_a_bank_without_any_variance_are_searched) {
  const at::Tensor bank = at::full({300, 200}, 3.0F);
  const Neighbours found = PrunedSearch(bank).search(bank.slice(0, 0, 20) + 1, 2);
  ck_assert(found.rows.select(1, 0).eq(0).all().item<bool>());
  ck_assert(found.rows.select(1, 1).eq(1).all().item<bool>());
  assert_exact(PrunedSearch(bank), bank, features("q", 20, 200));
}
END_TEST

START_TEST(every_instruction_set_finds_the_same_to_the_last_bit) {
  const at::Tensor bank = features("bank", 1000, 300), queries = features("q", 50, 300);
  const auto search = [&](InstructionSet set, int64_t k) {
    return PrunedSearch(bank, {}, kernels::kernels(set)).search(queries, k);
  };
  for (const int64_t k : {1, 4}) {
    const Neighbours expected = search(InstructionSet::Scalar, k);
    for (const auto set : {InstructionSet::Avx2, InstructionSet::Avx512, InstructionSet::Avx512Bf16,
                           InstructionSet::Amx}) {
      if (!kernels::is_available(set)) continue;
      const Neighbours found = search(set, k);
      ck_assert(found.distances.equal(expected.distances));
      ck_assert(found.rows.equal(expected.rows));
    }
  }
}
END_TEST

START_TEST(a_query_finds_the_same_to_the_last_bit_alone_and_in_any_company) {
  const at::Tensor bank = features("bank", 2000, 300), queries = features("q", 100, 300);
  const PrunedSearch search(bank);
  const Neighbours together = search.search(queries, 1);
  for (int64_t q = 0; q < 100; ++q) {
    const Neighbours alone = search.search(queries.slice(0, q, q + 1), 1);
    ck_assert(alone.distances[0].equal(together.distances[q]));
    ck_assert(alone.rows[0].equal(together.rows[q]));
  }
}
END_TEST

START_TEST(no_queries_find_nothing) {
  const Neighbours found = PrunedSearch(features("bank", 70, 100)).search(at::empty({0, 100}), 3);
  ck_assert((found.distances.sizes() == at::IntArrayRef{0, 3}));
  ck_assert((found.rows.sizes() == at::IntArrayRef{0, 3}));
}
END_TEST

int main() {
  Suite* suite = suite_create("pruned-search");
  TCase* tests = tcase_create("pruned-search");
  tcase_set_timeout(tests, 60);
  tcase_add_test(tests, rows_of_every_form_are_searched_exactly);
  tcase_add_test(tests, queries_that_nothing_can_be_ruled_out_of_are_searched_exactly);
  tcase_add_test(tests, hard_and_easy_queries_side_by_side_are_searched_exactly);
  tcase_add_test(tests, very_large_and_very_small_values_are_searched_exactly);
  tcase_add_test(tests, values_whose_squares_overflow_still_find_a_row);
  tcase_add_test(tests, rows_whose_squares_overflow_are_found_by_queries_next_to_them);
  tcase_add_test(tests, a_query_that_is_no_number_leaves_the_others_alone);
  tcase_add_test(tests, equal_rows_and_a_bank_without_any_variance_are_searched);
  tcase_add_test(tests, every_instruction_set_finds_the_same_to_the_last_bit);
  tcase_add_test(tests, a_query_finds_the_same_to_the_last_bit_alone_and_in_any_company);
  tcase_add_test(tests, no_queries_find_nothing);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
