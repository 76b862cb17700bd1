// SPDX-License-Identifier: LGPL-2.1-or-later
// The C API through libpatchcore.so. What its functions compute: the classes' own tests.

#include <tuple>

#include "../png_file.hpp"
#include "c_api.hpp"

using namespace c_api;

namespace {

/// A result as patchcore_infer() fills it, with a map that is drawn by hand.
struct Drawn {
  Drawn(guint width, guint height, const std::vector<float>& values) {
    result.map = g_bytes_new(values.data(), values.size() * sizeof(float));
    result.map_width = width;
    result.map_height = height;
  }
  ~Drawn() { patchcore_result_clear(&result); }
  Drawn(const Drawn&) = delete;
  Drawn& operator=(const Drawn&) = delete;

  PatchcoreResult result{};
};

}  // namespace

START_TEST(the_regions_of_a_map_are_told_in_fractions_of_the_input) {
  const Drawn drawn(4, 2, {0, 0, 5, 6, 3, 0, 0, 0});
  PatchcoreRegion regions[4];
  ck_assert_uint_eq(patchcore_result_get_regions(&drawn.result, 2, regions, 4), 2);
  const PatchcoreRegion& first = regions[0];
  ck_assert_double_eq(first.x, 0.5);
  ck_assert_double_eq(first.y, 0);
  ck_assert_double_eq(first.w, 0.5);
  ck_assert_double_eq(first.h, 0.5);
  ck_assert_double_eq(first.peak, 6);
  ck_assert_double_eq(first.peak_x, 0.875);
  ck_assert_double_eq(first.peak_y, 0.25);
  ck_assert_double_eq(regions[1].peak, 3);
}
END_TEST

START_TEST(no_more_regions_are_written_than_there_is_room_for) {
  const Drawn drawn(5, 1, {1, 0, 3, 0, 2});
  PatchcoreRegion regions[3];
  regions[2].peak = -1;
  ck_assert_uint_eq(patchcore_result_get_regions(&drawn.result, 1, regions, 2), 2);
  ck_assert_double_eq(regions[0].peak, 3);
  ck_assert_double_eq(regions[1].peak, 2);
  ck_assert_double_eq(regions[2].peak, -1);
  ck_assert_uint_eq(patchcore_result_get_regions(&drawn.result, 1, nullptr, 0), 0);
}
END_TEST

START_TEST(a_result_without_a_map_or_with_another_than_it_says_has_no_regions) {
  PatchcoreRegion region;
  const PatchcoreResult empty{};
  ck_assert_uint_eq(patchcore_result_get_regions(&empty, 0, &region, 1), 0);
  for (const auto& [width, height] : {std::pair{3u, 1u}, {1u, 1u}, {0u, 0u}, {~0u, ~0u}}) {
    const Drawn drawn(width, height, {1, 1});
    ck_assert_uint_eq(patchcore_result_get_regions(&drawn.result, 0, &region, 1), 0);
  }
}
END_TEST

START_TEST(the_network_of_a_bank_has_the_layers_that_it_was_fitted_with) {
  const gchar* const fine[] = {"fine", nullptr};
  const Backbone backbone = builtin(fine);
  const Bank bank = built(small(), backbone);
  ck_assert_uint_eq(info_of(bank).width, 64);
  ErrorPtr error;
  const Backbone of_bank(
      patchcore_backbone_get_for_bank(bank.get(), nullptr, "cpu", nullptr, error.out()));
  error.assert_none();
  ck_assert_ptr_eq(patchcore_backbone_get_id(of_bank.get()),
                   patchcore_backbone_get_id(backbone.get()));
}
END_TEST

START_TEST(a_list_of_layers_that_is_empty_or_has_unknown_ones_is_an_invalid_argument) {
  ErrorPtr error;
  const gchar* const empty[] = {nullptr};
  const gchar* const unknown[] = {"fine", "finest", nullptr};
  PatchcoreBackboneOptions options = on_cpu(empty);
  ck_assert_ptr_null(patchcore_backbone_get(&options, error.out()));
  error.assert_is(PATCHCORE_ERROR_INVALID_ARGUMENT, "empty");
  options = on_cpu(unknown);
  ck_assert_ptr_null(patchcore_backbone_get(&options, error.out()));
  error.assert_is(PATCHCORE_ERROR_INVALID_ARGUMENT, "\"finest\"");
  error.assert_is(PATCHCORE_ERROR_INVALID_ARGUMENT, "fine, coarse");
}
END_TEST

START_TEST(a_fit_like_a_bank_has_its_sizes_and_scores_as_it_does) {
  PatchcoreFitOptions options{};
  options.preset = "article";
  options.resize_width = 80;
  options.resize_height = 96;
  options.crop = kSide;
  const Bank bank = built(options);
  PatchcoreFitOptions like{};
  like.preset = "anomalib";
  like.resize_width = 128;
  like.like = bank.get();
  // The id has all settings in it.
  assert_text(id_of(built(like)), id_of(bank));
  PatchcoreGeometry geometry;
  ErrorPtr error;
  const Fit fit = new_fit(like);
  patchcore_preprocess_get_geometry(patchcore_fit_get_preprocess(fit.get()), 160, 192, 1, &geometry,
                                    error.out());
  error.assert_none();
  ck_assert_uint_eq(geometry.width, kSide);
  ck_assert_double_eq(geometry.w, 0.8);
}
END_TEST

START_TEST(a_bank_keeps_its_id_and_its_model_in_a_file) {
  const TemporaryFolder folder;
  ErrorPtr error;
  const Bank bank = built();
  const std::string id = id_of(bank);
  ck_assert_uint_eq(id.size(), 16);
  ck_assert_uint_eq(id.find_first_not_of("0123456789abcdef"), std::string::npos);
  patchcore_bank_save(bank.get(), folder.file("f").c_str(), nullptr, nullptr, error.out());
  error.assert_none();
  const Bank copy = loaded(folder.file("f"));
  assert_text(id_of(copy), id);
  assert_text(patchcore_bank_get_model(copy.get()), "builtin");
  PatchcoreFitOptions other = small();
  other.seed = 1;
  assert_text(id_of(built()), id);
  ck_assert(id_of(built(other)) != id);
}
END_TEST

START_TEST(banks_of_one_file_share_what_they_hold) {
  const TemporaryFolder folder;
  ErrorPtr error;
  patchcore_bank_save(built().get(), folder.file("f").c_str(), nullptr, nullptr, error.out());
  error.assert_none();
  const Bank first = loaded(folder.file("f")), second = loaded(folder.file("f"));
  ck_assert_ptr_eq(patchcore_bank_get_id(first.get()), patchcore_bank_get_id(second.get()));
}
END_TEST

START_TEST(a_cancelled_load_is_told_as_cancelled_and_a_missing_file_as_not_found) {
  const TemporaryFolder folder;
  ErrorPtr error;
  const Cancellable cancellable(g_cancellable_new());
  ck_assert_ptr_null(
      patchcore_bank_load(folder.file("f").c_str(), nullptr, cancellable.get(), error.out()));
  error.assert_is(PATCHCORE_ERROR_NOT_FOUND, folder.file("f").c_str());
  patchcore_bank_save(built().get(), folder.file("f").c_str(), nullptr, nullptr, error.out());
  error.assert_none();
  g_cancellable_cancel(cancellable.get());
  ck_assert_ptr_null(
      patchcore_bank_load(folder.file("f").c_str(), nullptr, cancellable.get(), error.out()));
  error.assert_is(PATCHCORE_ERROR_CANCELLED);
}
END_TEST

START_TEST(a_fit_takes_settings_and_the_rate_that_its_threshold_is_found_at) {
  const gchar* const settings[] = {"patch_size", "5", "image-scoring", "top-mean", nullptr};
  PatchcoreFitOptions options = small();
  options.settings = settings;
  options.false_alarm_rate = 0.5;
  options.folds = 2;
  const PatchcoreBankInfo info = info_of(built(options));
  ck_assert_uint_eq(info.calibration_frames, 4);
  ck_assert_uint_eq(info.false_alarms, 2);
  // Clopper and Pearson's for 2 of 4, scipy.stats.beta.ppf(0.95, 3, 2)
  ck_assert_double_eq_tol(info.false_alarm_bound, 0.9023892, 1e-6);
  ck_assert_double_eq(info.calibration_hours, 0);
  ck_assert(id_of(built(options)) != id_of(built()));

  const gchar* const wrong[] = {"patch_size", "4", nullptr};
  options.settings = wrong;
  ErrorPtr error;
  const Backbone backbone = builtin();
  ck_assert_ptr_null(patchcore_fit_new(backbone.get(), &options, error.out()));
  error.assert_is(PATCHCORE_ERROR_INVALID_ARGUMENT, "patch_size");
}
END_TEST

START_TEST(a_bank_of_unrounded_values_says_so_and_takes_them) {
  const gchar* const settings[] = {"resize_values", "floats", nullptr};
  PatchcoreFitOptions options = small();
  options.settings = settings;
  const Backbone backbone = builtin();
  const Fit fit = new_fit(options, backbone), plain = new_fit(small(), backbone);
  ErrorPtr error;
  PatchcoreGeometry geometry;
  patchcore_preprocess_get_geometry(patchcore_fit_get_preprocess(plain.get()), 9, 9, 1, &geometry,
                                    error.out());
  ck_assert(!geometry.floats);
  const PatchcorePreprocess* preprocess = patchcore_fit_get_preprocess(fit.get());
  patchcore_preprocess_get_geometry(preprocess, kSide, kSide, 1, &geometry, error.out());
  ck_assert(geometry.floats);

  const auto rgb = stripes(1);
  const PatchcoreImage image{rgb.data(), kSide, kSide, kSide * 3, PATCHCORE_PIXELS_RGB, 1};
  std::vector<gfloat> floats(rgb.size());
  ck_assert(patchcore_preprocess_resize_floats(preprocess, &image, floats.data(), error.out()));
  for (size_t i = 0; i < rgb.size(); ++i) ck_assert_double_eq_tol(floats[i], rgb[i], 1e-3);
  PatchcoreRequest request{};
  request.fit = fit.get();
  request.rgb_floats = floats.data();
  ck_assert(patchcore_infer(backbone.get(), kSide, kSide, &request, 1, error.out()));
  ck_assert_uint_eq(patchcore_fit_get_frames(fit.get()), 1);
  request.rgb = rgb.data();  // one too many
  ck_assert(!patchcore_infer(backbone.get(), kSide, kSide, &request, 1, error.out()));
  error.assert_is(PATCHCORE_ERROR_INVALID_ARGUMENT, "frame");
}
END_TEST

START_TEST(video_becomes_the_input_that_its_rgb_does) {
  const Backbone backbone = builtin();
  const Fit fit = new_fit(small(), backbone);
  const PatchcorePreprocess* preprocess = patchcore_fit_get_preprocess(fit.get());
  const auto rgb = stripes(1);
  // GBR in planes: the same picture as video may have it.
  std::vector<guint8> planes;
  for (const size_t channel : {1, 2, 0})
    for (size_t i = channel; i < rgb.size(); i += 3) planes.push_back(rgb[i]);
  PatchcoreSampledImage image{};
  for (guint i = 0; i < 3; ++i) {
    constexpr guint kPlane[] = {2, 0, 1};
    image.components[i] = {
        planes.data() + gsize{kPlane[i]} * kSide * kSide, kSide, kSide, kSide, 1, 1, 0, 8};
    image.to_rgb[i][i] = 1;
  }
  image.width = image.height = kSide;
  ErrorPtr error;
  std::vector<guint8> ours(rgb.size());
  std::vector<gfloat> floats(rgb.size());
  ck_assert(patchcore_preprocess_resize_samples(preprocess, &image, ours.data(), error.out()));
  ck_assert(
      patchcore_preprocess_resize_samples_floats(preprocess, &image, floats.data(), error.out()));
  ck_assert(ours == rgb);
  for (size_t i = 0; i < rgb.size(); ++i) ck_assert_double_eq_tol(floats[i], rgb[i], 1e-3);
  image.components[1].step = 0;
  ck_assert(!patchcore_preprocess_resize_samples(preprocess, &image, ours.data(), error.out()));
  error.assert_is(PATCHCORE_ERROR_INVALID_ARGUMENT, "samples");
}
END_TEST

START_TEST(values_in_a_gpus_memory_are_not_taken_by_a_network_on_the_cpu) {
  const Backbone backbone = builtin();
  const Fit fit = new_fit(small(), backbone);
  ck_assert(!patchcore_fit_takes_cuda_values(fit.get()));
  const std::vector<gfloat> values(size_t{3} * kSide * kSide);
  PatchcoreRequest request{};
  request.fit = fit.get();
  request.cuda_values = values.data();
  ErrorPtr error;
  ck_assert(!patchcore_infer(backbone.get(), kSide, kSide, &request, 1, error.out()));
  error.assert_is(PATCHCORE_ERROR_INVALID_ARGUMENT, "GPU");
  ck_assert_uint_eq(patchcore_fit_get_frames(fit.get()), 0);
}
END_TEST

START_TEST(alarms_an_hour_need_the_time_of_the_frames) {
  PatchcoreFitOptions options = small();
  options.alarms_per_hour = 1800;
  const Backbone backbone = builtin();
  const Fit fit = new_fit(options, backbone);
  ErrorPtr error;
  learn(fit, backbone);
  ck_assert_ptr_null(patchcore_fit_build(fit.get(), nullptr, nullptr, nullptr, error.out()));
  error.assert_is(PATCHCORE_ERROR_INVALID_ARGUMENT, "hour");
  for (const auto& [seconds, frames, hysteresis] :
       {std::tuple{-1.0, 1u, 0.1}, {1.0, 0u, 0.1}, {1.0, 1u, 1.5}, {double{NAN}, 1u, 0.1}}) {
    ck_assert(!patchcore_fit_set_video(fit.get(), seconds, frames, hysteresis, error.out()));
    error.assert_is(PATCHCORE_ERROR_INVALID_ARGUMENT);
  }
  ck_assert(patchcore_fit_set_video(fit.get(), 4, 1, 0.05, error.out()));
  const Bank bank(patchcore_fit_build(fit.get(), nullptr, nullptr, nullptr, error.out()));
  error.assert_none();
  const PatchcoreBankInfo info = info_of(bank);
  ck_assert_double_eq_tol(info.calibration_hours, 4.0 / 3600, 1e-12);
  ck_assert_uint_le(info.calibration_alarms, 2);  // 1800 an hour are two in four seconds
  ck_assert_double_gt(info.alarms_per_hour_bound, 2.99 * 900);
}
END_TEST

START_TEST(a_mask_is_checked_and_what_it_leaves_out_is_not_learnt) {
  const TemporaryFolder folder;
  const std::string file = folder.file("bank.focus.png");
  ErrorPtr error;
  ck_assert_ptr_null(
      patchcore_mask_load_beside(folder.file("bank.safetensors").c_str(), nullptr, error.out()));
  error.assert_none();
  ck_assert_ptr_null(patchcore_mask_load(file.c_str(), nullptr, error.out()));
  error.assert_is(PATCHCORE_ERROR_NOT_FOUND, file.c_str());
  write_mask(file, 8, 8, [](unsigned x, unsigned) { return x < 4; });
  ck_assert_ptr_null(patchcore_mask_load(file.c_str(), "both", error.out()));
  error.assert_is(PATCHCORE_ERROR_INVALID_ARGUMENT, "both");
  PatchcoreMask* mask =
      patchcore_mask_load_beside(folder.file("bank.safetensors").c_str(), nullptr, error.out());
  ck_assert_ptr_nonnull(mask);
  ck_assert(patchcore_mask_check(mask, 640, 640, error.out()));
  ck_assert(!patchcore_mask_check(mask, 640, 480, error.out()));
  error.assert_is(PATCHCORE_ERROR_INVALID_ARGUMENT, "8 x 8");
  ck_assert(!patchcore_mask_check(mask, 640, 0, error.out()));

  const Backbone backbone = builtin();
  const auto rgb = stripes(1);
  const auto rows_of = [&](gdouble x, gdouble w, gboolean accepted, bool masked = true) -> guint64 {
    PatchcoreFitOptions options = small();
    options.coreset_ratio = 1;
    const Fit fit = new_fit(options, backbone);
    PatchcoreRequest request{};
    request.rgb = rgb.data();
    request.fit = fit.get();
    request.mask = masked ? mask : nullptr;
    request.x = x;
    request.w = w;
    request.h = 1;
    ck_assert_int_eq(patchcore_infer(backbone.get(), kSide, kSide, &request, 1, error.out()),
                     accepted);
    if (!accepted) return 0;
    Bank bank(patchcore_fit_build(fit.get(), nullptr, nullptr, nullptr, error.out()));
    error.assert_none();
    return info_of(bank).rows;
  };
  const guint64 all = rows_of(0, 1, TRUE, /*masked=*/false);
  ck_assert_uint_lt(rows_of(0, 1, TRUE), all);
  ck_assert_uint_eq(rows_of(0, 0.5, TRUE), all);  // of this part all counts
  rows_of(0.5, 0.6, FALSE);
  error.assert_is(PATCHCORE_ERROR_INVALID_ARGUMENT, "beside the frame");
  rows_of(0, 0, FALSE);  // as a request that says nothing of its place
  error.assert_is(PATCHCORE_ERROR_INVALID_ARGUMENT, "beside the frame");
  patchcore_mask_unref(patchcore_mask_ref(mask));
  patchcore_mask_unref(mask);
}
END_TEST

START_TEST(a_file_holds_banks_by_their_names) {
  const TemporaryFolder folder;
  ErrorPtr error;
  const std::string file = folder.file("products");
  for (const char* name : {"cap", "bottle"}) {
    ck_assert(!patchcore_bank_exists(file.c_str(), name));
    ck_assert(patchcore_bank_check_room(file.c_str(), name, error.out()));
    ck_assert(patchcore_bank_save(built().get(), file.c_str(), name, nullptr, error.out()));
    error.assert_none();
    ck_assert(patchcore_bank_exists(file.c_str(), name));
  }
  gchar** names = patchcore_bank_list_names(file.c_str(), error.out());
  error.assert_none();
  ck_assert_uint_eq(g_strv_length(names), 2);
  assert_text(names[0], "bottle");
  assert_text(names[1], "cap");
  g_strfreev(names);
  const Bank cap(patchcore_bank_load(file.c_str(), "cap", nullptr, error.out()));
  error.assert_none();
  assert_text(patchcore_bank_get_id(cap.get()), patchcore_bank_get_id(built().get()));
  ck_assert_ptr_null(patchcore_bank_load(file.c_str(), nullptr, nullptr, error.out()));
  error.assert_is(PATCHCORE_ERROR_NOT_FOUND, "bottle,cap");
  ck_assert(!patchcore_bank_check_room(file.c_str(), nullptr, error.out()));
  error.assert_is(PATCHCORE_ERROR_INVALID_ARGUMENT, "bottle,cap");
}
END_TEST

int main() {
  Suite* suite = suite_create("c-api");
  TCase* fits = tcase_create("fits");
  tcase_set_timeout(fits, 30);
  tcase_add_test(fits, the_network_of_a_bank_has_the_layers_that_it_was_fitted_with);
  tcase_add_test(fits, a_list_of_layers_that_is_empty_or_has_unknown_ones_is_an_invalid_argument);
  tcase_add_test(fits, a_fit_like_a_bank_has_its_sizes_and_scores_as_it_does);
  suite_add_tcase(suite, fits);
  TCase* banks = tcase_create("banks");
  tcase_set_timeout(banks, 30);
  tcase_add_test(banks, a_bank_keeps_its_id_and_its_model_in_a_file);
  tcase_add_test(banks, banks_of_one_file_share_what_they_hold);
  tcase_add_test(banks, a_file_holds_banks_by_their_names);
  tcase_add_test(banks, a_cancelled_load_is_told_as_cancelled_and_a_missing_file_as_not_found);
  suite_add_tcase(suite, banks);
  TCase* results = tcase_create("results");
  tcase_add_test(results, the_regions_of_a_map_are_told_in_fractions_of_the_input);
  tcase_add_test(results, no_more_regions_are_written_than_there_is_room_for);
  tcase_add_test(results, a_result_without_a_map_or_with_another_than_it_says_has_no_regions);
  tcase_add_test(results, a_fit_takes_settings_and_the_rate_that_its_threshold_is_found_at);
  tcase_add_test(results, a_bank_of_unrounded_values_says_so_and_takes_them);
  tcase_add_test(results, video_becomes_the_input_that_its_rgb_does);
  tcase_add_test(results, values_in_a_gpus_memory_are_not_taken_by_a_network_on_the_cpu);
  tcase_add_test(results, alarms_an_hour_need_the_time_of_the_frames);
  tcase_add_test(results, a_mask_is_checked_and_what_it_leaves_out_is_not_learnt);
  suite_add_tcase(suite, results);
  return run_suite(suite);
}
