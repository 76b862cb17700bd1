// SPDX-License-Identifier: LGPL-2.1-or-later
// Another bank while frames pass.

#include "../check_main.hpp"
#include "live.hpp"

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
  const std::string before = bank_id(h, 0);
  for (guint i = 1; i < 40; ++i) h.push(i);
  set_bank(h, other);
  for (guint i = 1; i < 40; ++i) assert_text(text(result_of(h.pull()), "bank-id"), before.c_str());
  wait_for_active_bank(h, other);
  ck_assert(bank_id(h, 40) != before);
}
END_TEST

START_TEST(a_bank_set_while_the_element_loads_takes_over_too) {
  FittedBank one;
  const std::string other = one.folder.file("other");
  fit_bank(other, 12, "seed=5 coreset-ratio=0.01");
  GstElement* element = gst_parse_launch(("patchcoredetect " + one.detect).c_str(), nullptr);
  GstBus* bus = gst_bus_new();
  gst_element_set_bus(element, bus);
  // Once, at the first message that tells of loading.
  static std::string location;
  location = other;
  gst_bus_set_sync_handler(
      bus,
      [](GstBus*, GstMessage* message, gpointer element) {
        if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_PROGRESS)
          g_object_set(element, "bank-location", location.c_str(), nullptr);
        return GST_BUS_PASS;
      },
      element, nullptr);
  gst_element_set_state(element, GST_STATE_PAUSED);
  gst_bus_set_sync_handler(bus, nullptr, nullptr, nullptr);
  for (std::string active; active != other;) {
    gchar* text = nullptr;
    g_object_get(element, "active-bank", &text, nullptr);
    active = text;
    g_free(text);
    g_thread_yield();
  }
  gst_element_set_state(element, GST_STATE_NULL);
  gst_element_set_bus(element, nullptr);
  gst_object_unref(bus);
  gst_object_unref(element);
}
END_TEST

START_TEST(active_bank_can_be_read_when_its_change_is_notified) {
  FittedBank bank;
  GstElement* element =
      gst_parse_launch(("patchcoredetect mode=auto " + bank.detect).c_str(), nullptr);
  std::vector<std::string> seen;
  g_signal_connect(element, "notify::active-bank",
                   G_CALLBACK(+[](GObject* object, GParamSpec*, std::vector<std::string>* all) {
                     gchar* text = nullptr;
                     g_object_get(object, "active-bank", &text, nullptr);
                     all->push_back(text ? text : "none");
                     g_free(text);
                   }),
                   &seen);
  gst_element_set_state(element, GST_STATE_PAUSED);
  ck_assert(seen == std::vector<std::string>{bank.location});
  gst_element_set_state(element, GST_STATE_NULL);
  gst_object_unref(element);
}
END_TEST

START_TEST(an_alarm_that_is_on_ends_with_the_bank_that_raised_it) {
  FittedBank one;
  const std::string other = one.folder.file("other");
  fit_bank(other, 12, "seed=5 coreset-ratio=0.01");
  ElementHarness h(one.detect + "alarm-frames=1");
  h.push(20, true);
  h.pull();
  assert_text(alarms(h), "start");
  set_bank(h, other);
  wait_for_active_bank(h, other);
  h.push(21, true);
  h.pull();
  assert_text(alarms(h), "stop start");
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

START_TEST(auto_does_not_write_over_a_bank_that_has_come_since) {
  FittedBank bank;
  const std::string location = bank.folder.file("new");
  ElementHarness h(learn_line(location, "auto") + "fit-frames=4");
  for (guint i = 0; i < 3; ++i) h.push(i);
  std::filesystem::copy(bank.location, location);  // as another element of the same line has it
  const std::string theirs = read_file(location);
  h.push(3);
  const auto said = warning(h);
  ck_assert_int_eq(said->code, GST_RESOURCE_ERROR_WRITE);
  ck_assert_ptr_nonnull(strstr(said->message, location.c_str()));
  ck_assert(read_file(location) == theirs);
  h.push(4);
  for (guint i = 0; i < 4; ++i) h.pull();
  assert_text(state_of(h.pull()), "scored");
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

START_TEST(auto_that_learns_does_not_write_over_a_file_that_is_no_bank) {
  TemporaryFolder folder;
  const std::string broken = folder.file("broken");
  write_file(broken, "no bank");
  ElementHarness h(learn_line(folder.file("bank"), "auto"));
  h.push(0);
  assert_text(state_of(h.pull()), "learning");
  set_bank(h, broken);
  ck_assert_ptr_nonnull(strstr(warning(h)->message, broken.c_str()));
  for (guint i = 1; i < 4; ++i) h.push(i);
  h.end();
  ck_assert(read_file(broken) == "no bank");
  ck_assert(std::filesystem::exists(folder.file("bank")));
}
END_TEST

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  Suite* suite = suite_create("live");
  TCase* tests = tcase_create("live");
  tcase_set_timeout(tests, 120);
  tcase_add_test(tests, a_bank_set_while_playing_takes_over_between_two_frames);
  tcase_add_test(tests, a_frame_that_came_in_before_is_scored_with_the_bank_of_then);
  tcase_add_test(tests, a_bank_set_while_the_element_loads_takes_over_too);
  tcase_add_test(tests, active_bank_can_be_read_when_its_change_is_notified);
  tcase_add_test(tests, an_alarm_that_is_on_ends_with_the_bank_that_raised_it);
  tcase_add_test(tests, a_bank_that_cannot_be_used_gives_a_warning_and_the_old_one_stays);
  tcase_add_test(tests, a_bank_of_other_layers_is_refused_while_playing_naming_both);
  tcase_add_test(tests, a_bank_deleted_while_playing_goes_on_scoring);
  tcase_add_test(tests, auto_that_learns_goes_live_at_once_with_a_bank_that_is_named);
  tcase_add_test(tests, auto_that_learns_does_not_write_over_a_file_that_is_no_bank);
  tcase_add_test(tests, auto_does_not_write_over_a_bank_that_has_come_since);
  tcase_add_test(tests, a_fit_writes_to_the_location_that_was_set_last);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
