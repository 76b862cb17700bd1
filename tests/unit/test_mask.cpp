// SPDX-License-Identifier: LGPL-2.1-or-later
// What a mask leaves out is neither learnt nor scored.

#include "../png_file.hpp"
#include "mask.hpp"
#include "masking.hpp"
#include "scoring.hpp"
#include "station.hpp"

using namespace station;

namespace {

/// White in some columns.
cv::Mat1b columns(int width, int height, int from, int to) {
  cv::Mat1b grey(height, width, uint8_t{0});
  grey.colRange(from, to).setTo(255);
  return grey;
}

/// Counts left of the foreign patch of defective(), at x 56..72, and what its neighbours see.
std::shared_ptr<const Mask> left_part() {
  return std::make_shared<Mask>(columns(96, 64, 0, 40), MaskKind::Focus);
}

std::string text(const at::Tensor& cells) {
  std::string all;
  for (int64_t y = 0; y < cells.size(0); ++y) {
    for (int64_t x = 0; x < cells.size(1); ++x) all += cells[y][x].item<bool>() ? '#' : '.';
    all += '\n';
  }
  return all;
}

void assert_cells(const at::Tensor& cells, const char* expected) {
  assert_text(text(cells), expected);
}

Request request(const Picture& picture, const Detector& detector, const Mask* mask) {
  Request r{picture.data(), &detector, nullptr, {}};
  r.mask = mask;
  return r;
}

Result masked(const Detector& detector, const Picture& picture, const Mask* mask) {
  Request r = request(picture, detector, mask);
  infer(*builtin(), kInput, {&r, 1});
  return r.result;
}

std::unique_ptr<Fit> masked_fit(const Mask* mask, const Settings& s, const FitOptions& options) {
  auto fit = std::make_unique<Fit>(builtin(), s, options);
  for (int i = 0; i < kFrames; ++i) {
    const Picture picture = normal(i);
    Request r{picture.data(), nullptr, fit.get(), {}};
    r.mask = mask;
    infer(*builtin(), kInput, {&r, 1});
  }
  return fit;
}

Settings with_scoring(const char* scoring) {
  Settings s = settings();
  s.set("image_scoring", scoring);
  return s;
}

void refuse_png(const std::string& file, ErrorCode code) {
  assert_refused(code, {file}, file, [&] { Mask::load(file, MaskKind::Focus); });
}

}  // namespace

START_TEST(a_cell_counts_where_half_of_it_does) {
  const Mask mask(columns(8, 4, 1, 4), MaskKind::Focus);
  assert_cells(mask.cells({}, 2, 8), ".###....\n.###....\n");
  assert_cells(mask.cells({}, 2, 4), "##..\n##..\n");
  assert_cells(mask.cells({}, 1, 2), "#.\n");
  assert_cells(mask.cells({}, 1, 1), ".\n");
  assert_cells(Mask(columns(8, 4, 1, 4), MaskKind::Ignore).cells({}, 1, 8), "#...####\n");
}
END_TEST

START_TEST(a_mask_of_another_size_is_scaled) {
  const Mask small(columns(8, 4, 2, 6), MaskKind::Focus);
  const Mask large(columns(800, 400, 200, 600), MaskKind::Focus);
  for (const int64_t width : {1, 2, 4, 8})
    ck_assert(small.cells({}, 3, width).equal(large.cells({}, 3, width)));
  assert_cells(small.cells({}, 1, 4), ".##.\n");
  assert_cells(large.cells({}, 1, 4), ".##.\n");
}
END_TEST

START_TEST(a_part_of_the_frame_has_its_part_of_the_mask) {
  const Mask mask(columns(80, 40, 40, 80), MaskKind::Focus);
  assert_cells(mask.cells({0, 0, 0.5, 1}, 1, 4), "....\n");
  assert_cells(mask.cells({0.5, 0.25, 0.5, 0.5}, 1, 4), "####\n");
  assert_cells(mask.cells({0.25, 0, 0.5, 1}, 1, 4), "..##\n");
  assert_cells(mask.cells({0.999, 0.999, 0.001, 0.001}, 2, 2), "##\n##\n");  // less than a pixel
}
END_TEST

START_TEST(another_aspect_is_refused_with_both_sizes) {
  const Mask mask(columns(320, 180, 0, 320), MaskKind::Focus);
  mask.check({1920, 1080});
  mask.check({1366, 768});  // not quite 16:9, as no screen of that width is
  mask.check({32, 18});
  for (const Size frame : {Size{640, 480}, Size{1080, 1920}, Size{1920, 1088 + 16}})
    assert_refused(ErrorCode::InvalidArgument, {"320 x 180", std::to_string(frame.width)}, "aspect",
                   [&] { mask.check(frame); });
}
END_TEST

START_TEST(a_mask_that_leaves_nothing_is_refused) {
  assert_refused(ErrorCode::InvalidArgument, {"nothing"}, "black", [] {
    Mask(columns(32, 18, 0, 0), MaskKind::Focus).check({64, 36});
  });
  assert_refused(ErrorCode::InvalidArgument, {"nothing"}, "white", [] {
    Mask(columns(32, 18, 0, 32), MaskKind::Ignore).check({64, 36});
  });
}
END_TEST

START_TEST(pngs_of_any_kind_are_read) {
  const TemporaryFolder folder;
  const std::string file = folder.file("mask.png");
  const auto cells = [&] { return Mask::load(file, MaskKind::Focus)->cells({}, 1, 4); };
  write_png(file, 4, 1, PNG_FORMAT_GRAY, {0, 127, 128, 255});
  assert_cells(cells(), "..##\n");
  write_png(file, 4, 1, PNG_FORMAT_RGB, {0, 0, 0, 255, 255, 255, 0, 0, 40, 200, 200, 200});
  assert_cells(cells(), ".#.#\n");
  // White that can't be seen is as black as what nobody painted on.
  write_png(file, 4, 1, PNG_FORMAT_RGBA,
            {255, 255, 255, 0, 255, 255, 255, 255, 0, 0, 0, 255, 255, 255, 255, 0});
  assert_cells(cells(), ".#..\n");
}
END_TEST

START_TEST(what_is_no_png_is_refused_by_its_name) {
  const TemporaryFolder folder;
  const std::string file = folder.file("mask.png");
  refuse_png(file, ErrorCode::NotFound);
  write_file(file, "");
  refuse_png(file, ErrorCode::OpenRead);
  write_file(file, "P5 4 4 255 ................");
  refuse_png(file, ErrorCode::OpenRead);
  write_mask(file, 64, 64, [](unsigned x, unsigned y) { return (x * y) % 3 == 0; });
  const std::string whole = read_file(file);
  for (const size_t length : {8ul, 30ul, 45ul, whole.size() / 2}) {
    write_file(file, whole.substr(0, length));
    refuse_png(file, ErrorCode::OpenRead);
  }
  refuse_png(folder.file(""), ErrorCode::OpenRead);
}
END_TEST

START_TEST(a_png_that_says_it_is_huge_is_refused_before_there_is_memory_for_it) {
  const TemporaryFolder folder;
  const std::string file = folder.file("mask.png");
  write_mask(file, 16, 16, [](unsigned, unsigned) { return true; });
  std::string bytes = read_file(file);
  // IHDR: width and height behind signature, length and type; its sum is corrected.
  constexpr size_t kWidth = 16, kSum = 29;
  for (const size_t at : {kWidth, kWidth + 4}) bytes.replace(at, 4, std::string("\0\0\xff\xff", 4));
  uint32_t crc = 0xffffffff;
  for (size_t i = 12; i < kSum; ++i) {
    crc ^= static_cast<unsigned char>(bytes[i]);
    for (int bit = 0; bit < 8; ++bit) crc = crc & 1 ? crc >> 1 ^ 0xedb88320u : crc >> 1;
  }
  crc = ~crc;
  for (size_t i = 0; i < 4; ++i) bytes[kSum + i] = static_cast<char>(crc >> (24 - 8 * i));
  write_file(file, bytes);
  assert_refused(ErrorCode::OpenRead, {file, "too many pixels"}, "65535 x 65535",
                 [&] { Mask::load(file, MaskKind::Focus); });
}
END_TEST

START_TEST(the_mask_beside_a_bank_is_found_by_its_name) {
  const TemporaryFolder folder;
  const std::string bank = folder.file("part.safetensors");
  ck_assert_ptr_null(Mask::beside(bank).get());
  const auto left = [](unsigned x, unsigned) { return x < 2; };
  write_mask(folder.file("part.ignore.png"), 4, 4, left);
  assert_cells(Mask::beside(bank)->cells({}, 1, 4), "..##\n");
  write_mask(folder.file("part.focus.png"), 4, 4, left);
  assert_refused(ErrorCode::InvalidArgument, {"part.focus.png", "part.ignore.png"}, "both",
                 [&] { Mask::beside(bank); });
  std::filesystem::remove(folder.file("part.ignore.png"));
  assert_cells(Mask::beside(bank)->cells({}, 1, 4), "##..\n");
}
END_TEST

/// fp64 over all rows, as in the detector's own tests, of the patches that count.
START_TEST(the_score_is_that_of_the_patches_that_count) {
  const auto mask = left_part();
  const at::Tensor counted = mask->cells({}, 8, 12).flatten();
  for (const char* scoring : {"maximum", "top-mean"}) {
    Fit fit(builtin(), with_scoring(scoring), {});
    add_normal(fit);
    const MemoryBank bank = fit.build();
    const Detector detector = detector_of(bank);
    for (const bool foreign : {false, true}) {
      const Picture picture = foreign ? defective(20) : normal(20);
      const at::Tensor rgb =
          at::tensor(picture, at::kByte).reshape({1, kInput.height, kInput.width, 3});
      const at::Tensor rows =
          PatchEmbedding(bank.settings)(builtin()->features(Preprocess::normalise(rgb)))
              .rows.index_select(0, at::nonzero(counted).flatten());
      const at::Tensor least =
          std::get<0>(at::cdist(rows.to(at::kDouble), bank.rows.to(at::kDouble)).min(1));
      const double expected = std::string(scoring) == "maximum"
                                  ? least.max().item<double>()
                                  : std::get<0>(least.topk(10)).mean().item<double>();
      ck_assert_double_eq_tol(masked(detector, picture, mask.get()).score, expected,
                              1e-4 * expected);
    }
  }
}
END_TEST

START_TEST(a_foreign_patch_that_is_left_out_is_nowhere_in_the_result) {
  const auto mask = left_part();
  for (const char* scoring : {"maximum", "reweighted", "article", "top-mean", "map-maximum"}) {
    Fit fit(builtin(), with_scoring(scoring), {});
    add_normal(fit);
    const Detector detector = detector_of(fit.build());
    const Result seen = masked(detector, defective(20), nullptr);
    const Result left_out = masked(detector, defective(20), mask.get());
    // What counts sees a little of the patch, in so small a picture.
    ck_assert_msg(left_out.score <= seen.score / 2, "%s: %g with, %g without", scoring,
                  left_out.score, seen.score);
    ck_assert_double_lt(left_out.peak_x * kInput.width, 40);
    ck_assert(left_out.map.slice(1, 40).eq(0).all().item<bool>());
    ck_assert(left_out.map.slice(1, 0, 40).gt(0).all().item<bool>());
  }
}
END_TEST

START_TEST(the_map_beside_what_is_left_out_is_not_pulled_down_by_it) {
  const at::Tensor counted = left_part()->cells({}, 8, 12).unsqueeze(0);
  const at::Tensor values = at::full({1, 8, 12}, 7.0f);
  for (const Interpolation upsampling : {Interpolation::Nearest, Interpolation::Bilinear}) {
    Settings s = settings();
    s.map_upsampling = upsampling;
    const at::Tensor map = anomaly_maps(s, values, kInput, counted)[0];
    ck_assert_double_le((map.slice(1, 0, 40) - 7).abs().max().item<double>(), 1e-5);
    ck_assert(map.slice(1, 40).eq(0).all().item<bool>());
  }
}
END_TEST

START_TEST(a_bank_has_no_row_of_what_is_left_out) {
  const auto mask = left_part();
  const auto fit = masked_fit(mask.get(), settings(), {.coreset_ratio = 1});
  const int64_t counted = mask->cells({}, 8, 12).sum().item<int64_t>();
  ck_assert_int_eq(fit->patches(), kFrames * counted);
  const MemoryBank bank = fit->build();
  ck_assert_int_eq(bank.size(), kFrames * counted);
  ck_assert(bank.calibration.valid());
  // So what was left out while learning is as foreign as if it had not been there.
  Fit defects(builtin(), settings(), {.coreset_ratio = 1, .folds = 0});
  for (int i = 0; i < kFrames; ++i) {
    const Picture picture = defective(i);
    Request r{picture.data(), nullptr, &defects, {}};
    r.mask = mask.get();
    infer(*builtin(), kInput, {&r, 1});
  }
  const double foreign = score(detector_of(bank), defective(20)).score;
  ck_assert_double_ge(score(detector_of(defects.build()), defective(20)).score, 0.8 * foreign);
}
END_TEST

START_TEST(copies_of_a_frame_move_the_mask_along) {
  const Mask mask(columns(96, 64, 0, 40), MaskKind::Focus);
  const std::vector<Augmentation> kinds{Augmentation::FlipX, Augmentation::FlipY,
                                        Augmentation::Brightness};
  const at::Tensor grids = patches_that_count(mask, {}, kInput, 8, 12, {kinds, 1, 0});
  ck_assert_int_eq(grids.size(0), 4);
  ck_assert(grids[1].equal(grids[0].flip({1})));
  ck_assert(grids[2].equal(grids[0]));
  ck_assert(grids[3].equal(grids[0]));
  Settings s = settings();
  s.augmentation = {Augmentation::FlipX};
  const auto fit = masked_fit(&mask, s, {.coreset_ratio = 1, .folds = 0});
  ck_assert_int_eq(fit->patches(), 2 * kFrames * grids[0].sum().item<int64_t>());
}
END_TEST

START_TEST(frames_with_and_without_a_mask_share_a_batch) {
  const auto mask = left_part();
  const Detector detector = detector_of(built());
  const Picture picture = defective(20);
  std::vector<Request> batch;
  for (const Mask* one : {static_cast<const Mask*>(nullptr), mask.get(), mask.get()})
    batch.push_back(request(picture, detector, one));
  batch[2].region = {0, 0, 0.25, 0.25};  // of it all counts
  infer(*builtin(), kInput, batch);
  ck_assert_double_eq_tol(batch[0].result.score, masked(detector, picture, nullptr).score, 1e-4);
  ck_assert_double_eq_tol(batch[1].result.score, masked(detector, picture, mask.get()).score, 1e-4);
  ck_assert_double_eq_tol(batch[2].result.score, batch[0].result.score, 1e-4);
}
END_TEST

START_TEST(tiles_leave_out_what_the_whole_leaves_out) {
  Settings s = with_scoring("maximum");
  s.tile_size = 32;
  s.tile_overlap = 16;
  const auto mask = left_part();
  const auto fit = masked_fit(mask.get(), s, {});
  const Detector detector = detector_of(fit->build());
  const Result result = masked(detector, defective(20), mask.get());
  ck_assert(result.map.slice(1, 40).eq(0).all().item<bool>());
  ck_assert_double_lt(result.peak_x * kInput.width, 40);
  const auto right = std::make_shared<Mask>(columns(96, 64, 40, 96), MaskKind::Focus);
  ck_assert_double_gt(masked(detector, defective(20), right.get()).score, 2 * result.score);
}
END_TEST

START_TEST(where_nothing_counts_the_score_is_zero_and_a_fit_passes_it_over) {
  const auto mask = left_part();
  const Detector detector = detector_of(built());
  const Picture picture = defective(20);
  Request r = request(picture, detector, mask.get());
  r.region = {0.5, 0, 0.5, 1};
  r.keep_above = -1.0;
  infer(*builtin(), kInput, {&r, 1});
  ck_assert_double_eq(r.result.score, 0);
  ck_assert_double_eq(r.result.map_peak, 0);
  ck_assert_int_eq(r.result.patches.size(0), 0);
  Fit fit(builtin(), settings(), {});
  Request learnt{picture.data(), nullptr, &fit, {}};
  learnt.mask = mask.get();
  learnt.region = r.region;
  infer(*builtin(), kInput, {&learnt, 1});
  ck_assert_int_eq(fit.frames(), 0);
}
END_TEST

int main() {
  Suite* suite = suite_create("mask");
  TCase* tests = tcase_create("mask");
  tcase_set_timeout(tests, 60);
  tcase_add_test(tests, a_cell_counts_where_half_of_it_does);
  tcase_add_test(tests, a_mask_of_another_size_is_scaled);
  tcase_add_test(tests, a_part_of_the_frame_has_its_part_of_the_mask);
  tcase_add_test(tests, another_aspect_is_refused_with_both_sizes);
  tcase_add_test(tests, a_mask_that_leaves_nothing_is_refused);
  tcase_add_test(tests, pngs_of_any_kind_are_read);
  tcase_add_test(tests, what_is_no_png_is_refused_by_its_name);
  tcase_add_test(tests, a_png_that_says_it_is_huge_is_refused_before_there_is_memory_for_it);
  tcase_add_test(tests, the_mask_beside_a_bank_is_found_by_its_name);
  tcase_add_test(tests, the_score_is_that_of_the_patches_that_count);
  tcase_add_test(tests, a_foreign_patch_that_is_left_out_is_nowhere_in_the_result);
  tcase_add_test(tests, the_map_beside_what_is_left_out_is_not_pulled_down_by_it);
  tcase_add_test(tests, a_bank_has_no_row_of_what_is_left_out);
  tcase_add_test(tests, copies_of_a_frame_move_the_mask_along);
  tcase_add_test(tests, frames_with_and_without_a_mask_share_a_batch);
  tcase_add_test(tests, tiles_leave_out_what_the_whole_leaves_out);
  tcase_add_test(tests, where_nothing_counts_the_score_is_zero_and_a_fit_passes_it_over);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
