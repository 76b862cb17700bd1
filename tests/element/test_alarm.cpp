// SPDX-License-Identifier: LGPL-2.1-or-later
// When an alarm starts and stops, and what a verdict compares: the rules of docs/metadata.md.

#include <alarm.hpp>
#include <cmath>
#include <history.hpp>
#include <verdict.hpp>

#include "../check_main.hpp"

using namespace gstpatchcore;

namespace {

/// Frame `number` of 100 ms with this normalized score, at a threshold of 0.5 and hysteresis 0.1.
Alarm::Sample sample(guint number, gdouble value) {
  Alarm::Sample s{};
  s.moment.timestamp = s.moment.running_time = number * 100 * GST_MSECOND;
  s.moment.duration = 100 * GST_MSECOND;
  s.score = 10 * value;
  s.normalized_score = s.value = value;
  s.peak_x = value;
  s.anomalous = value >= 0.5;
  s.below = value < 0.4;
  return s;
}

/// "-" nothing, "(" start, ")" stop, for each frame.
std::string changes(Alarm& alarm, const std::vector<gdouble>& values, guint frames) {
  std::string told;
  for (guint i = 0; i < values.size(); ++i) {
    const auto change = alarm.update(sample(i, values[i]), frames);
    told += change == Alarm::Change::Start ? '(' : change == Alarm::Change::Stop ? ')' : '-';
  }
  return told;
}

PatchcoreBankInfo calibrated_bank() {
  PatchcoreBankInfo bank{};
  bank.calibrated = TRUE;
  bank.threshold = 4;
  bank.median = 2;
  return bank;
}

PatchcoreResult result(gdouble score, gdouble normalized) {
  PatchcoreResult r{};
  r.score = score;
  r.normalized_score = normalized;
  return r;
}

BytesPtr bytes(gsize size) { return {g_bytes_new_take(g_malloc0(size), size), g_bytes_unref}; }

}  // namespace

START_TEST(an_alarm_starts_after_so_many_anomalous_frames_in_a_row_and_stops_likewise) {
  Alarm alarm;
  assert_text(changes(alarm, {.6, .6, .1, .6, .6, .6, .1, .1, .6, .1, .1, .1}, 3), "-----(-----)");
}
END_TEST

START_TEST(a_frame_between_release_and_threshold_keeps_an_alarm_on) {
  Alarm alarm;
  assert_text(changes(alarm, {.6, .45, .3, .45, .3, .3}, 2), "------");
  assert_text(changes(alarm, {.6, .6, .45, .3, .45, .3, .3}, 2), "-(----)");
}
END_TEST

START_TEST(an_alarm_tells_its_worst_frame_and_how_long_it_lasted) {
  Alarm alarm;
  changes(alarm, {.1, .6, .9, .7, .1, .1}, 2);
  ck_assert_double_eq(alarm.peak().value, .9);
  ck_assert_uint_eq(alarm.peak().moment.timestamp, 200 * GST_MSECOND);
  ck_assert_uint_eq(alarm.span().timestamp, 100 * GST_MSECOND);
  ck_assert_uint_eq(alarm.span().duration, 300 * GST_MSECOND);  // frames 1, 2 and 3
}
END_TEST

START_TEST(the_peak_of_an_alarm_is_not_that_of_one_before) {
  Alarm alarm;
  changes(alarm, {.95, .95, .1, .1, .6, .6}, 2);
  ck_assert(alarm.on());
  ck_assert_double_eq(alarm.peak().value, .6);
}
END_TEST

START_TEST(the_end_of_a_stream_stops_an_alarm_once) {
  Alarm alarm;
  ck_assert(alarm.end() == Alarm::Change::None);
  changes(alarm, {.6}, 1);
  ck_assert(alarm.end() == Alarm::Change::Stop);
  ck_assert(alarm.end() == Alarm::Change::None);
}
END_TEST

START_TEST(a_verdict_compares_the_normalized_score_of_a_calibrated_bank) {
  LiveConfig live;
  live.threshold = 0.7;
  const auto bank = calibrated_bank();
  const Verdict verdict(bank, live);
  ck_assert(verdict.scale() == Verdict::Scale::Normalized);
  ck_assert(verdict.anomalous(result(0, 0.7)));
  ck_assert(!verdict.anomalous(result(100, 0.69)));
  ck_assert_double_eq_tol(verdict.release(0.05), 0.65, 1e-12);
}
END_TEST

START_TEST(a_raw_threshold_goes_before_the_normalized_one) {
  LiveConfig live;
  live.raw_threshold = 3;
  const auto bank = calibrated_bank();
  const Verdict verdict(bank, live);
  ck_assert(verdict.anomalous(result(3, 0.1)));
  ck_assert(!verdict.anomalous(result(2.9, 0.9)));
  ck_assert_double_eq_tol(verdict.release(0.1), 2.7, 1e-12);
}
END_TEST

START_TEST(a_low_threshold_leaves_room_for_an_alarm_to_end) {
  const auto bank = calibrated_bank();
  LiveConfig live;
  live.threshold = 0.04;
  ck_assert_double_eq_tol(Verdict(bank, live).release(0.05), 0.02, 1e-12);
  live.raw_threshold = 3;
  ck_assert_double_eq_tol(Verdict(bank, live).release(1), 1.5, 1e-12);
}
END_TEST

START_TEST(without_a_threshold_nothing_is_anomalous) {
  const PatchcoreBankInfo bank{};
  const LiveConfig live;
  const Verdict verdict(bank, live);
  ck_assert(verdict.scale() == Verdict::Scale::None);
  ck_assert(!verdict.anomalous(result(1e30, NAN)));
}
END_TEST

START_TEST(the_raw_score_at_a_normalized_threshold_is_the_inverse_of_the_normalization) {
  // n = 0.5 + 0.5 z / (1 + |z|), z = (s - t) / (t - m), with t = 4 and m = 2.
  const auto bank = calibrated_bank();
  LiveConfig live;
  const auto raw_at = [&](gdouble threshold) {
    live.threshold = threshold;
    return Verdict(bank, live).raw_threshold();
  };
  ck_assert_double_eq_tol(raw_at(0.5), 4, 1e-9);
  ck_assert_double_eq_tol(raw_at(0.75), 6, 1e-9);  // z = 1
  ck_assert_double_eq_tol(raw_at(0.25), 2, 1e-9);  // z = -1: the median
  ck_assert(std::isinf(raw_at(1)) && raw_at(1) > 0);
}
END_TEST

START_TEST(where_all_normal_frames_score_the_same_the_threshold_is_the_unit) {
  // As the library's Calibration::normalise has it: z = (s - t) / t, with t = m = 4.
  auto bank = calibrated_bank();
  bank.median = bank.threshold;
  LiveConfig live;
  live.threshold = 0.75;
  ck_assert_double_eq_tol(Verdict(bank, live).raw_threshold(), 8, 1e-9);
}
END_TEST

START_TEST(history_keeps_the_latest_frames_within_its_bytes) {
  History history(250);
  for (guint i = 0; i < 4; ++i) history.add({GstClockTime{i} * GST_SECOND, bytes(100), 1.0, 7});
  ck_assert_uint_eq(history.take(0, GST_SECOND, 7).size(), 0);
  ck_assert_uint_eq(history.take(2 * GST_SECOND, 3 * GST_SECOND, 7).size(), 2);
  ck_assert_uint_eq(history.take(0, G_MAXUINT64, 7).size(), 0);
}
END_TEST

START_TEST(history_passes_over_what_is_larger_than_all_of_it) {
  History history(250);
  history.add({0, bytes(100), 1.0, 7});
  history.add({1, bytes(300), 1.0, 7});
  const auto kept = history.take(0, 1, 7);
  ck_assert_uint_eq(kept.size(), 1);
  ck_assert_uint_eq(kept[0].running_time, 0);
}
END_TEST

START_TEST(history_gives_what_a_bank_of_the_same_lineage_scored) {
  History history(250);
  history.add({0, bytes(100), 1.0, 7});
  history.add({0, bytes(100), 1.0, 8});
  const auto kept = history.take(0, 1, 8);
  ck_assert_uint_eq(kept.size(), 1);
  ck_assert_uint_eq(kept[0].lineage, 8);
}
END_TEST

int main() {
  Suite* suite = suite_create("alarm");
  TCase* tests = tcase_create("alarm");
  tcase_add_test(tests, an_alarm_starts_after_so_many_anomalous_frames_in_a_row_and_stops_likewise);
  tcase_add_test(tests, a_frame_between_release_and_threshold_keeps_an_alarm_on);
  tcase_add_test(tests, an_alarm_tells_its_worst_frame_and_how_long_it_lasted);
  tcase_add_test(tests, the_peak_of_an_alarm_is_not_that_of_one_before);
  tcase_add_test(tests, the_end_of_a_stream_stops_an_alarm_once);
  tcase_add_test(tests, a_verdict_compares_the_normalized_score_of_a_calibrated_bank);
  tcase_add_test(tests, a_raw_threshold_goes_before_the_normalized_one);
  tcase_add_test(tests, a_low_threshold_leaves_room_for_an_alarm_to_end);
  tcase_add_test(tests, without_a_threshold_nothing_is_anomalous);
  tcase_add_test(tests,
                 the_raw_score_at_a_normalized_threshold_is_the_inverse_of_the_normalization);
  tcase_add_test(tests, where_all_normal_frames_score_the_same_the_threshold_is_the_unit);
  tcase_add_test(tests, history_keeps_the_latest_frames_within_its_bytes);
  tcase_add_test(tests, history_passes_over_what_is_larger_than_all_of_it);
  tcase_add_test(tests, history_gives_what_a_bank_of_the_same_lineage_scored);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
