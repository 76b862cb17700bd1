// SPDX-License-Identifier: LGPL-2.1-or-later
// Banks that know where their rows were seen: the search against plain fp64 loops over the rows in
// reach, and from frames to verdicts.

#include <algorithm>
#include <cmath>
#include <set>

#include "bank_extension.hpp"
#include "station.hpp"

using namespace station;

namespace {

constexpr Size kGrid{13, 7};
constexpr int64_t kCells = 13 * 7;

/// Cells of each row, drawn by a name: from 1 to 6 of them, every third row's all over the grid.
std::vector<std::set<int64_t>> drawn_cells(int64_t rows) {
  const at::Tensor draws = (noise("cells", {rows, 8}) + 1) / 2;
  const auto draw = draws.accessor<double, 2>();
  std::vector<std::set<int64_t>> cells(static_cast<size_t>(rows));
  for (int64_t row = 0; row < rows; ++row) {
    const auto at = [&](int64_t i) { return static_cast<int64_t>(draw[row][i] * kCells); };
    for (int64_t i = 0; i < 1 + row % 6; ++i)
      cells[row].insert(row % 3 == 0 ? at(i) : std::min(kCells - 1, at(0) + at(i) % 3));
  }
  return cells;
}

Positions positions_of(const std::vector<std::set<int64_t>>& cells) {
  std::vector<int64_t> row_of, cell_of;
  for (size_t row = 0; row < cells.size(); ++row)
    for (const int64_t cell : cells[row]) {
      row_of.push_back(static_cast<int64_t>(row));
      cell_of.push_back(cell);
    }
  return Positions::of(kGrid, static_cast<int64_t>(cells.size()), at::tensor(row_of, at::kLong),
                       at::tensor(cell_of, at::kLong));
}

bool near(int64_t one, int64_t other, int radius) {
  return std::abs(one / kGrid.width - other / kGrid.width) <= radius &&
         std::abs(one % kGrid.width - other % kGrid.width) <= radius;
}

/// The rows in reach of a cell; all, where there are fewer than k.
std::vector<int64_t> in_reach(const std::vector<std::set<int64_t>>& cells, int64_t cell, int radius,
                              int64_t k) {
  std::vector<int64_t> rows, all;
  for (int64_t row = 0; row < std::ssize(cells); ++row) {
    all.push_back(row);
    if (std::any_of(cells[row].begin(), cells[row].end(),
                    [&](int64_t seen) { return near(seen, cell, radius); }))
      rows.push_back(row);
  }
  return std::ssize(rows) < k ? all : rows;
}

/// Values as a network's are: few directions have most of the variance.
at::Tensor features(const char* name, int64_t rows, int64_t width) {
  const at::Tensor scales = at::pow(at::arange(1, width + 1), -0.7);
  return at::matmul(float_noise(name, {rows, width}) * scales, float_noise("turn", {width, width}));
}

/// A bank of these rows, with positions, on the CPU.
MemoryBank bank_of(const at::Tensor& rows, const std::vector<std::set<int64_t>>& cells,
                   int radius) {
  MemoryBank bank;
  bank.rows = rows;
  bank.neighbours = at::arange(rows.size(0)).unsqueeze(1);
  bank.positions = positions_of(cells);
  bank.settings.search_radius = radius;
  return bank;
}

/// Each query's nearest are those of fp64 loops over what is in its reach.
void assert_exact(const Neighbours& found, const at::Tensor& bank, const at::Tensor& queries,
                  const std::vector<std::set<int64_t>>& cells, int radius) {
  const int64_t k = found.rows.size(1);
  const at::Tensor b = bank.to(at::kDouble);
  for (int64_t q = 0; q < queries.size(0); ++q) {
    const auto allowed = in_reach(cells, q % kCells, radius, k);
    const at::Tensor all = (b - queries[q].to(at::kDouble)).square().sum(1).sqrt();
    const at::Tensor expected =
        std::get<0>(all.index_select(0, at::tensor(allowed, at::kLong)).sort()).slice(0, 0, k);
    const at::Tensor off = (found.distances[q].to(at::kDouble) - expected).abs();
    ck_assert(off.le(expected * 1e-6).all().item<bool>());
    for (int64_t i = 0; i < k; ++i) {
      const int64_t row = found.rows[q][i].item<int64_t>();
      ck_assert(std::find(allowed.begin(), allowed.end(), row) != allowed.end());
      ck_assert_double_eq_tol(all[row].item<double>(), expected[i].item<double>(), 1e-6);
    }
  }
}

/// By the search of a bank, and by products, which a GPU's is.
void assert_exact(const at::Tensor& rows, const at::Tensor& queries, int radius, int64_t k) {
  const auto cells = drawn_cells(rows.size(0));
  const at::Tensor of_queries = at::arange(queries.size(0)).remainder(kCells);
  const BankSearch search(bank_of(rows, cells, radius), at::kCPU);
  assert_exact(search.nearest(queries, of_queries, k), rows, queries, cells, radius);
  const Reach reach(positions_of(cells), radius);
  const auto out_of = [&](int64_t from, int64_t to) {
    return reach.mask(of_queries.slice(0, from, to)).logical_not();
  };
  for (int64_t cell = 0; cell < kCells; ++cell)
    if (reach.count(cell) < k) return;
  assert_exact(ProductSearch(rows).search(queries, k, out_of), rows, queries, cells, radius);
}

/// The patches of a picture of 12 x 8 that shows a part of 4 x 4 patches there, or none: a part's
/// patches look alike, and so do all around it.
Embedding part_at(int serial, int64_t y, int64_t x, bool is_there = true) {
  constexpr int64_t kWidth = 16;
  at::Tensor grid = 0.05 * float_noise("grain " + std::to_string(serial), {8, 12, kWidth});
  const at::Tensor part = float_noise("part", {kWidth});
  if (is_there) grid.slice(0, y, y + 4).slice(1, x, x + 4) += part;
  return {grid.reshape({96, kWidth}), 1, 8, 12};
}

constexpr int64_t kTop = 2, kLeft = 2;

/// One of those that are learnt, which stray by a patch.
Embedding usual(int serial) { return part_at(serial, kTop + serial % 2, kLeft + serial / 2 % 2); }

Settings with_radius(int radius) {
  Settings s = settings();
  s.search_radius = radius;
  return s;
}

MemoryBank learnt(int radius, double ratio = 0.3) {
  FitOptions options;
  options.coreset_ratio = ratio;
  Fit fit(builtin(), with_radius(radius), options);
  for (int i = 0; i < 12; ++i) fit.add(usual(i), kInput);
  return fit.build();
}

Result score_of(const Detector& detector, const Embedding& seen,
                std::optional<double> keep_above = {}) {
  return detector.score(seen, kInput, keep_above).front();
}

bool is_set(const Positions& positions, int64_t row, int64_t cell) {
  return positions.bits[row][cell / 8].item<int64_t>() >> cell % 8 & 1;
}

}  // namespace

START_TEST(only_rows_in_reach_are_found_whichever_search_it_is) {
  for (const int radius : {1, 2, 4})
    for (const int64_t k : {1, 5})
      assert_exact(features("bank", 700, 96), features("queries", 3 * kCells, 96), radius, k);
  assert_exact(features("bank", 1000, 300), features("queries", kCells, 300), 2, 1);
  assert_exact(features("bank", 40, 5), features("queries", kCells, 5), 2, 1);
  // What nothing can be ruled out of.
  assert_exact(float_noise("bank", {2000, 384}), 50 * float_noise("far", {kCells, 384}), 1, 1);
}
END_TEST

START_TEST(every_instruction_set_finds_the_same_to_the_last_bit) {
  const at::Tensor bank = features("bank", 700, 96), queries = features("queries", kCells, 96);
  const Reach reach(positions_of(drawn_cells(700)), 1);
  using kernels::InstructionSet;
  const auto found = [&](InstructionSet set) {
    return PlacedSearch(bank, reach, {}, kernels::kernels(set))
        .search(queries, at::arange(kCells), 1);
  };
  const Neighbours expected = found(InstructionSet::Scalar);
  for (const auto set : {InstructionSet::Avx2, InstructionSet::Avx512, InstructionSet::Avx512Bf16,
                         InstructionSet::Amx}) {
    if (!kernels::is_available(set)) continue;
    ck_assert(found(set).distances.equal(expected.distances));
    ck_assert(found(set).rows.equal(expected.rows));
  }
}
END_TEST

START_TEST(values_whose_squares_overflow_are_searched_too) {
  const at::Tensor bank = features("bank", 300, 96);
  at::Tensor queries = features("queries", kCells, 96);
  queries[5].fill_(1e25);
  queries[6].fill_(NAN);
  const auto cells = drawn_cells(300);
  const Neighbours found =
      BankSearch(bank_of(bank, cells, 1), at::kCPU).nearest(queries, at::arange(kCells), 1);
  for (const int64_t query : {5, 6}) {
    const auto allowed = in_reach(cells, query, 1, 1);
    ck_assert_int_eq(found.rows[query].item<int64_t>(), allowed.front());
    ck_assert(!found.distances[query].isfinite().item<bool>());
  }
}
END_TEST

START_TEST(a_reach_over_the_whole_picture_finds_what_the_plain_search_finds) {
  const at::Tensor bank = features("bank", 500, 96), queries = features("queries", kCells, 96);
  const BankSearch search(bank_of(bank, drawn_cells(500), 13), at::kCPU);
  const Neighbours within = search.nearest(queries, at::arange(kCells), 3),
                   plain = PrunedSearch(bank).search(queries, 3);
  ck_assert(within.rows.equal(plain.rows));
  ck_assert(within.distances.equal(plain.distances));
}
END_TEST

START_TEST(a_cell_that_too_few_rows_were_seen_near_sees_all) {
  const at::Tensor bank = features("bank", 100, 96), queries = features("queries", 1, 96);
  std::vector<std::set<int64_t>> cells(100, {0});
  cells[42] = {kCells - 1};
  const BankSearch search(bank_of(bank, cells, 1), at::kCPU);
  const auto found = [&](int64_t cell, int64_t k) {
    return search.nearest(queries, at::full({1}, cell, at::kLong), k).rows;
  };
  ck_assert_int_eq(found(kCells - 1, 1).item<int64_t>(), 42);
  ck_assert(found(kCells - 1, 2).equal(PrunedSearch(bank).search(queries, 2).rows));
  ck_assert(found(kCells / 2, 1).equal(PrunedSearch(bank).search(queries, 1).rows));
}
END_TEST

START_TEST(a_row_has_the_cells_of_all_patches_that_it_is_nearest_to) {
  const MemoryBank bank = learnt(1);
  ck_assert(bank.positions.grid == (Size{12, 8}));
  ck_assert_int_lt(bank.size(), 12 * 96 / 2);
  MemoryBank anywhere = bank;
  anywhere.settings.search_radius = 0;
  const Detector placed = detector_of(bank), plain = detector_of(anywhere);
  // And no row knows a place that it stands for nothing at.
  std::set<std::pair<int64_t, int64_t>> expected, known;
  for (int i = 0; i < 12; ++i) {
    const Embedding seen = usual(i);
    ck_assert(score_of(placed, seen).map.equal(score_of(plain, seen).map));
    const at::Tensor rows = NearestNeighbour(bank.rows).search(seen.rows, 1).rows;
    for (int64_t cell = 0; cell < 96; ++cell) expected.emplace(rows[cell].item<int64_t>(), cell);
  }
  for (int64_t row = 0; row < bank.size(); ++row)
    for (int64_t cell = 0; cell < 96; ++cell)
      if (is_set(bank.positions, row, cell)) known.emplace(row, cell);
  ck_assert(known == expected);
}
END_TEST

START_TEST(what_is_normal_elsewhere_is_anomalous_where_it_never_was) {
  const Detector plain = detector_of(learnt(0)), placed = detector_of(learnt(1));
  const auto is_anomalous = [](const Detector& detector, const Embedding& seen) {
    return score_of(detector, seen).score >= detector.bank().calibration.threshold;
  };
  for (const Embedding& wrong : {part_at(20, 2, 8), part_at(20, 0, 0, false)}) {
    ck_assert(!is_anomalous(plain, wrong));
    ck_assert(is_anomalous(placed, wrong));
  }
  ck_assert(!is_anomalous(placed, usual(20)));
}
END_TEST

START_TEST(held_out_frames_are_scored_with_positions_too) {
  // One part of these is alone at its place: a bank of the others knows how it looks, not where.
  const auto highest = [](int radius) {
    Fit fit(builtin(), with_radius(radius), {});
    for (int i = 0; i < 12; ++i) fit.add(i == 5 ? part_at(i, 4, 8) : usual(i), kInput);
    return fit.build().calibration.scores.back();
  };
  ck_assert_float_gt(highest(1), 2 * highest(0));
}
END_TEST

START_TEST(positions_come_back_from_a_file_and_are_part_of_the_id) {
  const TemporaryFolder folder;
  const MemoryBank bank = learnt(1);
  bank.save(folder / "f");
  const MemoryBank loaded = MemoryBank::load(folder / "f");
  ck_assert(loaded.positions.bits.equal(bank.positions.bits));
  ck_assert(loaded.positions.grid == bank.positions.grid);
  assert_text(loaded.id, bank.id.c_str());
  MemoryBank other = bank;
  other.positions.bits = bank.positions.bits.clone();
  other.positions.bits[0][0] = other.positions.bits[0][0].item<int64_t>() ^ 1;
  ck_assert(other.identify() != bank.id);
}
END_TEST

START_TEST(positions_that_are_none_are_refused) {
  const MemoryBank bank = learnt(1);
  const auto refused = [&](const char* what, const Positions& positions) {
    const TemporaryFolder folder;
    MemoryBank broken = bank;
    broken.positions = positions;
    broken.save(folder / "f");
    assert_refused(ErrorCode::OpenRead, {(folder / "f").string()}, what,
                   [&] { MemoryBank::load(folder / "f"); });
  };
  const at::Tensor& bits = bank.positions.bits;
  at::Tensor nowhere = bits.clone();
  nowhere[3].zero_();
  refused("missing", {});
  refused("a row less", {bits.slice(0, 1), bank.positions.grid});
  refused("a row that was seen nowhere", {nowhere, bank.positions.grid});
  refused("another type", {bits.to(at::kInt), bank.positions.grid});
  refused("another grid", {bits, {12, 9}});
  refused("no grid", {bits, {0, 8}});
  refused("a large grid", {bits, {1 << 20, 8}});
  at::Tensor outside = at::full({bank.size(), 12}, 255, at::kByte);
  refused("outside", {outside, {13, 7}});
}
END_TEST

START_TEST(pictures_of_another_size_are_refused_naming_both) {
  const Detector detector = detector_of(learnt(1));
  Embedding other;
  other.images = 1;
  other.height = 4;
  other.width = 6;
  other.rows = at::zeros({24, detector.bank().width()});
  assert_refused(ErrorCode::Incompatible, {"12 x 8", "6 x 4"}, "score",
                 [&] { detector.score(other, kInput); });
  Fit fit(builtin(), with_radius(1), {});
  fit.add(usual(0), kInput);
  assert_refused(ErrorCode::InvalidArgument, {"12 x 8", "6 x 4"}, "learn",
                 [&] { fit.add(other, kInput); });
}
END_TEST

START_TEST(a_mask_and_positions_go_together) {
  const Detector detector = detector_of(learnt(1));
  Embedding one = usual(0);
  one.images = 2;
  one.rows = at::cat({one.rows, part_at(20, 4, 8).rows});  // what is wrong lies in the lower half
  const auto scored = [&](bool masked) {
    Embedding e = one;
    e.counted = at::ones({2, 8, 12}, at::kBool);
    if (masked) e.counted.slice(1, 0, 4).zero_();
    return detector.score(e, kInput)[1];
  };
  const Result all = scored(false), half = scored(true);
  const Result plain = detector.score(one, kInput)[1];
  ck_assert_double_eq(all.score, plain.score);
  ck_assert_double_eq(half.score, all.score);
  ck_assert(half.map.slice(0, 0, kInput.height / 2).eq(0).all().item<bool>());
}
END_TEST

START_TEST(a_false_alarm_is_learnt_at_its_place_alone) {
  const MemoryBank bank = learnt(1);
  const Detector before = detector_of(bank);
  const double threshold = bank.calibration.threshold, covered = bank.calibration.pixel_median;
  const Embedding moved = part_at(20, 2, 8);
  const Result seen = score_of(before, moved, covered);
  ck_assert_int_eq(seen.cells.size(0), seen.patches.size(0));
  ck_assert(moved.rows.index_select(0, seen.cells).equal(seen.patches));
  const Detector after = detector_of(extended(bank, seen.patches, seen.cells, covered));
  ck_assert_double_ge(score_of(before, moved).score, threshold);
  ck_assert_double_lt(score_of(after, moved).score, threshold);
  ck_assert_double_ge(score_of(after, part_at(20, 4, 5)).score, threshold);
  assert_refused(ErrorCode::InvalidArgument, {}, "without cells",
                 [&] { extended(bank, seen.patches, {}, covered); });
  assert_refused(ErrorCode::InvalidArgument, {}, "outside",
                 [&] { extended(bank, seen.patches, seen.cells + 96, covered); });
}
END_TEST

int main() {
  Suite* suite = suite_create("positions");
  TCase* tests = tcase_create("positions");
  tcase_set_timeout(tests, 60);
  tcase_add_test(tests, only_rows_in_reach_are_found_whichever_search_it_is);
  tcase_add_test(tests, every_instruction_set_finds_the_same_to_the_last_bit);
  tcase_add_test(tests, values_whose_squares_overflow_are_searched_too);
  tcase_add_test(tests, a_reach_over_the_whole_picture_finds_what_the_plain_search_finds);
  tcase_add_test(tests, a_cell_that_too_few_rows_were_seen_near_sees_all);
  tcase_add_test(tests, a_row_has_the_cells_of_all_patches_that_it_is_nearest_to);
  tcase_add_test(tests, what_is_normal_elsewhere_is_anomalous_where_it_never_was);
  tcase_add_test(tests, held_out_frames_are_scored_with_positions_too);
  tcase_add_test(tests, positions_come_back_from_a_file_and_are_part_of_the_id);
  tcase_add_test(tests, positions_that_are_none_are_refused);
  tcase_add_test(tests, pictures_of_another_size_are_refused_naming_both);
  tcase_add_test(tests, a_mask_and_positions_go_together);
  tcase_add_test(tests, a_false_alarm_is_learnt_at_its_place_alone);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
