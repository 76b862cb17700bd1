// SPDX-License-Identifier: LGPL-2.1-or-later
// What an application changes and asks for while frames pass: another bank, action signals.

#include "../check_main.hpp"
#include "../element_test.hpp"

namespace {

constexpr GstClockTime kFrame = GST_SECOND / 25;

bool emit(ElementHarness& h, const char* signal) {
  gboolean accepted = FALSE;
  g_signal_emit_by_name(h.element(), signal, &accepted);
  return accepted;
}

bool save_bank(ElementHarness& h, const char* location) {
  gboolean accepted = FALSE;
  g_signal_emit_by_name(h.element(), "save-bank", location, &accepted);
  return accepted;
}

bool add_normal(ElementHarness& h, guint64 from, guint64 to) {
  gboolean accepted = FALSE;
  g_signal_emit_by_name(h.element(), "add-normal", from, to, &accepted);
  return accepted;
}

/// Waits for patchcore-done of this action. Its `success`.
bool done(ElementHarness& h, const char* action) {
  const auto message = wait_for_message(h.bus(), "patchcore-done");
  const GstStructure* s = gst_message_get_structure(message.get());
  assert_text(text(s, "action"), action);
  gboolean success = FALSE;
  ck_assert(gst_structure_get_boolean(s, "success", &success));
  return success;
}

std::string active_bank(ElementHarness& h) {
  gchar* location = nullptr;
  g_object_get(h.element(), "active-bank", &location, nullptr);
  const std::string text = location ? location : "";
  g_free(location);
  return text;
}

void wait_for_active_bank(ElementHarness& h, const std::string& location) {
  while (active_bank(h) != location) g_thread_yield();
}

void set_bank(ElementHarness& h, const std::string& location) {
  g_object_set(h.element(), "bank-location", location.c_str(), nullptr);
}

/// The first warning on the bus; waits for it.
std::shared_ptr<GError> warning(ElementHarness& h) {
  GstMessage* message = gst_bus_timed_pop_filtered(h.bus(), 60 * GST_SECOND, GST_MESSAGE_WARNING);
  ck_assert_ptr_nonnull(message);
  GError* error = nullptr;
  gst_message_parse_warning(message, &error, nullptr);
  gst_message_unref(message);
  return {error, g_error_free};
}

double score_of(ElementHarness& h, guint index, bool defect = false) {
  h.push(index, defect);
  return number(result_of(h.pull()), "score");
}

std::string bank_id(ElementHarness& h, guint index) {
  h.push(index);
  return text(result_of(h.pull()), "bank-id");
}

std::string learn_line(const std::string& location, const char* mode) {
  return std::string("mode=") + mode + " input-size=128 bank-location=" + location + " ";
}

}  // namespace

// ---- another bank -------------------------------------------------------------------------------

START_TEST(a_bank_set_while_playing_takes_over_between_two_frames) {
  FittedBank one;
  const std::string other = one.folder.file("other");
  fit_bank(other, 12, "seed=5 coreset-ratio=0.01");
  ElementHarness alone("bank-location=" + other), h(one.detect);
  const double before = score_of(h, 20, true), after = score_of(alone, 20, true);
  ck_assert_double_ne(before, after);
  set_bank(h, other);
  wait_for_active_bank(h, other);
  ck_assert_double_eq_tol(score_of(h, 20, true), after, 1e-5 * after);
}
END_TEST

START_TEST(a_frame_that_came_in_before_is_scored_with_the_bank_of_then) {
  FittedBank one;
  const std::string other = one.folder.file("other");
  fit_bank(other, 12, "seed=5 coreset-ratio=0.01");
  ElementHarness h(one.detect + "max-queued=64");
  for (guint i = 0; i < 40; ++i) h.push(i);
  set_bank(h, other);
  std::string first, last;
  for (guint i = 0; i < 40; ++i) {
    const std::string id = text(result_of(h.pull()), "bank-id");
    if (i == 0) first = id;
    // One change at most, and none back.
    if (id != first && last == first) last = id;
    ck_assert(id == first || id == last);
    last = id;
  }
}
END_TEST

START_TEST(a_bank_that_cannot_be_used_gives_a_warning_and_the_old_one_stays) {
  FittedBank bank;
  const std::string broken = bank.folder.file("broken");
  write_file(broken, "no bank");
  ElementHarness h(bank.detect);
  const double before = score_of(h, 20);
  for (const std::string& location : {broken, bank.folder.file("not-there")}) {
    set_bank(h, location);
    ck_assert_ptr_nonnull(strstr(warning(h)->message, location.c_str()));
    assert_text(active_bank(h), bank.location);
    ck_assert_double_eq(score_of(h, 20), before);
  }
}
END_TEST

START_TEST(a_bank_of_other_layers_is_refused_while_playing_naming_both) {
  FittedBank bank;
  const std::string other = bank.folder.file("other");
  fit_bank(other, 4, "layers=<fine>");
  ElementHarness h(bank.detect);
  set_bank(h, other);
  const auto said = warning(h);
  ck_assert_int_eq(said->domain, GST_LIBRARY_ERROR);
  ck_assert_int_eq(said->code, GST_LIBRARY_ERROR_SETTINGS);
  ck_assert_ptr_nonnull(strstr(said->message, "fine"));
  ck_assert_ptr_nonnull(strstr(said->message, "coarse"));
  assert_text(active_bank(h), bank.location);
}
END_TEST

START_TEST(a_bank_deleted_while_playing_goes_on_scoring) {
  FittedBank bank;
  ElementHarness h(bank.detect);
  const double before = score_of(h, 20);
  std::filesystem::remove(bank.location);
  ck_assert_double_eq(score_of(h, 20), before);
  ck_assert_ptr_null(h.error().get());
}
END_TEST

START_TEST(auto_that_learns_goes_live_at_once_with_a_bank_that_is_named) {
  FittedBank bank;
  ElementHarness h(learn_line(bank.folder.file("new"), "auto"));
  h.push(0);
  assert_text(state_of(h.pull()), "learning");
  set_bank(h, bank.location);
  wait_for_active_bank(h, bank.location);
  h.push(1);
  assert_text(state_of(h.pull()), "scored");
  h.end();
  ck_assert(!std::filesystem::exists(bank.folder.file("new")));
}
END_TEST

START_TEST(a_fit_writes_to_the_location_that_was_set_last) {
  TemporaryFolder folder;
  ElementHarness h(learn_line(folder.file("first"), "fit"));
  for (guint i = 0; i < 4; ++i) h.push(i);
  set_bank(h, folder.file("second"));
  h.end();
  ck_assert(folder.names() == std::vector<std::string>{"second"});
}
END_TEST

// ---- action signals -----------------------------------------------------------------------------

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
  Suite* suite = suite_create("live");
  TCase* banks = tcase_create("banks");
  tcase_set_timeout(banks, 120);
  tcase_add_test(banks, a_bank_set_while_playing_takes_over_between_two_frames);
  tcase_add_test(banks, a_frame_that_came_in_before_is_scored_with_the_bank_of_then);
  tcase_add_test(banks, a_bank_that_cannot_be_used_gives_a_warning_and_the_old_one_stays);
  tcase_add_test(banks, a_bank_of_other_layers_is_refused_while_playing_naming_both);
  tcase_add_test(banks, a_bank_deleted_while_playing_goes_on_scoring);
  tcase_add_test(banks, auto_that_learns_goes_live_at_once_with_a_bank_that_is_named);
  tcase_add_test(banks, a_fit_writes_to_the_location_that_was_set_last);
  suite_add_tcase(suite, banks);
  TCase* actions = tcase_create("actions");
  tcase_set_timeout(actions, 120);
  tcase_add_test(actions, actions_are_refused_where_no_stream_is);
  tcase_add_test(actions, finish_fit_builds_of_what_was_learned_and_auto_goes_live);
  tcase_add_test(actions, finish_fit_in_mode_fit_saves_and_frames_pass_on);
  tcase_add_test(actions, save_bank_writes_a_bank_that_scores_the_same);
  tcase_add_test(actions, save_bank_that_cannot_write_warns_and_is_done_without_success);
  tcase_add_test(actions, save_bank_while_there_is_none_is_refused);
  tcase_add_test(actions, reset_in_auto_learns_anew_and_replaces_the_bank);
  tcase_add_test(actions, add_normal_teaches_the_element_a_false_alarm_and_reset_forgets_it);
  tcase_add_test(actions, add_normal_is_kept_by_save_bank);
  tcase_add_test(actions, add_normal_is_refused_where_no_anomaly_was_kept);
  suite_add_tcase(suite, actions);
  return run_suite(suite);
}
