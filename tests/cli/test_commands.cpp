// SPDX-License-Identifier: LGPL-2.1-or-later
// From pictures to a bank, to what it says of itself, to scores, and a bank from elsewhere.
#include <algorithm>
#include <cmath>
#include <opencv2/imgcodecs.hpp>

#include "workshop.hpp"

using namespace workshop;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

std::string bank() { return shared("bank.safetensors"); }

/// Fits on the shared pictures and returns the bank's name.
std::string fit(const Arguments& options) {
  const std::string file = fresh() / "bank.safetensors";
  output_of(join({"fit", "--images", shared("train"), "--output", file}, options));
  return file;
}

json info_of(const std::string& bank) {
  return json::parse(output_of({"bank", "info", "--json", bank}));
}

START_TEST(fit_says_in_one_line_what_it_made) {
  const std::string file = fresh() / "bank.safetensors";
  const Run fitted = run(join({"fit", "--images", shared("train"), "--output", file}, kFit));
  ck_assert_int_eq(fitted.status, 0);
  // 6 frames of 64 / 8 patches a side
  ck_assert_msg(fitted.out.starts_with("6 frames, 384 patches, bank 60 x 160, threshold "), "%s",
                fitted.out.c_str());
  ck_assert_msg(fitted.out.ends_with(file + "\n"), "%s", fitted.out.c_str());
}
END_TEST

START_TEST(fit_shows_no_progress_without_a_terminal) {
  const std::string file = fresh() / "bank.safetensors";
  assert_text(run(join({"fit", "--images", shared("train"), "--output", file}, kFit)).err, "");
}
END_TEST

START_TEST(the_same_seed_makes_the_same_bank) {
  ck_assert(read_file(fit(kFit)) == read_file(bank()));
}
END_TEST

START_TEST(batches_of_another_size_make_the_same_bank) {
  ck_assert(read_file(fit(join(kFit, {"--batch-size", "4"}))) == read_file(bank()));
}
END_TEST

START_TEST(the_coreset_ratio_is_that_of_the_patches) {
  ck_assert_int_eq(info_of(fit({"--resize", "64x64", "--coreset-ratio", "0.25"}))["rows"], 96);
}
END_TEST

START_TEST(bank_info_tells_what_was_fitted) {
  const json info = info_of(bank());
  ck_assert_int_eq(info["rows"], 60);
  ck_assert_int_eq(info["width"], 160);
  ck_assert_int_eq(info["frames"], 6);
  ck_assert_uint_eq(info["weights_id"].get<std::string>().size(), 64);  // SHA-256
  ck_assert_uint_eq(info["id"].get<std::string>().size(), 16);
  ck_assert(info["settings"]["resize"] == "64x64");
  ck_assert_double_gt(info["threshold"], info["median"]);
  ck_assert(info["library_version"].is_string());
}
END_TEST

START_TEST(settings_take_the_place_of_the_presets) {
  const json settings = info_of(
      fit(join(kFit, {"--set", "patch_size=5", "--set", "augmentation=flip-x,shift"})))["settings"];
  ck_assert(settings["patch_size"] == "5");
  ck_assert(settings["augmentation"] == "flip-x,shift");
  ck_assert(settings["preset"] == "anomalib");
  ck_assert(!info_of(bank())["settings"].contains("augmentation"));
}
END_TEST

START_TEST(bank_info_tells_how_sure_the_false_alarm_rate_is) {
  const json info = info_of(bank());
  ck_assert_int_eq(info["calibration_frames"], 6);
  ck_assert_int_eq(info["false_alarms"], 0);
  ck_assert_double_eq_tol(info["false_alarm_bound"], 1 - std::pow(0.05, 1.0 / 6), 1e-9);
  ck_assert(info["calibration_hours"].is_null());
  const json half = info_of(fit(join(kFit, {"--false-alarm-rate", "0.5"})));
  ck_assert_int_eq(half["false_alarms"], 3);
}
END_TEST

START_TEST(alarms_an_hour_are_counted_in_images_that_are_video) {
  const std::string file = fresh() / "bank.safetensors";
  const Run fitted = run(join({"fit", "--images", shared("train"), "--output", file, "--frame-rate",
                               "2", "--alarms-per-hour", "5"},
                              kFit));
  ck_assert_int_eq(fitted.status, 0);
  ck_assert_msg(fitted.err.find("too short") != std::string::npos, "%s", fitted.err.c_str());
  const json info = info_of(file);
  ck_assert(info["threshold_method"] == "3 folds, 5 alarms an hour");
  ck_assert_double_eq_tol(info["calibration_hours"], 3.0 / 3600, 1e-12);
  ck_assert_int_eq(info["calibration_alarms"], 0);
  ck_assert_double_eq_tol(info["alarms_per_hour_bound"], std::log(20) * 1200, 1e-6);
}
END_TEST

START_TEST(images_too_few_for_the_rate_that_was_asked_for_are_said_to_be) {
  const std::string file = fresh() / "bank.safetensors";
  const Run fitted = run(join(
      {"fit", "--images", shared("train"), "--output", file, "--false-alarm-rate", "0.1"}, kFit));
  ck_assert_msg(fitted.err.find("6 images are too few") != std::string::npos, "%s",
                fitted.err.c_str());
}
END_TEST

START_TEST(an_image_that_does_not_belong_is_named_and_left_out_where_that_is_asked_for) {
  const fs::path images = fresh(), file = fresh() / "bank.safetensors";
  for (int i = 0; i < 11; ++i) cv::imwrite(images / (std::to_string(100 + i) + ".png"), stripes(i));
  cv::imwrite(images / "105.png", cv::Mat(64, 64, CV_8UC3, cv::Scalar(0, 0, 0)));
  for (const bool drop : {false, true}) {
    Arguments arguments = join({"fit", "--images", images, "--output", file}, kFit);
    if (drop) arguments.push_back("--drop-outliers");
    const Run fitted = run(arguments);
    ck_assert_int_eq(fitted.status, 0);
    ck_assert_msg(fitted.err.starts_with("patchcore: 1 of 11 images score above ") &&
                      fitted.err.ends_with("  105.png\n"),
                  "%s", fitted.err.c_str());
    ck_assert_int_eq(fitted.err.find("were left out") != std::string::npos, drop);
    ck_assert_int_eq(info_of(file)["frames"], drop ? 10 : 11);
  }
}
END_TEST

START_TEST(bank_info_has_no_threshold_without_calibration) {
  ck_assert(info_of(fit(join(kFit, {"--folds", "0"})))["threshold"].is_null());
}
END_TEST

START_TEST(bank_info_without_json_is_a_line_an_entry) {
  const std::string text = output_of({"bank", "info", bank()});
  ck_assert(text.find("\nrows                   60\n") != std::string::npos);
  ck_assert(text.find("\nresize                 64x64\n") != std::string::npos);
}
END_TEST

START_TEST(score_gives_four_keys_a_line) {
  const auto lines = scores(bank(), shared("data/test/good"));
  ck_assert_uint_eq(lines.size(), 3);
  const std::vector<std::string> expected{"anomalous", "file", "normalized_score", "score"};
  for (const json& line : lines) ck_assert(keys(line) == expected);
}
END_TEST

START_TEST(a_defect_is_anomalous) {
  for (const json& line : scores(bank(), shared("data/test/spot"))) {
    ck_assert(line["anomalous"].get<bool>());
    ck_assert_double_gt(line["normalized_score"], 0.5);
  }
}
END_TEST

START_TEST(an_image_of_the_fit_is_normal) {
  for (const json& line : scores(bank(), shared("train"))) {
    ck_assert(!line["anomalous"].get<bool>());
    ck_assert_double_lt(line["normalized_score"], 0.5);
  }
}
END_TEST

START_TEST(without_calibration_the_verdict_is_null) {
  for (const json& line : scores(fit(join(kFit, {"--folds", "0"})), shared("data/test/spot"))) {
    ck_assert(line["score"].is_number());
    ck_assert(line["normalized_score"].is_null());
    ck_assert(line["anomalous"].is_null());
  }
}
END_TEST

START_TEST(images_come_in_the_order_of_their_names_from_all_subfolders) {
  const fs::path images = fresh();
  fs::create_directories(images / "b");
  for (const char* name : {"b/2.PNG", "b/10.jpg", "a.bmp", "B.tiff", "c.webp", "d.ppm"})
    cv::imwrite(images / name, stripes(1));
  write_file(images / "notes.txt", "no image");
  std::vector<std::string> names;
  for (const json& line : scores(bank(), images)) names.push_back(line["file"]);
  const std::vector<std::string> expected{"B.tiff",  "a.bmp",  "b/10.jpg",
                                          "b/2.PNG", "c.webp", "d.ppm"};
  ck_assert(names == expected);
}
END_TEST

START_TEST(images_of_other_shapes_in_between_change_no_score) {
  const std::string bank = fit({"--resize", "64", "--bank-size", "60"});
  const fs::path images = fresh();
  for (int i = 0; i < 4; ++i)
    cv::imwrite(images / (std::to_string(i) + ".png"),
                stripes(i, i == 2 ? cv::Size(96, 64) : cv::Size(64, 64)));
  const auto together = scores(bank, images);
  ck_assert_uint_eq(together.size(), 4);
  for (const json& line : together) {
    const fs::path alone = fresh();
    fs::copy(images / line["file"].get<std::string>(), alone);
    const double score = scores(bank, alone).at(0)["score"];
    ck_assert_double_eq_tol(line["score"], score, 1e-5 * score);
  }
}
END_TEST

START_TEST(sixteen_bits_score_as_their_upper_eight) {
  const fs::path images = fresh();
  const cv::Mat image = stripes(3);
  cv::Mat deep;
  image.convertTo(deep, CV_16U, 257);
  cv::imwrite(images / "16.png", deep);
  cv::imwrite(images / "8.png", image);
  const auto lines = scores(bank(), images);
  ck_assert_double_eq(lines.at(0)["score"], lines.at(1)["score"]);
}
END_TEST

START_TEST(text_has_the_same_four_columns) {
  const std::string text =
      output_of({"score", "--bank", bank(), "--images", shared("data/test/spot")});
  const std::string line = text.substr(0, text.find('\n'));
  ck_assert(line.starts_with("0.png\t"));
  ck_assert_int_eq(std::count(line.begin(), line.end(), '\t'), 3);
  ck_assert(line.ends_with("\tanomalous"));
}
END_TEST

START_TEST(maps_are_a_float_tensor_an_image_at_the_inputs_size) {
  const std::string file = fresh() / "maps.safetensors";
  output_of({"score", "--bank", bank(), "--images", shared("data/test"), "--maps", file});
  json header = header_of(file);
  header.erase("__metadata__");
  ck_assert_uint_eq(header.size(), 6);
  for (const char* name : {"good/0.png", "spot/2.png"}) {
    ck_assert(header[name]["dtype"] == "F32");
    ck_assert(header[name]["shape"] == json({64, 64}));
  }
}
END_TEST

START_TEST(an_imported_bank_scores_as_its_source) {
  const std::string copy = fresh() / "copy.safetensors";
  output_of({"bank", "import", "--embeddings", bank(), "--backbone", "builtin", "--preset",
             "anomalib", "--resize", "64x64", "--crop", "0", "--output", copy});
  const auto expected = scores(bank(), shared("data/test")),
             got = scores(copy, shared("data/test"));
  ck_assert_uint_eq(got.size(), 6);
  for (size_t i = 0; i < got.size(); ++i) {
    ck_assert_double_eq(got[i]["score"], expected[i]["score"]);
    ck_assert(got[i]["anomalous"].is_null());
  }
}
END_TEST

START_TEST(import_takes_a_memory_bank_of_half_floats) {
  const fs::path at = fresh();
  std::string ones;  // 0x3c00 is 1 in IEEE 754's half precision
  for (int i = 0; i < 3 * 160; ++i) ones += std::string("\x00\x3c", 2);
  write_tensor(at / "half.safetensors", "memory_bank", "F16", {3, 160}, ones);
  const std::string made = at / "bank.safetensors";
  output_of({"bank", "import", "--embeddings", at / "half.safetensors", "--backbone", "builtin",
             "--output", made});
  ck_assert(header_of(made)["bank"]["dtype"] == "F32");
  ck_assert(header_of(made)["bank"]["shape"] == json({3, 160}));
}
END_TEST

}  // namespace

int main(int argc, char** argv) {
  return run_tests(argc, argv, "commands",
                   {fit_says_in_one_line_what_it_made,
                    fit_shows_no_progress_without_a_terminal,
                    the_same_seed_makes_the_same_bank,
                    batches_of_another_size_make_the_same_bank,
                    the_coreset_ratio_is_that_of_the_patches,
                    bank_info_tells_what_was_fitted,
                    settings_take_the_place_of_the_presets,
                    bank_info_tells_how_sure_the_false_alarm_rate_is,
                    alarms_an_hour_are_counted_in_images_that_are_video,
                    images_too_few_for_the_rate_that_was_asked_for_are_said_to_be,
                    an_image_that_does_not_belong_is_named_and_left_out_where_that_is_asked_for,
                    bank_info_has_no_threshold_without_calibration,
                    bank_info_without_json_is_a_line_an_entry,
                    score_gives_four_keys_a_line,
                    a_defect_is_anomalous,
                    an_image_of_the_fit_is_normal,
                    without_calibration_the_verdict_is_null,
                    images_come_in_the_order_of_their_names_from_all_subfolders,
                    images_of_other_shapes_in_between_change_no_score,
                    sixteen_bits_score_as_their_upper_eight,
                    text_has_the_same_four_columns,
                    maps_are_a_float_tensor_an_image_at_the_inputs_size,
                    an_imported_bank_scores_as_its_source,
                    import_takes_a_memory_bank_of_half_floats});
}
