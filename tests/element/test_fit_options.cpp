// SPDX-License-Identifier: LGPL-2.1-or-later
// What a fit is told by properties, as the bank's own header says it.

#include <cstring>
#include <nlohmann/json.hpp>

#include "../check_main.hpp"
#include "../element_test.hpp"

namespace {

/// A safetensors file: the header's length in 8 bytes, then the header.
nlohmann::json header(const std::string& file) {
  const std::string bytes = read_file(file);
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), sizeof length);
  return nlohmann::json::parse(bytes.substr(sizeof length, length));
}

/// Fits on so many frames, 25 a second.
nlohmann::json metadata(const std::string& properties, guint frames = 12) {
  const TemporaryFolder folder;
  fit_bank(folder.file("bank"), frames, properties);
  return header(folder.file("bank"))["__metadata__"];
}

std::string refusal(const std::string& properties) {
  const TemporaryFolder folder;
  return run_pipeline("videotestsrc num-buffers=2 ! patchcoredetect mode=fit bank-location=" +
                      folder.file("bank") + " " + properties + " ! fakesink");
}

}  // namespace

START_TEST(settings_take_the_place_of_the_presets) {
  const auto bank = metadata("settings=\"settings,patch_size=5,image-scoring=top-mean\"");
  assert_text(bank["patch_size"].get<std::string>(), "5");
  assert_text(bank["image_scoring"].get<std::string>(), "top-mean");
  assert_text(bank["preset"].get<std::string>(), "anomalib");
}
END_TEST

START_TEST(a_search_radius_is_learnt_with_and_scored_with) {
  const TemporaryFolder folder;
  const std::string bank = folder.file("bank");
  fit_bank(bank, 12, "search-radius=2");
  const auto all = header(bank);
  assert_text(all["__metadata__"]["search_radius"].get<std::string>(), "2");
  assert_text(all["__metadata__"]["positions"].get<std::string>(), "16x16");
  ck_assert_int_eq(all["positions"]["shape"][1].get<int>(), 16 * 16 / 8);
  ElementHarness h("bank-location=" + bank);
  h.push(20, /*defect=*/true);
  ck_assert(anomalous(h.pull()));
}
END_TEST

START_TEST(frames_of_another_size_than_the_first_end_a_fit_with_a_search_radius) {
  const TemporaryFolder folder;
  const std::string message = run_pipeline(
      "concat name=c ! patchcoredetect mode=fit search-radius=1 input-size=64 bank-location=" +
      folder.file("bank") +
      " ! fakesink videotestsrc num-buffers=3 ! video/x-raw,width=64,height=64 ! c. "
      "videotestsrc num-buffers=3 ! video/x-raw,width=96,height=64 ! c.");
  ck_assert_msg(
      message.find("8 x 8") != std::string::npos && message.find("12 x 8") != std::string::npos,
      "%s", message.c_str());
}
END_TEST

START_TEST(frames_that_are_not_rounded_are_learnt_and_scored) {
  const TemporaryFolder folder;
  const std::string bank = folder.file("bank");
  // 128 pixels become 96: what rounding does to them is seen.
  const auto score = [&](const std::string& values) {
    fit_bank(bank, 12, "input-size=96 settings=\"settings,resize_values=" + values + "\"");
    ElementHarness h("bank-location=" + bank);
    h.push(20, /*defect=*/true);
    const auto frame = h.pull();
    ck_assert(anomalous(frame));
    return number(result_of(frame), "score");
  };
  const double floats = score("floats"), bytes = score("bytes");
  ck_assert_double_ne(floats, bytes);
  ck_assert_double_eq_tol(floats, bytes, 0.1 * bytes);
}
END_TEST

START_TEST(a_setting_that_is_none_is_an_error_that_names_it) {
  const std::string unknown = refusal("settings=\"settings,patch=5\"");
  ck_assert_msg(unknown.find("\"patch\"") != std::string::npos, "%s", unknown.c_str());
  const std::string wrong = refusal("settings=\"settings,patch_size=4\"");
  ck_assert_msg(wrong.find("patch_size") != std::string::npos, "%s", wrong.c_str());
}
END_TEST

START_TEST(folds_and_rate_are_those_that_the_threshold_was_found_with) {
  const std::string method =
      metadata("folds=4 false-alarm-rate=0.25")["threshold_method"].get<std::string>();
  assert_text(method, "4 folds, false alarm rate 0.25");
}
END_TEST

START_TEST(alarms_an_hour_are_counted_over_the_time_of_the_frames) {
  const auto bank = metadata("alarms-per-hour=3600 alarm-frames=1", 25);  // one in a second
  assert_text(bank["threshold_method"].get<std::string>(), "3 folds, 3600 alarms an hour");
  ck_assert_double_eq_tol(std::stod(bank["calibration_hours"].get<std::string>()), 1.0 / 3600,
                          1e-9);
  assert_text(bank["calibration_alarms"].get<std::string>(), "1");
}
END_TEST

START_TEST(as_many_frames_as_an_alarm_needs_are_asked_for) {
  // A thousand in a row there are none of: whatever the threshold, no alarm starts.
  const auto bank = metadata("alarms-per-hour=3600 alarm-frames=1000", 25);
  assert_text(bank["calibration_alarms"].get<std::string>(), "0");
}
END_TEST

START_TEST(frames_without_times_can_not_be_told_alarms_an_hour_of) {
  const TemporaryFolder folder;
  const std::string message = run_pipeline(
      "videotestsrc num-buffers=4 ! video/x-raw,width=64,height=64 ! identity name=i ! "
      "patchcoredetect mode=fit input-size=64 alarms-per-hour=1 bank-location=" +
          folder.file("bank") + " ! fakesink",
      nullptr, {{"i.src", [](GstBuffer*& buffer) {
                   buffer = gst_buffer_make_writable(buffer);
                   GST_BUFFER_PTS(buffer) = GST_CLOCK_TIME_NONE;
                 }}});
  ck_assert_msg(message.find("how long") != std::string::npos, "%s", message.c_str());
  ck_assert(!g_file_test(folder.file("bank").c_str(), G_FILE_TEST_EXISTS));
}
END_TEST

START_TEST(a_defect_that_was_seen_while_learning_is_told_and_left_out) {
  for (const bool drop : {false, true}) {
    const TemporaryFolder folder;
    ElementHarness fit(
        "mode=fit input-size=128 drop-outliers=" + std::string(drop ? "true" : "false") +
        " bank-location=" + folder.file("bank"));
    for (guint i = 0; i < 13; ++i) fit.push(i, /*defect=*/i == 7);
    fit.end();
    const auto message = wait_for_message(fit.bus(), "patchcore-outliers");
    const GstStructure* outliers = gst_message_get_structure(message.get());
    const GValue* list = gst_structure_get_value(outliers, "outliers");
    ck_assert_uint_eq(gst_value_list_get_size(list), 1);
    const GstStructure* worst = gst_value_get_structure(gst_value_list_get_value(list, 0));
    ck_assert_uint_eq(whole_number(worst, "frame"), 7);
    ck_assert_double_gt(number(worst, "score"), number(outliers, "limit"));
    gboolean dropped = FALSE;
    ck_assert(gst_structure_get_boolean(outliers, "dropped", &dropped));
    ck_assert_int_eq(dropped, drop);
    assert_text(header(folder.file("bank"))["__metadata__"]["frames"].get<std::string>(),
                drop ? "12" : "13");
  }
}
END_TEST

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  Suite* suite = suite_create("fit-options");
  TCase* tests = tcase_create("fit-options");
  tcase_set_timeout(tests, 120);
  tcase_add_test(tests, settings_take_the_place_of_the_presets);
  tcase_add_test(tests, a_search_radius_is_learnt_with_and_scored_with);
  tcase_add_test(tests, frames_of_another_size_than_the_first_end_a_fit_with_a_search_radius);
  tcase_add_test(tests, frames_that_are_not_rounded_are_learnt_and_scored);
  tcase_add_test(tests, a_setting_that_is_none_is_an_error_that_names_it);
  tcase_add_test(tests, folds_and_rate_are_those_that_the_threshold_was_found_with);
  tcase_add_test(tests, alarms_an_hour_are_counted_over_the_time_of_the_frames);
  tcase_add_test(tests, as_many_frames_as_an_alarm_needs_are_asked_for);
  tcase_add_test(tests, frames_without_times_can_not_be_told_alarms_an_hour_of);
  tcase_add_test(tests, a_defect_that_was_seen_while_learning_is_told_and_left_out);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
