// SPDX-License-Identifier: LGPL-2.1-or-later
#include "workshop.hpp"

#include <fcntl.h>
#include <glib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <sstream>

namespace workshop {
namespace {

namespace fs = std::filesystem;

const char* program = nullptr;
fs::path folder;

void fill_disk(gpointer) { dup2(open("/dev/full", O_WRONLY), STDOUT_FILENO); }

Run spawn(const Arguments& arguments, GSpawnChildSetupFunc setup) {
  std::vector<char*> argv{const_cast<char*>(program)};
  for (const auto& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  char *out = nullptr, *err = nullptr;
  int status = 0;
  GError* error = nullptr;
  if (!g_spawn_sync(nullptr, argv.data(), nullptr, G_SPAWN_DEFAULT, setup, nullptr,
                    setup ? nullptr : &out, &err, &status, &error))
    ck_abort_msg("%s", error->message);
  const Run run{WIFEXITED(status) ? WEXITSTATUS(status) : -1, out ? out : "", err ? err : ""};
  g_free(out);
  g_free(err);
  return run;
}

/// Stripes with a dark spot, and where the spot is (8-bit grey, 255).
cv::Mat spotted(int seed, cv::Mat& mask) {
  cv::Mat image = stripes(seed);
  mask = cv::Mat(image.size(), CV_8U, cv::Scalar(0));
  cv::circle(mask, {20 + seed % 10, 40}, 9, cv::Scalar(255), cv::FILLED);
  image.setTo(cv::Scalar(5, 5, 5), mask);
  return image;
}

void save(const fs::path& file, const cv::Mat& image) {
  fs::create_directories(file.parent_path());
  cv::imwrite(file.string(), image);
}

void fill_folder() {
  for (int i = 0; i < 6; ++i) save(folder / "train" / (std::to_string(i) + ".png"), stripes(i));
  for (int i = 0; i < 3; ++i) {
    const std::string name = std::to_string(i);
    cv::Mat mask;
    const cv::Mat spot = spotted(30 + i, mask);
    save(folder / "data/test/good" / (name + ".png"), stripes(20 + i));
    save(folder / "data/test/spot" / (name + ".png"), spot);
    save(folder / "data/ground_truth/spot" / (name + "_mask.png"), mask);
  }
  run(join({"fit", "--images", shared("train"), "--output", shared("bank.safetensors")}, kFit));
}

}  // namespace

const Arguments kFit{"--resize", "64x64", "--bank-size", "60"};

Run run(const Arguments& arguments) { return spawn(arguments, nullptr); }

Run run_into_full_disk(const Arguments& arguments) { return spawn(arguments, fill_disk); }

std::string output_of(const Arguments& arguments) {
  Run result = run(arguments);
  ck_assert_msg(result.status == 0, "exit status %d: %s", result.status, result.err.c_str());
  return std::move(result.out);
}

void assert_refused(const Run& run, int status, const std::string& part) {
  const char* err = run.err.c_str();
  ck_assert_msg(run.status == status, "exit status %d: %s", run.status, err);
  assert_text(run.out, "");
  ck_assert_msg(run.err.starts_with("patchcore: "), "\"%s\"", err);
  ck_assert_msg(std::count(run.err.begin(), run.err.end(), '\n') == 1, "\"%s\"", err);
  ck_assert_msg(run.err.find(part) != std::string::npos, "\"%s\" doesn't name %s", err,
                part.c_str());
}

std::string shared(const std::string& name) { return (folder / name).string(); }

fs::path fresh() {
  char* made = g_mkdtemp(g_strdup((folder / "test-XXXXXX").c_str()));
  const fs::path path = made;
  g_free(made);
  return path;
}

Arguments join(Arguments first, const Arguments& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

cv::Mat stripes(int seed, cv::Size size) {
  cv::RNG random(static_cast<uint64_t>(seed) + 1);
  const double phase = random.uniform(0.0, 6.28);
  cv::Mat image(size, CV_8UC3);
  for (int y = 0; y < size.height; ++y)
    for (int x = 0; x < size.width; ++x) {
      const double wave = 128 + 50 * std::sin(phase + 0.5 * x + 0.2 * y) + random.gaussian(3);
      const auto value = cv::saturate_cast<uchar>(wave);
      image.at<cv::Vec3b>(y, x) = {value, value, cv::saturate_cast<uchar>(wave + 20)};
    }
  return image;
}

void write_tensor(const fs::path& file, const std::string& name, const std::string& type,
                  const std::vector<int>& shape, const std::string& data) {
  const nlohmann::json header{
      {name, {{"dtype", type}, {"shape", shape}, {"data_offsets", {0, data.size()}}}}};
  const std::string text = header.dump();
  std::string length;
  for (int i = 0; i < 8; ++i) length += static_cast<char>(text.size() >> 8 * i);
  write_file(file, length + text + data);
}

nlohmann::json header_of(const fs::path& file) {
  const std::string bytes = read_file(file);
  uint64_t length = 0;
  for (int i = 7; i >= 0; --i) length = length << 8 | static_cast<unsigned char>(bytes.at(i));
  return nlohmann::json::parse(bytes.substr(8, length));
}

std::vector<nlohmann::json> scores(const std::string& bank, const std::string& images) {
  std::istringstream lines(output_of({"score", "--json", "--bank", bank, "--images", images}));
  std::vector<nlohmann::json> values;
  for (std::string line; std::getline(lines, line);) values.push_back(nlohmann::json::parse(line));
  return values;
}

std::vector<std::string> keys(const nlohmann::json& object) {
  std::vector<std::string> names;
  for (const auto& [key, value] : object.items()) names.push_back(key);
  return names;
}

int run_tests(int argc, char** argv, const char* name, std::initializer_list<const TTest*> tests) {
  if (argc != 2) return EXIT_FAILURE;
  program = argv[1];
  g_setenv("OMP_NUM_THREADS", "1", TRUE);  // the pictures are too small for threads to pay

  char* made = g_dir_make_tmp("patchcore-cli-XXXXXX", nullptr);
  if (!made) return EXIT_FAILURE;
  folder = made;
  g_free(made);
  g_setenv("XDG_CACHE_HOME", shared("cache").c_str(), TRUE);  // not the weights of who tests
  fill_folder();

  Suite* suite = suite_create(name);
  TCase* all = tcase_create(name);
  tcase_set_timeout(all, 120);
  for (const TTest* test : tests) tcase_add_test(all, test);
  suite_add_tcase(suite, all);
  const int status = run_suite(suite);

  std::error_code ignored;
  fs::remove_all(folder, ignored);
  return status;
}

}  // namespace workshop
