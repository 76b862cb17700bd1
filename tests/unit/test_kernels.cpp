// SPDX-License-Identifier: LGPL-2.1-or-later
// The kernels of each instruction set that this processor has, against fp64 sums and against the
// scalar ones.

#include <bit>
#include <cmath>
#include <limits>

#include "kernels/kernels.hpp"
#include "support.hpp"

using namespace patchcore;
using kernels::InstructionSet;
using kernels::kBlockRows;

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

std::vector<InstructionSet> available() {
  std::vector<InstructionSet> sets;
  for (const auto set : {InstructionSet::Scalar, InstructionSet::Avx2, InstructionSet::Avx512,
                         InstructionSet::Avx512Bf16, InstructionSet::Amx})
    if (kernels::is_available(set)) sets.push_back(set);
  return sets;
}

double value(uint16_t bf16) { return std::bit_cast<float>(uint32_t{bf16} << 16); }

/// Rows and queries that ATen has rounded to bf16.
struct Sample {
  Sample(int64_t width, int64_t blocks, int64_t queries)
      : width(width),
        blocks(blocks),
        plain_rows(bf16("rows", blocks * kBlockRows * width)),
        queries(bf16("queries", queries * width)),
        rows(plain_rows.size()),
        offsets(blocks * kBlockRows) {
    for (int64_t row = 0; row < blocks * kBlockRows; ++row) {
      double square = 0;
      for (int64_t i = 0; i < width; ++i) {
        const uint16_t v = plain_rows[row * width + i];
        square += value(v) * value(v);
        rows[row / kBlockRows * kBlockRows * width + (i / 2 * kBlockRows + row % kBlockRows) * 2 +
             i % 2] = v;
      }
      offsets[row] = static_cast<float>(square / -2);
    }
  }

  static std::vector<uint16_t> bf16(const char* name, int64_t count) {
    const at::Tensor rounded = float_noise(name, {count}).to(at::kBFloat16).contiguous();
    const auto* first = static_cast<const uint16_t*>(rounded.data_ptr());
    return {first, first + count};
  }

  double product(int64_t query, int64_t row) const {
    double sum = offsets[row];
    for (int64_t i = 0; i < width; ++i)
      sum += value(queries[query * width + i]) * value(plain_rows[row * width + i]);
    return sum;
  }

  int64_t width, blocks;
  std::vector<uint16_t> plain_rows, queries, rows;
  std::vector<float> offsets;
};

using Passed = std::vector<std::vector<std::pair<int32_t, float>>>;  // of each query

Passed filtered(const kernels::Kernels& k, const Sample& s, const std::vector<float>& limits) {
  const int64_t room = s.blocks * kBlockRows;
  std::vector<int32_t> rows(k.queries * room);
  std::vector<float> products(k.queries * room);
  std::vector<kernels::Candidates> candidates;
  for (int64_t q = 0; q < k.queries; ++q)
    candidates.push_back({&rows[q * room], &products[q * room], 0});
  k.filter({s.queries.data(), limits.data(), s.rows.data(), s.offsets.data(), s.width, s.blocks},
           candidates.data());
  Passed passed(k.queries);
  for (int64_t q = 0; q < k.queries; ++q)
    for (int64_t i = 0; i < candidates[q].count; ++i)
      passed[q].emplace_back(candidates[q].rows[i], candidates[q].products[i]);
  return passed;
}

}  // namespace

START_TEST(a_filter_passes_the_rows_whose_product_is_above_the_limit) {
  for (const auto set : available()) {
    const auto& k = kernels::kernels(set);
    for (const int64_t width : {2, 34, 64, 386}) {
      const Sample s(width, 3, k.queries);
      const double close = 1e-5 * static_cast<double>(width);  // fp32 sums may be off by so much
      std::vector<float> limits;
      for (int64_t q = 0; q < k.queries; ++q) limits.push_back(0.2F * static_cast<float>(q) - 1);
      const Passed passed = filtered(k, s, limits);
      for (int64_t q = 0; q < k.queries; ++q) {
        size_t next = 0;
        for (int32_t row = 0; row < s.blocks * kBlockRows; ++row) {
          const double product = s.product(q, row);
          const bool did = next < passed[q].size() && passed[q][next].first == row;
          if (std::abs(product - limits[q]) > close) ck_assert_int_eq(did, product > limits[q]);
          if (!did) continue;
          ck_assert_double_eq_tol(passed[q][next].second, product, close);
          ++next;
        }
        ck_assert_uint_eq(next, passed[q].size());
      }
    }
  }
}
END_TEST

START_TEST(an_infinite_limit_passes_nothing_and_minus_infinity_all) {
  for (const auto set : available()) {
    const auto& k = kernels::kernels(set);
    const Sample s(64, 2, k.queries);
    std::vector<float> limits(k.queries, kInfinity);
    limits.back() = -kInfinity;
    const Passed passed = filtered(k, s, limits);
    for (int64_t q = 0; q + 1 < k.queries; ++q) ck_assert(passed[q].empty());
    ck_assert_uint_eq(passed.back().size(), 2 * kBlockRows);
  }
}
END_TEST

START_TEST(a_product_that_is_no_number_is_passed_and_a_padding_row_never_is) {
  for (const auto set : available()) {
    const auto& k = kernels::kernels(set);
    Sample s(4, 1, k.queries);
    s.rows[5 * 2] = 0x7fc0;     // row 5's first value: NaN
    s.offsets[9] = -kInfinity;  // row 9 isn't there
    const Passed passed = filtered(k, s, std::vector<float>(k.queries, 1e30F));
    for (int64_t q = 0; q < k.queries; ++q) {
      ck_assert_uint_eq(passed[q].size(), 1);
      ck_assert_int_eq(passed[q][0].first, 5);
    }
    for (const auto& some : filtered(k, s, std::vector<float>(k.queries, -kInfinity)))
      for (const auto& [row, product] : some) ck_assert_int_ne(row, 9);
  }
}
END_TEST

START_TEST(a_squared_distance_is_that_of_fp64) {
  for (const auto set : available())
    for (const int64_t width : {1, 63, 64, 65, 384, 1536}) {
      const at::Tensor a = float_noise("a", {width}), b = float_noise("b", {width});
      const double expected = (a.to(at::kDouble) - b.to(at::kDouble)).square().sum().item<double>();
      const double found =
          kernels::kernels(set).squared_distance(a.data_ptr<float>(), b.data_ptr<float>(), width);
      ck_assert_double_eq_tol(found, expected, 1e-6 * expected);
    }
}
END_TEST

START_TEST(a_squared_distance_is_the_same_to_the_last_bit_on_every_instruction_set) {
  for (const int64_t width : {1, 37, 64, 100, 384, 1536})
    for (int64_t i = 0; i < 50; ++i) {
      const at::Tensor a = float_noise(("a" + std::to_string(i)).c_str(), {width}),
                       b = float_noise("b", {width}) * 3;
      const auto distance = [&](InstructionSet set) {
        return std::bit_cast<uint32_t>(kernels::kernels(set).squared_distance(
            a.data_ptr<float>(), b.data_ptr<float>(), width));
      };
      for (const auto set : available())
        ck_assert_uint_eq(distance(set), distance(InstructionSet::Scalar));
    }
}
END_TEST

START_TEST(a_product_of_two_heads_is_that_of_fp64) {
  for (const auto set : available())
    for (const int64_t width : {2, 30, 32, 64, 66, 130, 194}) {
      const auto a = Sample::bf16("a", width), b = Sample::bf16("b", width);
      double expected = 0;
      for (int64_t i = 0; i < width; ++i) expected += value(a[i]) * value(b[i]);
      ck_assert_double_eq_tol(kernels::kernels(set).product(a.data(), b.data(), width), expected,
                              1e-6 * static_cast<double>(width));
    }
}
END_TEST

START_TEST(the_best_set_is_one_that_the_processor_has) {
  bool found = false;
  for (const auto set : available()) found |= &kernels::kernels(set) == &kernels::kernels();
  ck_assert(found);
  ck_assert(&kernels::kernels() == &kernels::kernels(available().back()));
}
END_TEST

int main() {
  Suite* suite = suite_create("kernels");
  TCase* tests = tcase_create("kernels");
  tcase_set_timeout(tests, 30);
  tcase_add_test(tests, a_filter_passes_the_rows_whose_product_is_above_the_limit);
  tcase_add_test(tests, an_infinite_limit_passes_nothing_and_minus_infinity_all);
  tcase_add_test(tests, a_product_that_is_no_number_is_passed_and_a_padding_row_never_is);
  tcase_add_test(tests, a_squared_distance_is_that_of_fp64);
  tcase_add_test(tests, a_squared_distance_is_the_same_to_the_last_bit_on_every_instruction_set);
  tcase_add_test(tests, a_product_of_two_heads_is_that_of_fp64);
  tcase_add_test(tests, the_best_set_is_one_that_the_processor_has);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
