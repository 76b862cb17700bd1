// SPDX-License-Identifier: LGPL-2.1-or-later
// Which frames are inferred: inference-interval and triggers.

#include "../check_main.hpp"
#include "live.hpp"

START_TEST(every_nth_frame_is_inferred_and_the_others_carry_its_result) {
  FittedBank bank;
  ElementHarness h(bank.detect + "inference-interval=3");
  for (guint i = 0; i < 7; ++i) h.push(i, i == 3);
  for (guint i = 0; i < 7; ++i) {
    const auto frame = h.pull();
    assert_text(state_of(frame), i % 3 == 0 ? "scored" : "stale");
    ck_assert_uint_eq(result_pts(frame), i / 3 * 3 * kFrame);
    ck_assert_int_eq(anomalous(frame), i / 3 == 1);
  }
}
END_TEST

START_TEST(the_interval_follows_its_property_while_frames_pass) {
  FittedBank bank;
  ElementHarness h(bank.detect + "inference-interval=1000");
  for (guint i = 0; i < 3; ++i) h.push(i);
  g_object_set(h.element(), "inference-interval", 1, nullptr);
  for (guint i = 3; i < 5; ++i) h.push(i);
  assert_text(states(h, 5), "sssss");  // scored, stale and stale; then scored
  // By their results:
  g_object_set(h.element(), "inference-interval", 2, nullptr);
  for (guint i = 5; i < 9; ++i) h.push(i);
  for (const guint of : {5, 5, 7, 7}) ck_assert_uint_eq(result_pts(h.pull()), of * kFrame);
}
END_TEST

START_TEST(with_interval_0_only_a_trigger_inspects_the_frame_behind_it) {
  FittedBank bank;
  ElementHarness h(bank.detect + "inference-interval=0");
  for (guint i = 0; i < 5; ++i) {
    if (i == 1 || i == 3) trigger(h);
    h.push(i, i == 3);
  }
  assert_text(state_of(h.pull()), "none");
  for (const guint of : {1, 1, 3, 3}) {
    const auto frame = h.pull();
    ck_assert_uint_eq(result_pts(frame), of * kFrame);
    assert_text(state_of(frame), pts(frame) == of * kFrame ? "scored" : "stale");
    ck_assert_int_eq(anomalous(frame), of == 3);
  }
}
END_TEST

START_TEST(a_trigger_goes_on_downstream_before_its_frame) {
  FittedBank bank;
  ElementHarness h(bank.detect);
  trigger(h);
  h.push(0);
  h.pull();
  bool passed = false;
  while (GstEvent* event = gst_harness_try_pull_event(h.get())) {
    passed = passed || gst_event_has_name(event, "patchcore-trigger");
    gst_event_unref(event);
  }
  ck_assert(passed);
}
END_TEST

START_TEST(a_corrupted_frame_is_not_the_one_that_was_due) {
  FittedBank bank;
  ElementHarness h(bank.detect + "inference-interval=2");
  h.push(0, false, GST_BUFFER_FLAG_CORRUPTED);
  h.push(1);
  h.push(2);
  assert_text(state_of(h.pull()), "none");
  assert_text(state_of(h.pull()), "scored");
  assert_text(state_of(h.pull()), "stale");
}
END_TEST

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  Suite* suite = suite_create("due");
  TCase* tests = tcase_create("due");
  tcase_set_timeout(tests, 120);
  tcase_add_test(tests, every_nth_frame_is_inferred_and_the_others_carry_its_result);
  tcase_add_test(tests, the_interval_follows_its_property_while_frames_pass);
  tcase_add_test(tests, with_interval_0_only_a_trigger_inspects_the_frame_behind_it);
  tcase_add_test(tests, a_trigger_goes_on_downstream_before_its_frame);
  tcase_add_test(tests, a_corrupted_frame_is_not_the_one_that_was_due);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
