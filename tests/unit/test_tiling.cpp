// SPDX-License-Identifier: LGPL-2.1-or-later
// Inputs that the network takes in tiles. What comes out is held against the tiles scored one by
// one by a detector that knows of none.

#include <algorithm>

#include "station.hpp"
#include "tiling.hpp"

using namespace station;

namespace {

constexpr int kStride = 16, kTile = 32;

Settings tiled(int size, int overlap, const char* scoring = "reweighted") {
  Settings s = settings();
  s.tile_size = size;
  s.tile_overlap = overlap;
  s.set("image_scoring", scoring);
  return s;
}

/// The bank of whole pictures, as if it had been fitted with these settings.
Detector detector_with(Settings settings) {
  MemoryBank bank = built();
  settings.backbone = bank.settings.backbone;
  settings.layers = bank.settings.layers;
  bank.settings = std::move(settings);
  return detector_of(std::move(bank));
}

Picture cut_out(const Picture& picture, const Place& place, Size size) {
  Picture part;
  for (int y = 0; y < size.height; ++y) {
    const auto* row =
        &picture[(static_cast<size_t>(place.y + y) * kInput.width + static_cast<size_t>(place.x)) *
                 3];
    part.insert(part.end(), row, row + 3 * size.width);
  }
  return part;
}

/// A tile's result by itself.
Result alone(const Picture& picture, const Place& place, Size tile, Settings s) {
  s.tile_size = s.tile_overlap = 0;
  s.resize = {tile.width, tile.height};
  const Detector detector = detector_with(s);
  const Picture part = cut_out(picture, place, tile);
  Request request{part.data(), &detector, nullptr, {}};
  infer(*builtin(), tile, {&request, 1});
  return request.result;
}

}  // namespace

START_TEST(tiles_cover_the_input_and_overlap_by_what_is_asked_for) {
  for (const int side : {16, 32, 64, 256})
    for (const int overlap : {0, 1, 15, 16, 40, side - 1})
      for (int width = 16; width <= 700; width += 16)
        for (const int height : {16, 96, 256}) {
          if (overlap >= side) continue;
          const Tiling tiling(tiled(side, overlap), {width, height}, kStride);
          const Size tile = tiling.tile();
          ck_assert_int_eq(tile.width, std::min(side, width));
          ck_assert_int_eq(tile.height, std::min(side, height));
          std::vector<int64_t> columns;
          for (const Place& place : tiling.places()) {
            ck_assert_int_eq(place.x % kStride, 0);
            ck_assert_int_eq(place.y % kStride, 0);
            ck_assert_int_ge(place.y, 0);
            if (place.y == 0) columns.push_back(place.x);
          }
          ck_assert_int_eq(columns.front(), 0);
          ck_assert_int_eq(columns.back(), width - tile.width);
          ck_assert_int_eq(tiling.places().back().y, height - tile.height);
          // At least as much as asked for; one stride lies between two tiles that ask for nearly
          // all.
          const int step = std::max(kStride, (side - overlap) / kStride * kStride);
          for (size_t i = 1; i < columns.size(); ++i) {
            ck_assert_int_gt(columns[i], columns[i - 1]);
            ck_assert_int_le(columns[i] - columns[i - 1], step);
          }
        }
}
END_TEST

START_TEST(the_score_is_that_of_the_worst_tile_whatever_the_scoring) {
  for (const char* scoring : {"reweighted", "maximum", "article"})
    for (const int overlap : {0, 16}) {
      const Settings s = tiled(kTile, overlap, scoring);
      const Tiling tiling(s, kInput, kStride);
      ck_assert_uint_eq(tiling.count(), overlap == 0 ? 6 : 15);
      for (const Picture& picture : {normal(20), defective(20)}) {
        const Result whole = score(detector_with(s), picture);
        Result worst;
        Place where;
        double largest = -1;  // patch value: what the worst tile is told by
        for (const Place& place : tiling.places()) {
          const Result plain = alone(picture, place, tiling.tile(), tiled(kTile, 0, "maximum"));
          if (plain.score <= largest) continue;
          largest = plain.score;
          worst = alone(picture, place, tiling.tile(), s);
          where = place;
        }
        ck_assert_double_eq_tol(whole.score, worst.score, 1e-5 * worst.score);
        ck_assert_double_eq_tol(whole.peak_x * kInput.width,
                                static_cast<double>(where.x) + worst.peak_x * kTile, 1e-6);
        ck_assert_double_eq_tol(whole.peak_y * kInput.height,
                                static_cast<double>(where.y) + worst.peak_y * kTile, 1e-6);
      }
    }
}
END_TEST

START_TEST(where_tiles_overlap_the_map_is_their_mean) {
  // Without blur and with nearest upsampling the map shows the patches' own values.
  Settings s = tiled(kTile, 16);
  s.map_sigma = 0;
  const Tiling tiling(s, kInput, kStride);
  const Picture picture = defective(20);
  at::Tensor sum = at::zeros({kInput.height, kInput.width}), count = at::zeros_like(sum);
  for (const Place& place : tiling.places()) {
    const auto part = [&](const at::Tensor& t) {
      return t.narrow(0, place.y, kTile).narrow(1, place.x, kTile);
    };
    part(sum).add_(alone(picture, place, tiling.tile(), s).map);
    part(count).add_(1);
  }
  const Result whole = score(detector_with(s), picture);
  ck_assert((whole.map.sizes() == sum.sizes()));
  ck_assert_double_le((whole.map - sum / count).abs().max().item<double>(), 1e-5);
  ck_assert_double_gt(count.max().item<double>(), 3);
}
END_TEST

START_TEST(a_tile_of_the_inputs_size_changes_nothing) {
  const Result whole = score(detector_with(settings()), defective(20));
  const Result one = score(detector_with(tiled(96, 0)), defective(20));
  ck_assert_double_eq(one.score, whole.score);
  ck_assert(one.map.equal(whole.map));
}
END_TEST

START_TEST(a_fit_learns_every_tile_and_calibrates_with_them) {
  FitOptions options;
  options.coreset_ratio = 1;
  Fit fit(builtin(), tiled(kTile, 16), options);
  add_normal(fit, 4);
  const MemoryBank bank = fit.build();
  const int64_t of_tile = (kTile / 8) * (kTile / 8);
  ck_assert_int_eq(bank.size(), 4 * 15 * of_tile);
  ck_assert_uint_eq(bank.calibration.scores.size(), 4);
  const Detector detector = detector_of(bank);
  // All of its patches are in the bank.
  ck_assert_double_le(score(detector, normal(0)).score, 1e-4);
  ck_assert_double_gt(score(detector, defective(20)).normalized_score, 0.5);
}
END_TEST

START_TEST(requests_with_and_without_tiles_share_a_batch) {
  const Detector whole = detector_with(settings()), parts = detector_with(tiled(kTile, 16)),
                 others = detector_with(tiled(48, 0));
  const std::vector<Picture> pictures{normal(20), defective(20), defective(21)};
  std::vector<Request> requests;
  for (const Detector* detector : {&whole, &parts, &others, &parts})
    for (const Picture& picture : pictures)
      requests.push_back({picture.data(), detector, nullptr, {}});
  infer(*builtin(), kInput, requests);
  for (const Request& request : requests) {
    Request single{request.rgb, request.detector, nullptr, {}};
    infer(*builtin(), kInput, {&single, 1});
    ck_assert_double_eq_tol(request.result.score, single.result.score, 1e-5 * single.result.score);
  }
}
END_TEST

START_TEST(sizes_that_can_not_be_are_refused) {
  assert_refused(ErrorCode::InvalidArgument, {"40", "16"}, "a size that is no multiple",
                 [] { detector_with(tiled(40, 0)); });
  for (const auto& [size, overlap] : {std::pair{32, 32}, {32, 100}})
    assert_refused(ErrorCode::InvalidArgument, {"tile_overlap"}, "too much overlap",
                   [&] { tiled(size, overlap).check(); });
}
END_TEST

int main() {
  const at::InferenceMode no_gradients;
  Suite* suite = suite_create("tiling");
  TCase* tests = tcase_create("tiling");
  tcase_set_timeout(tests, 120);
  tcase_add_test(tests, tiles_cover_the_input_and_overlap_by_what_is_asked_for);
  tcase_add_test(tests, the_score_is_that_of_the_worst_tile_whatever_the_scoring);
  tcase_add_test(tests, where_tiles_overlap_the_map_is_their_mean);
  tcase_add_test(tests, a_tile_of_the_inputs_size_changes_nothing);
  tcase_add_test(tests, a_fit_learns_every_tile_and_calibrates_with_them);
  tcase_add_test(tests, requests_with_and_without_tiles_share_a_batch);
  tcase_add_test(tests, sizes_that_can_not_be_are_refused);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
