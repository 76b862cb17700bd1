// SPDX-License-Identifier: LGPL-2.1-or-later
// Several banks that look at the same pictures, on the command line. What each of them says alone
// is what the expected values are made of.

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <opencv2/imgcodecs.hpp>

#include "workshop.hpp"

using namespace workshop;
using Json = nlohmann::json;

namespace {

/// Files of two banks of the same pictures: of their own size, and of twice that.
struct TwoBanks {
  std::filesystem::path folder = fresh();
  std::string small = shared("bank.safetensors"), large = folder / "large.safetensors";
  Arguments both{"--bank", small, "--bank", large};

  TwoBanks() {
    output_of({"fit", "--images", shared("train"), "--output", large, "--resize", "128x128",
               "--bank-size", "90"});
  }

  /// A third one, as the small one with another seed.
  std::string other_of_that_size() const {
    const std::string bank = folder / "other_of_that_size.safetensors";
    output_of(join({"fit", "--images", shared("train"), "--output", bank, "--seed", "7"}, kFit));
    return bank;
  }
};

std::vector<Json> lines(const std::string& text) {
  std::vector<Json> all;
  for (size_t from = 0, to; (to = text.find('\n', from)) != std::string::npos; from = to + 1)
    all.push_back(Json::parse(text.substr(from, to - from)));
  return all;
}

std::vector<Json> scored(const Arguments& banks, const Arguments& more = {}) {
  return lines(
      output_of(join(join({"score", "--images", shared("data/test"), "--json"}, banks), more)));
}

/// 0 at the median of normal pictures, 1 at the threshold: docs/guide.md's normalized score has
/// n = 0.5 + 0.5 z / (1 + |z|), and this is 1 + z.
double steps(const Json& line) {
  const double u = 2 * line["normalized_score"].get<double>() - 1;
  return 1 + u / (1 - std::abs(u));
}

/// Float tensors of a safetensors file by their names.
std::map<std::string, std::vector<float>> floats_in(const std::string& file) {
  const std::string bytes = read_file(file);
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), sizeof length);
  std::map<std::string, std::vector<float>> all;
  const Json header = header_of(file);
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") continue;
    const size_t begin = entry["data_offsets"][0], end = entry["data_offsets"][1];
    auto& values = all[name];
    values.resize((end - begin) / sizeof(float));
    std::memcpy(values.data(), bytes.data() + sizeof length + length + begin, end - begin);
  }
  return all;
}

double pixel_threshold(const std::string& bank) {
  return std::stod(header_of(bank)["__metadata__"]["pixel_threshold"].get<std::string>());
}

bool is_good(const Json& line) { return line["file"].get<std::string>().rfind("good/", 0) == 0; }

/// Chance that one of the bad is above one of the good; ties half.
double auroc(const std::vector<double>& good, const std::vector<double>& bad) {
  double above = 0;
  for (const double g : good)
    for (const double b : bad) above += b > g ? 1 : b == g ? 0.5 : 0;
  return above / (static_cast<double>(good.size()) * static_cast<double>(bad.size()));
}

}  // namespace

START_TEST(of_several_banks_the_one_counts_that_a_picture_stands_out_to_most) {
  const TwoBanks banks;
  const auto small = scored({"--bank", banks.small}), large = scored({"--bank", banks.large}),
             both = scored(banks.both);
  ck_assert_uint_eq(both.size(), 6);
  size_t of_small = 0;
  for (size_t i = 0; i < both.size(); ++i) {
    const double expected = std::max(steps(small[i]), steps(large[i]));
    of_small += steps(small[i]) > steps(large[i]);
    ck_assert(both[i]["file"] == small[i]["file"]);
    ck_assert_double_eq_tol(both[i]["score"].get<double>(), expected, 1e-9);
    ck_assert_double_eq_tol(both[i]["normalized_score"].get<double>(),
                            std::max(small[i]["normalized_score"].get<double>(),
                                     large[i]["normalized_score"].get<double>()),
                            1e-12);
    ck_assert_int_eq(both[i]["anomalous"].get<bool>(),
                     small[i]["anomalous"].get<bool>() || large[i]["anomalous"].get<bool>());
  }
  // Else one of them would do.
  ck_assert_uint_gt(of_small, 0);
  ck_assert_uint_lt(of_small, both.size());
}
END_TEST

START_TEST(their_map_is_the_mean_in_pixel_thresholds_at_the_largest_size) {
  const TwoBanks banks;
  const std::string maps = banks.folder / "maps", of_small = banks.folder / "of_small",
                    of_other = banks.folder / "of_other", other = banks.other_of_that_size();
  scored({"--bank", banks.small}, {"--maps", of_small});
  scored({"--bank", other}, {"--maps", of_other});
  scored({"--bank", banks.small, "--bank", other}, {"--maps", maps});
  auto a = floats_in(of_small), b = floats_in(of_other), found = floats_in(maps);
  ck_assert_uint_eq(found.size(), 6);
  for (const auto& [name, values] : found) {
    ck_assert_uint_eq(values.size(), 64 * 64);
    for (size_t i = 0; i < values.size(); ++i) {
      const double expected =
          (a[name][i] / pixel_threshold(banks.small) + b[name][i] / pixel_threshold(other)) / 2;
      ck_assert_double_eq_tol(values[i], expected, 1e-6 * (1 + expected));
    }
  }
  scored(banks.both, {"--maps", maps});
  const Json shape{128, 128};
  ck_assert(header_of(maps)["good/0.png"]["shape"] == shape);
}
END_TEST

START_TEST(evaluate_compares_the_pixels_of_that_map) {
  const TwoBanks banks;
  const std::string other = banks.other_of_that_size(), maps = banks.folder / "maps";
  const Arguments both{"--bank", banks.small, "--bank", other};
  scored(both, {"--maps", maps});
  std::vector<double> good, bad;  // inputs have the masks' size: pixel by pixel
  for (const auto& [name, values] : floats_in(maps)) {
    const std::filesystem::path file = name;
    const std::string mask = shared("data/ground_truth/" + file.parent_path().string() + "/" +
                                    file.stem().string() + "_mask.png");
    const cv::Mat truth = std::filesystem::exists(mask) ? cv::imread(mask, cv::IMREAD_GRAYSCALE)
                                                        : cv::Mat(64, 64, CV_8U, cv::Scalar(0));
    for (int i = 0; i < 64 * 64; ++i)
      (truth.at<uchar>(i / 64, i % 64) > 127 ? bad : good).push_back(values[i]);
  }
  const auto measured = Json::parse(output_of(
      join({"evaluate", "--dataset", shared("data"), "--bootstrap", "0", "--json"}, both)));
  ck_assert_double_eq_tol(measured["pixel_auroc"].get<double>(), auroc(good, bad), 1e-4);
}
END_TEST

START_TEST(evaluate_measures_what_they_say_together) {
  const TwoBanks banks;
  const auto measured = Json::parse(output_of(
      join({"evaluate", "--dataset", shared("data"), "--bootstrap", "0", "--json"}, banks.both)));
  size_t misses = 0, false_alarms = 0;
  std::vector<double> good, bad;
  for (const Json& line : scored(banks.both)) {
    (is_good(line) ? good : bad).push_back(line["score"].get<double>());
    misses += !is_good(line) && !line["anomalous"].get<bool>();
    false_alarms += is_good(line) && line["anomalous"].get<bool>();
  }
  ck_assert_double_eq_tol(measured["image_auroc"].get<double>(), auroc(good, bad), 1e-12);
  ck_assert_uint_eq(measured["misses"].get<size_t>(), misses);
  ck_assert_uint_eq(measured["false_alarms"].get<size_t>(), false_alarms);
}
END_TEST

START_TEST(a_report_tells_of_each_bank) {
  const TwoBanks banks;
  const std::string report = banks.folder / "report.html";
  output_of(join({"evaluate", "--dataset", shared("data"), "--report", report}, banks.both));
  const std::string text = read_file(report);
  for (const std::string& bank : {banks.small, banks.large}) {
    const auto info = Json::parse(output_of({"bank", "info", bank, "--json"}));
    ck_assert(text.find(info["id"].get<std::string>()) != std::string::npos);
  }
}
END_TEST

START_TEST(banks_of_one_file_are_named_one_after_the_other) {
  const TwoBanks banks;
  const std::string packed = banks.folder / "packed.safetensors";
  output_of({"bank", "pack", "--output", packed, "s=" + banks.small, "l=" + banks.large});
  const auto expected = scored(banks.both);
  ck_assert(scored({"--bank", packed, "--bank-name", "s", "--bank-name", "l"}) == expected);
  ck_assert(scored({"--bank", packed, "--bank-name", "s", "--bank", packed, "--bank-name", "l"}) ==
            expected);
  assert_refused(run({"score", "--images", shared("train"), "--bank", packed, "--bank", banks.small,
                      "--bank-name", "s"}),
                 2, "--bank-name");
}
END_TEST

START_TEST(banks_that_cant_be_compared_are_refused) {
  const TwoBanks banks;
  const std::string other = banks.folder / "other.safetensors";
  const auto beside = [&](const Arguments& options) {
    output_of(join({"fit", "--images", shared("train"), "--output", other}, options));
    return run({"score", "--images", shared("train"), "--bank", banks.small, "--bank", other});
  };
  assert_refused(beside(join(kFit, {"--folds", "0"})), 1, other + "\" has no threshold");
  assert_refused(beside({"--resize", "64x64", "--crop", "32", "--bank-size", "30"}), 1, "0.png");
}
END_TEST

START_TEST(one_mask_holds_for_all_of_them) {
  const TwoBanks banks;
  const std::string small = banks.folder / "small.safetensors",
                    mask = banks.folder / "large.focus.png";
  std::filesystem::copy(banks.small, small);
  cv::Mat left(64, 64, CV_8U, cv::Scalar(0));
  left.colRange(0, 32).setTo(255);
  cv::imwrite(mask, left);
  const Arguments both{"--bank", small, "--bank", banks.large};
  const auto score = join({"score", "--images", shared("data/test")}, both);
  assert_refused(run(score), 1, "--mask");
  const auto masked = scored(both, {"--mask", mask});
  std::filesystem::copy(mask, banks.folder / "small.focus.png");
  ck_assert(scored(both) == masked);
}
END_TEST

int main(int argc, char** argv) {
  return run_tests(
      argc, argv, "cli-ensembles",
      {of_several_banks_the_one_counts_that_a_picture_stands_out_to_most,
       their_map_is_the_mean_in_pixel_thresholds_at_the_largest_size,
       evaluate_compares_the_pixels_of_that_map, evaluate_measures_what_they_say_together,
       a_report_tells_of_each_bank, banks_of_one_file_are_named_one_after_the_other,
       banks_that_cant_be_compared_are_refused, one_mask_holds_for_all_of_them});
}
