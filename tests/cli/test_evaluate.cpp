// SPDX-License-Identifier: LGPL-2.1-or-later
// patchcore evaluate on data sets that have all, or lack something.
#include <algorithm>

#include "workshop.hpp"

using namespace workshop;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

Run evaluate(const std::string& dataset) {
  return run({"evaluate", "--json", "--bank", shared("bank.safetensors"), "--dataset", dataset});
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
  const std::vector<std::string> expected{"classes",  "defects", "image_ap",   "image_auroc",
                                          "image_f1", "images",  "pixel_auroc"};
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
  ck_assert(result["classes"]["stain"] == result["classes"]["spot"]);
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
  for (const char* key : {"image_auroc", "image_ap", "image_f1", "pixel_auroc"})
    ck_assert(result[key].is_null());
  ck_assert(run.err.find("no defective images") != std::string::npos);
}
END_TEST

START_TEST(without_good_images_the_image_auroc_is_null_and_that_is_said) {
  const Run run = evaluate(dataset_without({"test/good"}));
  ck_assert_int_eq(run.status, 0);
  const json result = json::parse(run.out);
  ck_assert(result["image_auroc"].is_null());
  ck_assert(result["pixel_auroc"].is_number());  // there are good pixels around the spots
  ck_assert(run.err.find("no good images") != std::string::npos);
}
END_TEST

START_TEST(without_masks_the_pixel_auroc_is_null_and_that_is_said) {
  const Run run = evaluate(dataset_without({"ground_truth"}));
  ck_assert_int_eq(run.status, 0);
  const json result = json::parse(run.out);
  ck_assert(result["pixel_auroc"].is_null());
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
  return run_tests(argc, argv, "evaluate",
                   {evaluate_measures_all_and_each_class, spots_that_cannot_be_missed_are_not,
                    each_class_is_compared_with_the_good_images_alone, without_json_it_is_a_table,
                    without_defects_metrics_are_null_and_that_is_said,
                    without_good_images_the_image_auroc_is_null_and_that_is_said,
                    without_masks_the_pixel_auroc_is_null_and_that_is_said,
                    one_missing_mask_is_named, an_unreadable_mask_is_named,
                    a_dataset_without_images_is_named, a_folder_that_is_no_dataset_is_named});
}
