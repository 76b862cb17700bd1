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
  tcase_add_test(tests, a_bank_that_cannot_be_used_gives_a_warning_and_the_old_one_stays);
  tcase_add_test(tests, a_bank_of_other_layers_is_refused_while_playing_naming_both);
  tcase_add_test(tests, a_bank_deleted_while_playing_goes_on_scoring);
  tcase_add_test(tests, auto_that_learns_goes_live_at_once_with_a_bank_that_is_named);
  tcase_add_test(tests, auto_that_learns_does_not_write_over_a_file_that_is_no_bank);
  tcase_add_test(tests, a_fit_writes_to_the_location_that_was_set_last);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
