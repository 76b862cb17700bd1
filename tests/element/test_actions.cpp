// SPDX-License-Identifier: LGPL-2.1-or-later
// The action signals.

#include "../check_main.hpp"
#include "live.hpp"

START_TEST(actions_are_refused_where_no_stream_is) {
  GstElement* element = gst_element_factory_make("patchcoredetect", nullptr);
  gst_object_ref_sink(element);
  gboolean accepted = TRUE;
  g_signal_emit_by_name(element, "finish-fit", &accepted);
  ck_assert(!accepted);
  accepted = TRUE;
  g_signal_emit_by_name(element, "add-normal", guint64{0}, guint64{1}, &accepted);
  ck_assert(!accepted);
  gst_object_unref(element);
}
END_TEST

START_TEST(finish_fit_builds_of_what_was_learned_and_auto_goes_live) {
  TemporaryFolder folder;
  ElementHarness h(learn_line(folder.file("bank"), "auto"));
  ck_assert(!emit(h, "finish-fit"));  // there is nothing to make a bank of
  for (guint i = 0; i < 6; ++i) h.push(i);
  for (guint i = 0; i < 6; ++i) h.pull();
  ck_assert(emit(h, "finish-fit"));
  ck_assert(done(h, "finish-fit"));
  ck_assert(!emit(h, "finish-fit"));  // it is finished
  h.push(6);
  assert_text(state_of(h.pull()), "scored");
  ck_assert(std::filesystem::exists(folder.file("bank")));
}
END_TEST

START_TEST(finish_fit_in_mode_fit_saves_and_frames_pass_on) {
  TemporaryFolder folder;
  ElementHarness h(learn_line(folder.file("bank"), "fit"));
  for (guint i = 0; i < 4; ++i) h.push(i);
  for (guint i = 0; i < 4; ++i) h.pull();
  ck_assert(emit(h, "finish-fit"));
  ck_assert(done(h, "finish-fit"));
  h.push(4);
  assert_text(state_of(h.pull()), "none");
}
END_TEST

START_TEST(save_bank_writes_a_bank_that_scores_the_same) {
  FittedBank bank;
  const std::string copy = bank.folder.file("copy");
  ElementHarness h(bank.detect);
  ck_assert(save_bank(h, copy.c_str()));
  ck_assert(done(h, "save-bank"));
  ElementHarness again("bank-location=" + copy);
  ck_assert_double_eq(score_of(again, 20), score_of(h, 20));
}
END_TEST

START_TEST(save_bank_that_cannot_write_warns_and_is_done_without_success) {
  FittedBank bank;
  ElementHarness h(bank.detect);
  ck_assert(save_bank(h, bank.folder.file("no/such/folder").c_str()));
  const auto said = warning(h);
  ck_assert_int_eq(said->domain, GST_RESOURCE_ERROR);
  ck_assert_int_eq(said->code, GST_RESOURCE_ERROR_WRITE);
  ck_assert(!done(h, "save-bank"));
  h.push(0);
  assert_text(state_of(h.pull()), "scored");
}
END_TEST

START_TEST(save_bank_while_there_is_none_is_refused) {
  TemporaryFolder folder;
  ElementHarness h(learn_line(folder.file("bank"), "auto"));
  ck_assert(!save_bank(h, folder.file("copy").c_str()));
}
END_TEST

START_TEST(reset_in_auto_learns_anew_and_replaces_the_bank) {
  TemporaryFolder folder;
  ElementHarness h(learn_line(folder.file("bank"), "auto") + "fit-frames=4");
  for (guint i = 0; i < 4; ++i) h.push(i);
  for (guint i = 0; i < 4; ++i) h.pull();
  const std::string first = bank_id(h, 4);
  ck_assert(emit(h, "reset"));
  ck_assert(done(h, "reset"));
  assert_text(active_bank(h), "");
  for (guint i = 10; i < 14; ++i) h.push(i);
  for (guint i = 10; i < 14; ++i) assert_text(state_of(h.pull()), "learning");
  ck_assert(bank_id(h, 14) != first);
}
END_TEST

START_TEST(save_bank_without_a_location_writes_to_the_bank_s_own) {
  FittedBank bank;
  ElementHarness h(bank.detect);
  h.push(21, true);
  h.pull();
  ck_assert(add_normal(h, 0, GST_SECOND));
  ck_assert(done(h, "add-normal"));
  ck_assert(save_bank(h, nullptr));
  ck_assert(done(h, "save-bank"));
  ElementHarness again(bank.detect);
  again.push(21, true);
  ck_assert(!anomalous(again.pull()));
}
END_TEST

START_TEST(reset_learns_with_the_settings_of_the_bank_that_was_swapped_in) {
  FittedBank bank;
  const std::string other = bank.folder.file("other");
  fit_bank(other, 12, "input-size=64");  // half the patches in each direction
  ElementHarness h("mode=auto fit-frames=4 coreset-ratio=1 attach-map=true " + bank.detect);
  set_bank(h, other);
  wait_for_active_bank(h, other);
  ck_assert(emit(h, "reset"));
  ck_assert(done(h, "reset"));
  ck_assert(!save_bank(h, bank.folder.file("copy").c_str()));  // there is none any more
  for (guint i = 0; i < 5; ++i) h.push(i);
  for (guint i = 0; i < 4; ++i) assert_text(state_of(h.pull()), "learning");
  const auto frame = h.pull();
  const auto* map = gst_patchcore_map_meta_get(frame.get(), 0);
  ck_assert_ptr_nonnull(map);
  ck_assert_uint_eq(map->map_width, 64);
}
END_TEST

START_TEST(reset_ends_an_alarm_and_what_was_found_is_shown_no_more) {
  FittedBank bank;
  ElementHarness h(bank.detect + "alarm-frames=1");
  h.push(0, true);
  h.pull();
  assert_text(alarms(h), "start");
  ck_assert(emit(h, "reset"));
  ck_assert(done(h, "reset"));
  g_object_set(h.element(), "inference-interval", 0, nullptr);
  h.push(1);
  assert_text(state_of(h.pull()), "none");
  assert_text(alarms(h), "stop");
}
END_TEST

START_TEST(add_normal_teaches_the_element_a_false_alarm_and_reset_forgets_it) {
  FittedBank bank;
  const std::string untouched = read_file(bank.location);
  ElementHarness h(bank.detect), other(bank.detect);
  const double normal = score_of(h, 20);
  h.push(21, true);
  ck_assert(anomalous(h.pull()));
  ck_assert(add_normal(h, 21 * kFrame, 21 * kFrame));
  ck_assert(done(h, "add-normal"));
  h.push(21, true);
  ck_assert(!anomalous(h.pull()));
  ck_assert_double_le(score_of(h, 20), normal * (1 + 1e-5));  // a larger bank is never farther
  // It is this element's own copy.
  other.push(21, true);
  ck_assert(anomalous(other.pull()));
  ck_assert(read_file(bank.location) == untouched);

  ck_assert(emit(h, "reset"));
  ck_assert(done(h, "reset"));
  h.push(21, true);
  ck_assert(anomalous(h.pull()));
}
END_TEST

START_TEST(add_normal_is_kept_by_save_bank) {
  FittedBank bank;
  const std::string taught = bank.folder.file("taught");
  ElementHarness h(bank.detect);
  h.push(21, true);
  h.pull();
  ck_assert(add_normal(h, 0, GST_SECOND));
  ck_assert(done(h, "add-normal"));
  ck_assert(save_bank(h, taught.c_str()));
  ck_assert(done(h, "save-bank"));
  ElementHarness again("bank-location=" + taught);
  again.push(21, true);
  ck_assert(!anomalous(again.pull()));
}
END_TEST

START_TEST(add_normal_teaches_a_bank_that_knows_positions) {
  TemporaryFolder folder;
  const std::string bank = folder.file("bank");
  fit_bank(bank, 12, "search-radius=1");
  ElementHarness h("bank-location=" + bank);
  h.push(21, true);
  ck_assert(anomalous(h.pull()));
  ck_assert(add_normal(h, 0, GST_SECOND));
  ck_assert(done(h, "add-normal"));
  h.push(21, true);
  ck_assert(!anomalous(h.pull()));
}
END_TEST

START_TEST(add_normal_is_refused_where_no_anomaly_was_kept) {
  FittedBank bank;
  ElementHarness h(bank.detect), forgetful(bank.detect + "history-bytes=0");
  for (ElementHarness* each : {&h, &forgetful}) {
    each->push(21, true);
    each->pull();
  }
  ck_assert(!add_normal(h, 22 * kFrame, 30 * kFrame));
  ck_assert(!add_normal(forgetful, 0, GST_SECOND));
}
END_TEST

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  Suite* suite = suite_create("actions");
  TCase* tests = tcase_create("actions");
  tcase_set_timeout(tests, 120);
  tcase_add_test(tests, actions_are_refused_where_no_stream_is);
  tcase_add_test(tests, finish_fit_builds_of_what_was_learned_and_auto_goes_live);
  tcase_add_test(tests, finish_fit_in_mode_fit_saves_and_frames_pass_on);
  tcase_add_test(tests, save_bank_writes_a_bank_that_scores_the_same);
  tcase_add_test(tests, save_bank_that_cannot_write_warns_and_is_done_without_success);
  tcase_add_test(tests, save_bank_while_there_is_none_is_refused);
  tcase_add_test(tests, reset_in_auto_learns_anew_and_replaces_the_bank);
  tcase_add_test(tests, save_bank_without_a_location_writes_to_the_bank_s_own);
  tcase_add_test(tests, reset_learns_with_the_settings_of_the_bank_that_was_swapped_in);
  tcase_add_test(tests, reset_ends_an_alarm_and_what_was_found_is_shown_no_more);
  tcase_add_test(tests, add_normal_teaches_the_element_a_false_alarm_and_reset_forgets_it);
  tcase_add_test(tests, add_normal_is_kept_by_save_bank);
  tcase_add_test(tests, add_normal_teaches_a_bank_that_knows_positions);
  tcase_add_test(tests, add_normal_is_refused_where_no_anomaly_was_kept);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
