// SPDX-License-Identifier: LGPL-2.1-or-later
// patchcore evaluate on data sets that have all, or lack something.
#include <algorithm>
#include <opencv2/imgcodecs.hpp>

#include "workshop.hpp"

using namespace workshop;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

Run evaluate(const std::string& dataset, const Arguments& more = {}) {
  const Arguments arguments{"evaluate",  "--json", "--bank", shared("bank.safetensors"),
                            "--dataset", dataset};
  return run(join(arguments, more));
}

/// The shared data set without some of its folders.
fs::path dataset_without(std::initializer_list<const char*> folders) {
  const fs::path data = fresh();
  fs::copy(shared("data"), data, fs::copy_options::recursive);
  for (const char* folder : folders) fs::remove_all(data / folder);
  return data;
}

START_TEST(evaluate_measures_all_and_each_class) {
  const json result = json::parse(evaluate(shared("data")).out);
  const std::vector<std::string> expected{"aupro",
                                          "aupro_ci",
                                          "classes",
                                          "defects",
                                          "false_alarms",
                                          "image_ap",
                                          "image_ap_ci",
                                          "image_auroc",
                                          "image_auroc_ci",
                                          "image_f1",
                                          "image_f1_calibrated",
                                          "image_f1_calibrated_ci",
                                          "image_f1_ci",
                                          "images",
                                          "misses",
                                          "pixel_auroc",
                                          "pixel_auroc_ci"};
  ck_assert(keys(result) == expected);
  ck_assert_int_eq(result["images"], 6);
  ck_assert_int_eq(result["defects"], 3);
  json whole = result;
  whole.erase("classes");
  ck_assert(keys(result["classes"]) == std::vector<std::string>{"spot"});
  ck_assert(result["classes"]["spot"] == whole);  // the only class
}
END_TEST

START_TEST(spots_that_cannot_be_missed_are_not) {
  const json result = json::parse(evaluate(shared("data")).out);
  for (const char* key : {"image_auroc", "image_ap", "image_f1"})
    ck_assert_double_eq(result[key], 1);
  ck_assert_double_gt(result["pixel_auroc"], 0.9);
  ck_assert_double_gt(result["aupro"], 0.8);
  ck_assert_int_eq(result["misses"], 0);
}
END_TEST

START_TEST(verdicts_are_those_of_score) {
  const json result = json::parse(evaluate(shared("data")).out);
  double false_alarms = 0, hits = 0;
  for (const json& line : scores(shared("bank.safetensors"), shared("data/test"))) {
    if (!line["anomalous"]) continue;
    ++(line["file"].get<std::string>().starts_with("good/") ? false_alarms : hits);
  }
  ck_assert_double_eq(result["false_alarms"], false_alarms);
  ck_assert_double_eq(result["misses"], 3 - hits);
  ck_assert_double_eq(result["image_f1_calibrated"], 2 * hits / (hits + false_alarms + 3));
}
END_TEST

/// A data set whose good and defective images overlap: one normal picture is among the spots.
fs::path overlapping() {
  const fs::path data = dataset_without({});
  cv::Mat mask(64, 64, CV_8U, cv::Scalar(0));
  mask(cv::Rect(20, 20, 8, 8)).setTo(255);
  cv::imwrite(data / "test/spot/3.png", stripes(0));  // which the bank has learnt
  cv::imwrite(data / "ground_truth/spot/3_mask.png", mask);
  return data;
}

START_TEST(intervals_surround_what_they_are_of) {
  const json result = json::parse(evaluate(overlapping()).out);
  for (const std::string key :
       {"image_auroc", "image_ap", "image_f1", "image_f1_calibrated", "pixel_auroc", "aupro"}) {
    const json interval = result[key + "_ci"];
    ck_assert_uint_eq(interval.size(), 2);
    ck_assert_double_le(interval[0], result[key]);
    ck_assert_double_ge(interval[1], result[key]);
    ck_assert_double_lt(interval[0], 1);
  }
}
END_TEST

START_TEST(a_seed_makes_the_intervals_reproducible) {
  const fs::path data = overlapping();
  const auto intervals = [&](const std::string& seed) {
    return json::parse(evaluate(data, {"--seed", seed, "--bootstrap", "3"}).out)["image_ap_ci"];
  };
  const json first = intervals("5");
  ck_assert(first == intervals("5"));
  ck_assert(first != intervals("6"));
}
END_TEST

START_TEST(without_resamples_there_are_no_intervals) {
  const json result = json::parse(evaluate(shared("data"), {"--bootstrap", "0"}).out);
  ck_assert(result["image_auroc_ci"].is_null());
  ck_assert_double_eq(result["image_auroc"], 1);
}
END_TEST

START_TEST(a_bank_without_a_threshold_gives_no_verdicts_and_that_is_said) {
  const std::string bank = fresh() / "bank.safetensors";
  output_of(join({"fit", "--images", shared("train"), "--output", bank, "--folds", "0"}, kFit));
  const Run run =
      workshop::run({"evaluate", "--json", "--bank", bank, "--dataset", shared("data")});
  ck_assert_int_eq(run.status, 0);
  const json result = json::parse(run.out);
  for (const char* key :
       {"image_f1_calibrated", "image_f1_calibrated_ci", "false_alarms", "misses"})
    ck_assert(result[key].is_null());
  ck_assert_double_eq(result["image_f1"], 1);
  ck_assert(run.err.find("no threshold") != std::string::npos);
}
END_TEST

START_TEST(masks_that_are_all_good_leave_the_pixel_metrics_undefined_and_that_is_said) {
  const fs::path data = dataset_without({});
  for (const auto& file : fs::directory_iterator(data / "ground_truth/spot"))
    cv::imwrite(file.path(), cv::Mat(64, 64, CV_8U, cv::Scalar(0)));
  const Run run = evaluate(data);
  ck_assert_int_eq(run.status, 0);
  ck_assert(json::parse(run.out)["aupro"].is_null());
  ck_assert(json::parse(run.out)["pixel_auroc"].is_null());
  ck_assert(run.err.find("masks") != std::string::npos);
}
END_TEST

// A mask whose values are all below 255 is defective by the mask's own geometry; the official code
// truncates its fractions to 0.
START_TEST(the_official_geometry_counts_only_what_is_white) {
  const fs::path data = dataset_without({});
  for (const auto& file : fs::directory_iterator(data / "ground_truth/spot")) {
    const cv::Mat mask = cv::imread(file.path(), cv::IMREAD_GRAYSCALE);
    cv::imwrite(file.path(), mask * 0.9);
  }
  ck_assert(json::parse(evaluate(data).out)["pixel_auroc"].is_number());
  const json official = json::parse(evaluate(data, {"--pixel-geometry", "official"}).out);
  ck_assert(official["pixel_auroc"].is_null());
}
END_TEST

START_TEST(masks_at_the_inputs_own_size_have_one_geometry) {
  const json ours = json::parse(evaluate(shared("data")).out);
  const json official = json::parse(evaluate(shared("data"), {"--pixel-geometry", "official"}).out);
  ck_assert(ours == official);
}
END_TEST

START_TEST(each_class_is_compared_with_the_good_images_alone) {
  const fs::path data = dataset_without({});
  for (const char* part : {"test", "ground_truth"})
    fs::copy(data / part / "spot", data / part / "stain", fs::copy_options::recursive);
  const json result = json::parse(evaluate(data).out);
  ck_assert_int_eq(result["images"], 9);
  ck_assert_int_eq(result["defects"], 6);
  ck_assert_int_eq(result["classes"]["stain"]["images"], 6);
  json stain = result["classes"]["stain"], spot = result["classes"]["spot"];
  for (json* kind : {&stain, &spot})
    for (const char* key : {"pixel_auroc_ci", "aupro_ci"}) kind->erase(key);  // drawn apart
  ck_assert(stain == spot);
}
END_TEST

START_TEST(without_json_it_is_a_table) {
  const std::string table =
      output_of({"evaluate", "--bank", shared("bank.safetensors"), "--dataset", shared("data")});
  ck_assert_int_eq(std::count(table.begin(), table.end(), '\n'), 3);
  ck_assert(table.find("\nspot ") != std::string::npos);
  ck_assert(table.find("\nall ") != std::string::npos);
  ck_assert(table.find("100.00") != std::string::npos);
}
END_TEST

START_TEST(without_defects_metrics_are_null_and_that_is_said) {
  const Run run = evaluate(dataset_without({"test/spot"}));
  ck_assert_int_eq(run.status, 0);
  const json result = json::parse(run.out);
  for (const char* key : {"image_auroc", "image_auroc_ci", "image_ap", "image_f1", "pixel_auroc",
                          "image_f1_calibrated", "aupro"})
    ck_assert(result[key].is_null());
  ck_assert(run.err.find("no defective images") != std::string::npos);
}
END_TEST

START_TEST(without_good_images_the_image_auroc_is_null_and_that_is_said) {
  const Run run = evaluate(dataset_without({"test/good"}));
  ck_assert_int_eq(run.status, 0);
  const json result = json::parse(run.out);
  ck_assert(result["image_auroc"].is_null());
  ck_assert(result["aupro"].is_number());
  ck_assert(result["pixel_auroc"].is_number());  // there are good pixels around the spots
  ck_assert(run.err.find("no good images") != std::string::npos);
}
END_TEST

START_TEST(without_masks_the_pixel_auroc_is_null_and_that_is_said) {
  const Run run = evaluate(dataset_without({"ground_truth"}));
  ck_assert_int_eq(run.status, 0);
  const json result = json::parse(run.out);
  ck_assert(result["pixel_auroc"].is_null());
  ck_assert(result["aupro"].is_null());
  ck_assert_double_eq(result["image_auroc"], 1);
  ck_assert(run.err.find("ground_truth") != std::string::npos);
}
END_TEST

START_TEST(one_missing_mask_is_named) {
  const fs::path data = dataset_without({"ground_truth/spot/1_mask.png"});
  assert_refused(evaluate(data), 1, data / "ground_truth/spot/1_mask.png");
}
END_TEST

START_TEST(an_unreadable_mask_is_named) {
  const fs::path data = dataset_without({});
  write_file(data / "ground_truth/spot/1_mask.png", "");
  assert_refused(evaluate(data), 1, data / "ground_truth/spot/1_mask.png");
}
END_TEST

START_TEST(a_dataset_without_images_is_named) {
  const fs::path data = fresh();
  fs::create_directories(data / "test/good");
  assert_refused(evaluate(data), 1, data / "test");
}
END_TEST

START_TEST(a_folder_that_is_no_dataset_is_named) {
  assert_refused(evaluate(shared("train")), 1, shared("train/test"));
}
END_TEST

}  // namespace

int main(int argc, char** argv) {
  return run_tests(
      argc, argv, "evaluate",
      {evaluate_measures_all_and_each_class, spots_that_cannot_be_missed_are_not,
       verdicts_are_those_of_score, intervals_surround_what_they_are_of,
       a_seed_makes_the_intervals_reproducible, without_resamples_there_are_no_intervals,
       a_bank_without_a_threshold_gives_no_verdicts_and_that_is_said,
       masks_that_are_all_good_leave_the_pixel_metrics_undefined_and_that_is_said,
       the_official_geometry_counts_only_what_is_white,
       masks_at_the_inputs_own_size_have_one_geometry,
       each_class_is_compared_with_the_good_images_alone, without_json_it_is_a_table,
       without_defects_metrics_are_null_and_that_is_said,
       without_good_images_the_image_auroc_is_null_and_that_is_said,
       without_masks_the_pixel_auroc_is_null_and_that_is_said, one_missing_mask_is_named,
       an_unreadable_mask_is_named, a_dataset_without_images_is_named,
       a_folder_that_is_no_dataset_is_named});
}
