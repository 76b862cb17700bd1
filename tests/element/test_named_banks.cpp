// SPDX-License-Identifier: LGPL-2.1-or-later
// One file, several products: the element takes the bank that bank-name names.

#include "../check_main.hpp"
#include "live.hpp"

namespace {

/// A file with the banks "a" and "b", which have other scores.
struct TwoBanks {
  TwoBanks() {
    fit_bank(file, 12, "bank-name=a");
    fit_bank(file, 12, "bank-name=b seed=5 coreset-ratio=0.01");
  }
  std::string line(const std::string& name) const {
    return "bank-location=" + file + (name.empty() ? "" : " bank-name=" + name) + " ";
  }

  TemporaryFolder folder;
  std::string file = folder.file("products.safetensors");
};

std::string active_name(ElementHarness& h) {
  gchar* name = nullptr;
  g_object_get(h.element(), "active-bank-name", &name, nullptr);
  const std::string text = name ? name : "";
  g_free(name);
  return text;
}

void wait_for_active_name(ElementHarness& h, const std::string& name) {
  while (active_name(h) != name) g_thread_yield();
}

void set_name(ElementHarness& h, const char* name) {
  g_object_set(h.element(), "bank-name", name, nullptr);
}

double score_with(const std::string& line) {
  ElementHarness h(line);
  ck_assert(h.started());
  return score_of(h, 20, true);
}

}  // namespace

START_TEST(each_name_has_its_bank) {
  const TwoBanks two;
  FittedBank alone;  // as "a" was fitted
  const double a = score_with(two.line("a"));
  ck_assert_double_eq_tol(a, score_with(alone.detect), 1e-5 * a);
  ck_assert_double_ne(a, score_with(two.line("b")));
}
END_TEST

START_TEST(another_name_takes_over_while_playing) {
  const TwoBanks two;
  const double expected = score_with(two.line("b"));
  ElementHarness h(two.line("a"));
  assert_text(active_name(h), "a");
  const std::string before = bank_id(h, 0);
  set_name(h, "b");
  wait_for_active_name(h, "b");
  assert_text(active_bank(h), two.file);
  ck_assert_double_eq_tol(score_of(h, 20, true), expected, 1e-5 * expected);
  ck_assert(bank_id(h, 1) != before);
}
END_TEST

START_TEST(a_file_and_a_name_that_are_set_together_are_one_change) {
  const TwoBanks two;
  FittedBank one;
  ElementHarness h(one.detect);
  g_object_set(h.element(), "bank-location", two.file.c_str(), "bank-name", "b", nullptr);
  wait_for_active_name(h, "b");
  g_object_set(h.element(), "bank-name", nullptr, "bank-location", one.location.c_str(), nullptr);
  wait_for_active_bank(h, one.location);
  assert_text(active_name(h), "");
  // A file without the name would have been a warning.
  ck_assert_ptr_null(gst_bus_pop_filtered(h.bus(), GST_MESSAGE_WARNING));
}
END_TEST

START_TEST(a_name_that_is_not_there_gives_a_warning_and_the_old_bank_stays) {
  const TwoBanks two;
  ElementHarness h(two.line("a"));
  const double before = score_of(h, 20);
  for (const char* name : {"c", "", "../a"}) {
    set_name(h, name);
    const auto said = warning(h);
    ck_assert_msg(strstr(said->message, *name == '.' ? "../a" : "a,b"), "%s", said->message);
    assert_text(active_name(h), "a");
    ck_assert_double_eq(score_of(h, 20), before);
  }
}
END_TEST

START_TEST(auto_learns_a_name_that_is_not_there_and_leaves_the_others) {
  const TwoBanks two;
  ElementHarness h("mode=auto fit-frames=12 input-size=128 " + two.line("c"));
  ck_assert(h.started());
  h.push(0);
  assert_text(state_of(h.pull()), "learning");
  for (guint i = 1; i < 12; ++i) h.push(i);
  h.push(12);
  for (guint i = 1; i < 12; ++i) h.pull();
  assert_text(state_of(h.pull()), "scored");
  assert_text(active_name(h), "c");
  for (const char* name : {"a", "b", "c"}) score_with("mode=auto " + two.line(name));
}
END_TEST

START_TEST(save_bank_writes_under_the_name_of_the_bank) {
  const TwoBanks two;
  ElementHarness h(two.line("b"));
  const std::string copy = two.folder.file("copy");
  ck_assert(save_bank(h, copy.c_str()));
  ck_assert(done(h, "save-bank"));
  const double expected = score_of(h, 20, true);
  const double saved = score_with("bank-name=b bank-location=" + copy);
  ck_assert_double_eq_tol(saved, expected, 1e-5 * expected);
}
END_TEST

START_TEST(what_could_not_be_saved_is_an_error_before_the_first_frame) {
  const TwoBanks two;
  FittedBank one;
  const auto refused = [](const std::string& line, const char* part) {
    ElementHarness h(line);
    ck_assert(!h.started());
    const auto error = h.error();
    ck_assert_ptr_nonnull(error.get());
    ck_assert_msg(strstr(error->message, part), "%s", error->message);
  };
  refused("mode=fit " + two.line(""), "a,b");
  refused("mode=fit bank-name=a " + one.detect, "without a name");
  refused("mode=fit bank-name=.a " + two.line(""), "\".a\"");
  refused("mode=auto " + two.line(""), "a,b");
}
END_TEST

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  Suite* suite = suite_create("named-banks");
  TCase* tests = tcase_create("named-banks");
  tcase_set_timeout(tests, 120);
  tcase_add_test(tests, each_name_has_its_bank);
  tcase_add_test(tests, another_name_takes_over_while_playing);
  tcase_add_test(tests, a_file_and_a_name_that_are_set_together_are_one_change);
  tcase_add_test(tests, a_name_that_is_not_there_gives_a_warning_and_the_old_bank_stays);
  tcase_add_test(tests, auto_learns_a_name_that_is_not_there_and_leaves_the_others);
  tcase_add_test(tests, save_bank_writes_under_the_name_of_the_bank);
  tcase_add_test(tests, what_could_not_be_saved_is_an_error_before_the_first_frame);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
