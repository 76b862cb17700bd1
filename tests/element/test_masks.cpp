// SPDX-License-Identifier: LGPL-2.1-or-later
// Masks as somebody who runs the element has them: by a property, or beside the bank.

#include <gst/video/video.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "../check_main.hpp"
#include "../element_test.hpp"
#include "../png_file.hpp"

namespace {

constexpr unsigned kSide = 128;

/// Where make_frame() puts its defect (x 88 to 104), and all that sees something of it.
bool around_the_defect(unsigned x) { return x >= 24; }

void write_defect_mask(const std::string& file, unsigned side = kSide) {
  write_mask(file, side, side,
             [=](unsigned x, unsigned) { return around_the_defect(x * kSide / side); });
}

bool finds_the_defect(const std::string& properties) {
  ElementHarness h(properties);
  ck_assert(h.started());
  h.push(20, /*defect=*/true);
  return anomalous(h.pull());
}

/// Rows of a bank, as its file says.
int rows_of(const std::string& bank) {
  const std::string bytes = read_file(bank);
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), sizeof length);
  return nlohmann::json::parse(bytes.substr(sizeof length, length))["bank"]["shape"][0];
}

void expect_error(ElementHarness& h, gint code, const std::vector<std::string>& parts) {
  const auto error = h.error();
  ck_assert_ptr_nonnull(error.get());
  ck_assert_msg(error->domain == GST_RESOURCE_ERROR && error->code == code, "got %d: %s",
                error->code, error->message);
  for (const std::string& part : parts)
    ck_assert_msg(std::strstr(error->message, part.c_str()), "%s: no %s", error->message,
                  part.c_str());
}

std::string warning_of(ElementHarness& h) {
  GstMessage* message = gst_bus_timed_pop_filtered(h.bus(), 60 * GST_SECOND, GST_MESSAGE_WARNING);
  ck_assert_ptr_nonnull(message);
  GError* error = nullptr;
  gst_message_parse_warning(message, &error, nullptr);
  const std::string text = error->message;
  g_error_free(error);
  gst_message_unref(message);
  return text;
}

}  // namespace

START_TEST(what_the_mask_leaves_out_is_not_seen) {
  const FittedBank bank;
  const std::string mask = bank.folder.file("mask.png");
  write_defect_mask(mask);
  ck_assert(finds_the_defect(bank.detect));
  ck_assert(!finds_the_defect(bank.detect + "mask-kind=ignore mask-location=" + mask));
  ck_assert(finds_the_defect(bank.detect + "mask-location=" + mask));  // focus
}
END_TEST

START_TEST(a_mask_of_another_size_is_scaled) {
  const FittedBank bank;
  const std::string mask = bank.folder.file("mask.png");
  for (const unsigned side : {32u, 1024u}) {
    write_defect_mask(mask, side);
    ck_assert(!finds_the_defect(bank.detect + "mask-kind=ignore mask-location=" + mask));
  }
}
END_TEST

START_TEST(a_mask_beside_the_bank_counts_unless_another_is_named) {
  const FittedBank bank;
  write_defect_mask(bank.folder.file("bank.ignore.png"));
  ck_assert(!finds_the_defect(bank.detect));
  const std::string all = bank.folder.file("all.png");
  write_mask(all, kSide, kSide, [](unsigned, unsigned) { return true; });
  ck_assert(finds_the_defect(bank.detect + "mask-location=" + all));
}
END_TEST

START_TEST(what_is_left_out_is_not_learnt) {
  const TemporaryFolder folder;
  const std::string bank = folder.file("bank.safetensors"), whole = folder.file("whole");
  fit_bank(whole, 12, "input-size=128 coreset-ratio=1");
  write_mask(folder.file("bank.focus.png"), kSide, kSide,
             [](unsigned x, unsigned) { return x < 32; });
  fit_bank(bank, 12, "input-size=128 coreset-ratio=1");
  ck_assert_int_eq(4 * rows_of(bank), rows_of(whole));
}
END_TEST

START_TEST(auto_learns_and_scores_with_the_mask_and_so_does_reset) {
  const TemporaryFolder folder;
  const std::string bank = folder.file("bank.safetensors");
  write_defect_mask(folder.file("bank.ignore.png"));
  ElementHarness h("mode=auto fit-frames=4 coreset-ratio=1 input-size=128 bank-location=" + bank);
  const auto learn_and_score = [&](guint first) {
    for (guint i = first; i < first + 4; ++i) h.push(i);
    for (guint i = first; i < first + 4; ++i) assert_text(state_of(h.pull()), "learning");
    h.push(first + 4, /*defect=*/true);
    const auto frame = h.pull();
    assert_text(state_of(frame), "scored");
    ck_assert(!anomalous(frame));
    return rows_of(bank);
  };
  const int rows = learn_and_score(0);
  gboolean accepted = FALSE;
  g_signal_emit_by_name(h.element(), "reset", &accepted);
  ck_assert(accepted);
  wait_for_message(h.bus(), "patchcore-done");
  ck_assert_int_eq(learn_and_score(10), rows);
}
END_TEST

START_TEST(another_aspect_is_one_error_that_names_both_sizes) {
  const FittedBank bank;
  const std::string mask = bank.folder.file("wide.png");
  write_mask(mask, 160, 90, [](unsigned, unsigned) { return true; });
  ElementHarness h(bank.detect + "mask-location=" + mask);
  ck_assert(h.started());
  ck_assert_int_eq(h.push(20), GST_FLOW_ERROR);
  expect_error(h, GST_RESOURCE_ERROR_SETTINGS, {mask, "160 x 90", "128 x 128"});
}
END_TEST

START_TEST(a_mask_that_cannot_be_used_keeps_the_element_from_starting) {
  const FittedBank bank;
  const std::string mask = bank.folder.file("mask.png");
  {
    ElementHarness h(bank.detect + "mask-location=" + mask);
    ck_assert(!h.started());
    expect_error(h, GST_RESOURCE_ERROR_NOT_FOUND, {mask});
  }
  write_file(mask, "no PNG");
  for (const char* mode : {"detect", "fit"}) {
    ElementHarness h(bank.detect + "mode=" + mode + " mask-location=" + mask);
    ck_assert(!h.started());
    expect_error(h, GST_RESOURCE_ERROR_OPEN_READ, {mask});
  }
  write_defect_mask(bank.folder.file("bank.ignore.png"));
  write_defect_mask(bank.folder.file("bank.focus.png"));
  ElementHarness h(bank.detect);
  ck_assert(!h.started());
  expect_error(h, GST_RESOURCE_ERROR_SETTINGS, {"bank.ignore.png", "bank.focus.png"});
}
END_TEST

START_TEST(a_bank_whose_mask_does_not_fit_does_not_take_over) {
  const FittedBank bank;
  const std::string other = bank.folder.file("other.safetensors");
  fit_bank(other);
  ElementHarness h(bank.detect);
  h.push(20, true);
  h.pull();
  write_mask(bank.folder.file("other.focus.png"), 160, 90, [](unsigned, unsigned) { return true; });
  g_object_set(h.element(), "bank-location", other.c_str(), nullptr);
  const std::string said = warning_of(h);
  ck_assert_msg(said.find("160 x 90") != std::string::npos, "%s", said.c_str());
  h.push(21, true);
  ck_assert(anomalous(h.pull()));
}
END_TEST

START_TEST(a_bank_that_takes_over_brings_its_mask) {
  const FittedBank bank;
  const std::string other = bank.folder.file("other.safetensors");
  fit_bank(other);
  write_defect_mask(bank.folder.file("other.ignore.png"), 64);
  ElementHarness h(bank.detect);
  h.push(20, true);
  ck_assert(anomalous(h.pull()));
  gchar* active = nullptr;
  g_object_set(h.element(), "bank-location", other.c_str(), nullptr);
  for (guint i = 21;; ++i) {
    h.push(i, true);
    const bool found = anomalous(h.pull());
    g_object_get(h.element(), "active-bank", &active, nullptr);
    const bool taken = other == active;
    g_free(active);
    if (!taken) continue;
    if (!found) break;
    ck_assert_uint_lt(i, 500);
  }
}
END_TEST

START_TEST(a_region_of_interest_sees_its_own_part_of_the_mask) {
  const FittedBank bank;
  const std::string mask = bank.folder.file("mask.png");
  write_defect_mask(mask);
  ElementHarness h(bank.detect + "inference-region=roi mask-kind=ignore mask-location=" + mask);
  GstBuffer* frame = make_frame(20, /*defect=*/true);
  gst_buffer_add_video_region_of_interest_meta(frame, "part", 72, 32, 48, 48);  // nothing counts
  gst_buffer_add_video_region_of_interest_meta(frame, "part", 0, 0, 56, 56);
  ck_assert_int_eq(gst_harness_push(h.get(), frame), GST_FLOW_OK);
  const auto scored = h.pull();
  ck_assert_double_eq(number(result_of(scored, 0), "score"), 0);
  ck_assert_double_gt(number(result_of(scored, 1), "score"), 0);
  ck_assert(!anomalous(scored));
}
END_TEST

int main() {
  gst_init(nullptr, nullptr);
  Suite* suite = suite_create("masks");
  TCase* tests = tcase_create("masks");
  tcase_set_timeout(tests, 120);
  tcase_add_test(tests, what_the_mask_leaves_out_is_not_seen);
  tcase_add_test(tests, a_mask_of_another_size_is_scaled);
  tcase_add_test(tests, a_mask_beside_the_bank_counts_unless_another_is_named);
  tcase_add_test(tests, what_is_left_out_is_not_learnt);
  tcase_add_test(tests, auto_learns_and_scores_with_the_mask_and_so_does_reset);
  tcase_add_test(tests, another_aspect_is_one_error_that_names_both_sizes);
  tcase_add_test(tests, a_mask_that_cannot_be_used_keeps_the_element_from_starting);
  tcase_add_test(tests, a_bank_whose_mask_does_not_fit_does_not_take_over);
  tcase_add_test(tests, a_bank_that_takes_over_brings_its_mask);
  tcase_add_test(tests, a_region_of_interest_sees_its_own_part_of_the_mask);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
