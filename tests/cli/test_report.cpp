// SPDX-License-Identifier: LGPL-2.1-or-later
// patchcore evaluate --report, read with Python's parsers by read_report.py.
#include <glib.h>

#include <algorithm>

#include "report_files.hpp"

using namespace workshop;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

json read(const fs::path& file) {
  const std::string path = file.string();
  const char* argv[] = {"python3", g_getenv("REPORT_READER"), path.c_str(), nullptr};
  char *out = nullptr, *err = nullptr;
  int status = 0;
  GError* error = nullptr;
  if (!g_spawn_sync(nullptr, const_cast<char**>(argv), nullptr, G_SPAWN_SEARCH_PATH, nullptr,
                    nullptr, &out, &err, &status, &error))
    ck_abort_msg("%s", error->message);
  ck_assert_msg(status == 0, "%s", err);
  json content = json::parse(out);
  g_free(out);
  g_free(err);
  return content;
}

json report_of(const fs::path& data, const Arguments& more = {}) {
  const fs::path file = fresh() / "report.html";
  report(file, data, more);
  return read(file);
}

std::vector<double> scores_of(const json& exhibits) {
  std::vector<double> values;
  for (const json& exhibit : exhibits) values.push_back(exhibit["score"]);
  return values;
}

START_TEST(a_report_stands_alone_and_runs_nothing) {
  const json content = report_of(shared("data"));
  ck_assert(content["external"].empty());
  ck_assert(content["urls"].empty());
  ck_assert(content["handlers"].empty());
  for (const char* element : {"script", "link", "iframe", "object", "form", "a"})
    ck_assert_msg(std::count(content["elements"].begin(), content["elements"].end(), element) == 0,
                  "%s", element);
}
END_TEST

START_TEST(a_report_has_its_sections_curves_and_a_language) {
  const json content = report_of(shared("data"));
  ck_assert(content["sections"] == json({"metrics", "scores", "misses", "false-alarms", "bank"}));
  ck_assert_uint_eq(content["plots"].size(), 3);
  assert_text(content["title"], "Anomaly detection on data");
  assert_text(content["language"], "en");
}
END_TEST

/// The metrics of an object in the order of a row of the report.
std::vector<double> metrics_in(const json& object) {
  std::vector<double> values;
  const auto add = [&](const json& value) {
    for (const json& number : value.is_array() ? value : json{value})
      if (!number.is_null()) values.push_back(number);
  };
  for (const std::string key :
       {"image_auroc", "image_ap", "image_f1", "image_f1_calibrated", "pixel_auroc", "aupro"}) {
    add(object[key]);
    add(object[key + "_ci"]);
  }
  return values;
}

START_TEST(its_numbers_are_those_of_the_json) {
  const fs::path file = fresh() / "report.html";
  const json result = report(file, dataset_with("stain", "a"));
  const json rows = read(file)["rows"];
  ck_assert_uint_eq(rows.size(), 3);
  ck_assert(rows["all"].get<std::vector<double>>() == metrics_in(result));
  for (const char* kind : {"spot", "stain"})
    ck_assert(rows[kind].get<std::vector<double>>() == metrics_in(result["classes"][kind]));
  ck_assert_uint_eq(rows["all"].size(), 18);
}
END_TEST

START_TEST(it_says_what_the_bank_is) {
  const json facts = report_of(shared("data"))["facts"];
  const json bank = json::parse(output_of({"bank", "info", "--json", shared("bank.safetensors")}));
  assert_text(facts["bank"], shared("bank.safetensors"));
  assert_text(facts["bank id"], bank["id"]);
  assert_text(facts["weights"], bank["weights_id"]);
  assert_text(facts["found by"], bank["threshold_method"]);
  for (const auto& [name, value] : bank["settings"].items()) assert_text(facts[name], value);
  ck_assert_double_eq_tol(std::stod(facts["threshold"].get<std::string>()), bank["threshold"],
                          1e-5 * bank["threshold"].get<double>());
}
END_TEST

START_TEST(misses_are_the_defective_images_with_the_lowest_scores) {
  std::vector<double> expected;
  for (const json& line : scores(shared("bank.safetensors"), shared("data/test/spot")))
    expected.push_back(line["score"]);
  std::sort(expected.begin(), expected.end());
  const json exhibits = report_of(shared("data"), {"--gallery", "2"})["exhibits"];
  const auto shown = scores_of(exhibits["misses"]);
  ck_assert_uint_eq(shown.size(), 2);
  for (size_t i = 0; i < 2; ++i) ck_assert_double_eq_tol(shown[i], expected[i], 1e-5 * expected[i]);
  ck_assert(exhibits["misses"][0]["name"].get<std::string>().starts_with("spot/"));
}
END_TEST

START_TEST(false_alarms_are_the_good_images_with_the_highest_scores) {
  std::vector<double> expected;
  for (const json& line : scores(shared("bank.safetensors"), shared("data/test/good")))
    expected.push_back(line["score"]);
  std::sort(expected.rbegin(), expected.rend());
  const json exhibits = report_of(shared("data"), {"--gallery", "2"})["exhibits"];
  const auto shown = scores_of(exhibits["false-alarms"]);
  ck_assert_uint_eq(shown.size(), 2);
  for (size_t i = 0; i < 2; ++i) ck_assert_double_eq_tol(shown[i], expected[i], 1e-5 * expected[i]);
}
END_TEST

START_TEST(an_exhibit_is_a_picture_and_its_heatmap_in_the_pictures_shape) {
  const fs::path data = dataset_with("wide", "a");
  cv::imwrite(data / "test/wide/a.png", cv::Mat(100, 400, CV_8UC3, cv::Scalar(0, 0, 255)));
  cv::imwrite(data / "ground_truth/wide/a_mask.png", cv::Mat(100, 400, CV_8U, cv::Scalar(255)));
  const json misses = report_of(data)["exhibits"]["misses"];
  ck_assert_uint_eq(misses.size(), 4);
  for (const json& exhibit : misses) {
    const bool wide = exhibit["name"] == "wide/a.png";
    const json size = wide ? json{320, 80} : json{320, 320};
    ck_assert(exhibit["sizes"] == json({size, size}));
    const std::string name = exhibit["name"];
    ck_assert(exhibit["alts"] == json({name, "Heatmap of " + name}));
  }
}
END_TEST

START_TEST(an_exhibit_has_the_verdict_of_score) {
  const json exhibits = report_of(shared("data"))["exhibits"]["misses"];
  ck_assert_uint_eq(exhibits.size(), 3);
  for (const json& line : scores(shared("bank.safetensors"), shared("data/test"))) {
    const std::string name = line["file"];
    for (const json& exhibit : exhibits)
      if (exhibit["name"] == name)
        assert_text(exhibit["verdict"], line["anomalous"] ? "anomalous" : "normal");
  }
}
END_TEST

START_TEST(markup_in_names_is_text) {
  // No file's name has a slash.
  const std::string kind = "<script>alert(1)<script>\"'&amp;";
  const std::string stem = "<img src=x onerror=alert(1)>]]>&lt;";
  const json content = report_of(dataset_with(kind, stem));
  ck_assert(content["rows"].contains(kind));
  bool shown = false;
  for (const json& exhibit : content["exhibits"]["misses"])
    shown = shown || exhibit["name"] == kind + "/" + stem + ".png";
  ck_assert(shown);
  ck_assert(content["handlers"].empty());
  ck_assert(content["external"].empty());
  ck_assert_int_eq(std::count(content["elements"].begin(), content["elements"].end(), "script"), 0);
}
END_TEST

START_TEST(bytes_that_are_no_text_are_replaced) {
  const json content = report_of(dataset_with("a\xff\x01z", "b\xc3\x1b[31m\xef\xbf\xbf"));
  ck_assert(content["rows"].contains("a\uFFFD\uFFFDz"));
  bool shown = false;
  for (const json& exhibit : content["exhibits"]["misses"])
    shown = shown || exhibit["name"] == "a\uFFFD\uFFFDz/b\uFFFD\uFFFD[31m\uFFFD.png";
  ck_assert(shown);
}
END_TEST

/// The shared bank with another entry in its metadata.
fs::path bank_with(const std::string& key, const std::string& value) {
  const std::string bytes = read_file(shared("bank.safetensors"));
  json header = header_of(shared("bank.safetensors"));
  const size_t data = 8 + static_cast<unsigned char>(bytes[0]) +
                      256 * static_cast<unsigned char>(bytes[1]) +
                      65536 * static_cast<unsigned char>(bytes[2]);
  header["__metadata__"][key] = value;
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  std::string length;
  for (int i = 0; i < 8; ++i) length += static_cast<char>(text.size() >> 8 * i);
  const fs::path file = fresh() / "bank.safetensors";
  write_file(file, length + text + bytes.substr(data));
  return file;
}

START_TEST(markup_in_a_bank_is_text) {
  const std::string method = "</dd><script src=\"http://localhost/\"></script>";
  const fs::path file = fresh() / "report.html";
  report(file, shared("data"), {}, bank_with("threshold_method", method));
  const json content = read(file);
  assert_text(content["facts"]["found by"], method);
  ck_assert(content["external"].empty());
}
END_TEST

START_TEST(without_good_images_there_are_no_curves_and_that_is_said) {
  const fs::path data = dataset_with("stain", "a");
  fs::remove_all(data / "test/good");
  const json content = report_of(data);
  ck_assert_uint_eq(content["plots"].size(), 1);
  ck_assert_uint_eq(content["notes"].size(), 1);
  ck_assert(content["notes"][0].get<std::string>().find("no good images") != std::string::npos);
  ck_assert(!content["exhibits"].contains("false-alarms"));
}
END_TEST

START_TEST(without_defects_or_masks_there_is_a_report_too) {
  const fs::path data = dataset_with("stain", "a");
  for (const char* folder : {"test/spot", "test/stain", "ground_truth"})
    fs::remove_all(data / folder);
  const json content = report_of(data);
  ck_assert_uint_eq(content["notes"].size(), 2);
  ck_assert(content["rows"] == json({{"all", json::array()}}));
  ck_assert(!content["exhibits"].contains("misses"));
  ck_assert_uint_eq(content["exhibits"]["false-alarms"].size(), 3);
}
END_TEST

START_TEST(a_gallery_of_none_shows_none) {
  ck_assert(report_of(shared("data"), {"--gallery", "0"})["exhibits"].empty());
}
END_TEST

START_TEST(a_failed_evaluation_leaves_the_old_report_alone) {
  const fs::path folder = fresh(), data = dataset_with("stain", "a");
  write_file(folder / "report.html", "old");
  write_file(data / "test/stain/a.png", "no image");
  assert_refused(run({"evaluate", "--bank", shared("bank.safetensors"), "--dataset", data,
                      "--report", folder / "report.html"}),
                 1, data / "test/stain/a.png");
  assert_text(read_file(folder / "report.html"), "old");
  ck_assert_int_eq(std::distance(fs::directory_iterator(folder), fs::directory_iterator()), 1);
}
END_TEST

START_TEST(a_report_that_cannot_be_written_is_refused_before_the_bank_is_read) {
  assert_refused(run({"evaluate", "--bank", shared("none.safetensors"), "--dataset", shared("data"),
                      "--report", shared("none/report.html")}),
                 1, shared("none/report.html"));
}
END_TEST

}  // namespace

int main(int argc, char** argv) {
  return run_tests(
      argc, argv, "report",
      {a_report_stands_alone_and_runs_nothing, a_report_has_its_sections_curves_and_a_language,
       its_numbers_are_those_of_the_json, it_says_what_the_bank_is,
       misses_are_the_defective_images_with_the_lowest_scores,
       false_alarms_are_the_good_images_with_the_highest_scores,
       an_exhibit_is_a_picture_and_its_heatmap_in_the_pictures_shape,
       an_exhibit_has_the_verdict_of_score, markup_in_names_is_text,
       bytes_that_are_no_text_are_replaced, markup_in_a_bank_is_text,
       without_good_images_there_are_no_curves_and_that_is_said,
       without_defects_or_masks_there_is_a_report_too, a_gallery_of_none_shows_none,
       a_failed_evaluation_leaves_the_old_report_alone,
       a_report_that_cannot_be_written_is_refused_before_the_bank_is_read});
}
