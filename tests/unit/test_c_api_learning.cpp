// SPDX-License-Identifier: LGPL-2.1-or-later
// Learning false alarms through the C API.

#include "c_api.hpp"

using namespace c_api;

namespace {

/// What a bank says of a frame. keep_above: keeps its patches too.
class Scored {
 public:
  Scored(const Bank& bank, const std::vector<guint8>& rgb, const gdouble* keep_above = nullptr) {
    ErrorPtr error;
    const Backbone backbone = builtin();
    const Detector detector(
        patchcore_detector_new(backbone.get(), bank.get(), nullptr, error.out()));
    error.assert_none();
    request_.rgb = rgb.data();
    request_.detector = detector.get();
    request_.keep_patches = keep_above != nullptr;
    request_.keep_above = keep_above ? *keep_above : 0;
    patchcore_infer(backbone.get(), kSide, kSide, &request_, 1, error.out());
    error.assert_none();
  }
  ~Scored() { patchcore_result_clear(&request_.result); }
  Scored(const Scored&) = delete;
  Scored& operator=(const Scored&) = delete;

  const PatchcoreResult* operator->() const { return &request_.result; }

 private:
  PatchcoreRequest request_{};
};

/// Stripes with a square of another texture.
std::vector<guint8> spoiled() {
  std::vector<guint8> rgb = stripes(2);
  for (guint y = 24; y < 40; ++y)
    for (guint x = 24; x < 40; ++x) rgb[(y * kSide + x) * 3] = (x / 4 + y / 4) % 2 ? 250 : 5;
  return rgb;
}

/// Fails the test unless these bytes are refused as patches of a bank.
void assert_no_patches(const Bank& bank, const std::vector<guint8>& bytes, const char* part) {
  ErrorPtr error;
  const Bytes good(g_bytes_new(nullptr, 0)), set(g_bytes_new(bytes.data(), bytes.size()));
  GBytes* const sets[] = {good.get(), set.get()};
  ck_assert_ptr_null(patchcore_bank_extend(bank.get(), sets, nullptr, 2, 0, nullptr, error.out()));
  error.assert_is(PATCHCORE_ERROR_INVALID_ARGUMENT, part);
}

}  // namespace

START_TEST(frames_that_do_not_belong_are_told_and_left_out) {
  PatchcoreFitOptions options = small();
  options.drop_outliers = TRUE;
  const Backbone backbone = builtin();
  const Fit fit = new_fit(options, backbone);
  ck_assert_uint_eq(patchcore_fit_get_outliers(fit.get(), nullptr, 0, nullptr), 0);
  ErrorPtr error;
  for (int i = 0; i < 12; ++i) {
    const auto rgb = i == 4 ? spoiled() : stripes(i);
    PatchcoreRequest request{};
    request.rgb = rgb.data();
    request.fit = fit.get();
    ck_assert(patchcore_infer(backbone.get(), kSide, kSide, &request, 1, error.out()));
  }
  const Bank bank(patchcore_fit_build(fit.get(), nullptr, nullptr, nullptr, error.out()));
  error.assert_none();
  PatchcoreOutlier outliers[3] = {};
  gdouble limit = 0;
  ck_assert_uint_eq(patchcore_fit_get_outliers(fit.get(), outliers, 3, &limit), 1);
  ck_assert_uint_eq(outliers[0].frame, 4);
  ck_assert_double_gt(outliers[0].score, limit);
  ck_assert_uint_eq(info_of(bank).frames, 11);
}
END_TEST

START_TEST(patches_are_kept_on_request_and_freed_with_the_result) {
  const Bank bank = built();
  const auto rgb = spoiled();
  const gdouble all = 0, none = 1e9;
  const Scored every(bank, rgb, &all), no(bank, rgb, &none), unasked(bank, rgb);
  ck_assert_uint_eq(every->n_patches, 64);
  ck_assert_uint_eq(g_bytes_get_size(every->patches), 64 * info_of(bank).width * sizeof(float));
  for (const Scored* without : {&no, &unasked}) {
    ck_assert_ptr_null((*without)->patches);
    ck_assert_uint_eq((*without)->n_patches, 0);
  }
  PatchcoreResult result = *every.operator->();
  g_bytes_ref(result.patches);
  g_bytes_ref(result.map);
  patchcore_result_clear(&result);
  ck_assert_ptr_null(result.patches);
  ck_assert_uint_eq(result.n_patches, 0);
}
END_TEST

START_TEST(a_bank_that_learnt_the_patches_of_false_alarms_raises_them_no_more) {
  const Bank bank = built();
  const gdouble threshold = info_of(bank).threshold;
  const auto rgb = spoiled();
  const Scored alarm(bank, rgb, &threshold);
  ck_assert_double_ge(alarm->normalized_score, 0.5);
  ck_assert_uint_gt(alarm->n_patches, 0);
  ErrorPtr error;
  GBytes* const sets[] = {alarm->patches, alarm->patches};
  const Bank larger(
      patchcore_bank_extend(bank.get(), sets, nullptr, 2, threshold, nullptr, error.out()));
  error.assert_none();
  ck_assert_uint_gt(info_of(larger).rows, info_of(bank).rows);
  ck_assert_uint_le(info_of(larger).rows, info_of(bank).rows + alarm->n_patches);
  ck_assert_double_eq(info_of(larger).threshold, threshold);
  ck_assert_double_lt(Scored(larger, rgb)->normalized_score, 0.5);
  ck_assert(id_of(larger) != id_of(bank));
}
END_TEST

START_TEST(patches_that_are_no_finite_rows_are_refused) {
  const Bank bank = built();
  const gsize row = info_of(bank).width * sizeof(float);
  assert_no_patches(bank, std::vector<guint8>(row - 1), "Set 1");
  assert_no_patches(bank, std::vector<guint8>(row + 4), "Set 1");
  assert_no_patches(bank, std::vector<guint8>(2 * row, 0xff), "NaN");
  ErrorPtr error;
  GBytes* const missing[] = {nullptr};
  ck_assert_ptr_null(
      patchcore_bank_extend(bank.get(), missing, nullptr, 1, 0, nullptr, error.out()));
  error.assert_is(PATCHCORE_ERROR_INVALID_ARGUMENT, "Set 0");
}
END_TEST

START_TEST(learning_is_cancelled_and_of_nothing_is_a_copy) {
  const Bank bank = built();
  ErrorPtr error;
  const Bank copy(patchcore_bank_extend(bank.get(), nullptr, nullptr, 0, 1, nullptr, error.out()));
  error.assert_none();
  assert_text(id_of(copy), id_of(bank));
  const Cancellable cancellable(g_cancellable_new());
  g_cancellable_cancel(cancellable.get());
  ck_assert_ptr_null(
      patchcore_bank_extend(bank.get(), nullptr, nullptr, 0, 1, cancellable.get(), error.out()));
  error.assert_is(PATCHCORE_ERROR_CANCELLED);
}
END_TEST

int main() {
  Suite* suite = suite_create("c-api-learning");
  TCase* learning = tcase_create("learning");
  tcase_set_timeout(learning, 30);
  tcase_add_test(learning, frames_that_do_not_belong_are_told_and_left_out);
  tcase_add_test(learning, patches_are_kept_on_request_and_freed_with_the_result);
  tcase_add_test(learning, a_bank_that_learnt_the_patches_of_false_alarms_raises_them_no_more);
  tcase_add_test(learning, patches_that_are_no_finite_rows_are_refused);
  tcase_add_test(learning, learning_is_cancelled_and_of_nothing_is_a_copy);
  suite_add_tcase(suite, learning);
  return run_suite(suite);
}
