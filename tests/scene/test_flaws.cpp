// SPDX-License-Identifier: LGPL-2.1-or-later
// patchcore-scene flaws, which settings are chosen by: what it says of its pictures is so.

#include <sys/wait.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <string>
#include <vector>

#include "../check_main.hpp"
#include "../files.hpp"

namespace {

namespace fs = std::filesystem;

constexpr int kPictures = 40;
constexpr int kVisible = 6;  // levels of 255, as flaws.hpp has it
const char* scene = nullptr;

int run(const std::string& arguments) {
  const std::string command = std::string(scene) + " " + arguments + " 2>/dev/null";
  const int status = std::system(command.c_str());
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/// Grey slopes with noise, each another.
std::vector<cv::Mat> draw_pictures(const fs::path& folder) {
  fs::create_directories(folder);
  std::vector<cv::Mat> pictures;
  for (int i = 0; i < kPictures; ++i) {
    cv::RNG random(static_cast<uint64_t>(i) + 1);
    cv::Mat picture(120, 160, CV_8UC3);
    random.fill(picture, cv::RNG::NORMAL, cv::Scalar::all(110 + i), cv::Scalar::all(4));
    cv::imwrite(folder / (std::to_string(i) + ".png"), picture);
    pictures.push_back(picture);
  }
  return pictures;
}

struct Folders {
  TemporaryFolder folder;
  fs::path good = folder.file("good"), output = folder.file("flaws");
  std::vector<cv::Mat> pictures = draw_pictures(good);

  int split(const std::string& more) const {
    return run("flaws --images " + good.string() + " --output " + output.string() + " " + more);
  }
};

std::vector<fs::path> files_below(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file()) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

/// The largest difference of the three channels, a value a pixel.
cv::Mat difference(const cv::Mat& a, const cv::Mat& b) {
  cv::Mat change, channels[3];
  cv::absdiff(a, b, change);
  cv::split(change, channels);
  return cv::max(cv::max(channels[0], channels[1]), channels[2]);
}

/// Which of the originals a picture is, or was before it got a flaw: the one that most of it is.
size_t origin_of(const cv::Mat& picture, const std::vector<cv::Mat>& originals) {
  std::vector<int> unlike;
  for (const cv::Mat& each : originals)
    unlike.push_back(cv::countNonZero(difference(picture, each) > 0));
  return static_cast<size_t>(std::min_element(unlike.begin(), unlike.end()) - unlike.begin());
}

}  // namespace

START_TEST(each_picture_is_learnt_or_tested_and_half_of_those_get_a_flaw) {
  const Folders f;
  ck_assert_int_eq(f.split("--held-out 0.3 --seed 4"), 0);
  ck_assert_uint_eq(files_below(f.output / "train").size(), 28);
  ck_assert_uint_eq(files_below(f.output / "test" / "good").size(), 6);
  ck_assert_uint_eq(files_below(f.output / "test").size(), 12);
  ck_assert_uint_eq(files_below(f.output / "ground_truth").size(), 6);
  std::vector<int> used(kPictures, 0);
  for (const char* part : {"train", "test"})
    for (const fs::path& file : files_below(f.output / part)) {
      const cv::Mat picture = cv::imread(file);
      const size_t origin = origin_of(picture, f.pictures);
      ++used[origin];
      if (file.parent_path().filename() == "good")
        ck_assert_int_eq(cv::countNonZero(difference(picture, f.pictures[origin])), 0);
    }
  ck_assert(std::all_of(used.begin(), used.end(), [](int times) { return times == 1; }));
}
END_TEST

START_TEST(a_mask_is_where_the_flaw_shows_and_every_kind_does) {
  const Folders f;
  ck_assert_int_eq(f.split("--held-out 1 --seed 2"), 0);
  std::map<std::string, int> kinds;
  for (const fs::path& file : files_below(f.output / "ground_truth")) {
    const std::string kind = file.parent_path().filename(), name = file.stem();
    const cv::Mat mask = cv::imread(file, cv::IMREAD_GRAYSCALE);
    const cv::Mat picture =
        cv::imread(f.output / "test" / kind / (name.substr(0, name.find("_mask")) + ".png"));
    const cv::Mat original = f.pictures[origin_of(picture, f.pictures)];
    const cv::Mat shows = difference(picture, original) >= kVisible;
    ck_assert_int_eq(cv::countNonZero(shows != mask), 0);
    ck_assert_int_ge(cv::countNonZero(mask), 25);
    ck_assert_int_lt(cv::countNonZero(mask), 120 * 160 / 3);
    ++kinds[kind];
  }
  for (const char* kind : {"scratch", "crack", "stain", "pit", "fibre", "dent", "rough"})
    ck_assert_msg(kinds[kind] >= 2, "%s", kind);
  ck_assert_uint_eq(kinds.size(), 7);
}
END_TEST

START_TEST(the_same_seed_writes_the_same_files_and_another_does_not) {
  const Folders f;
  const auto written = [&](const char* seed) {
    fs::remove_all(f.output);
    ck_assert_int_eq(f.split(std::string("--seed ") + seed), 0);
    std::string all;
    for (const fs::path& file : files_below(f.output))
      all += fs::relative(file, f.output).string() + read_file(file);
    return all;
  };
  const std::string first = written("1");
  ck_assert(written("1") == first);
  ck_assert(written("2") != first);
}
END_TEST

START_TEST(what_is_no_folder_of_pictures_is_refused) {
  const TemporaryFolder folder;
  const std::string empty = folder.file("empty"), to = " --output " + folder.file("out");
  fs::create_directories(empty);
  ck_assert_int_eq(run("flaws --images " + empty + to), 1);
  ck_assert_int_eq(run("flaws --images " + folder.file("nowhere") + to), 1);
  write_file(empty + "/broken.png", "\x89PNG\r\n\x1a\n broken");
  ck_assert_int_ne(run("flaws --images " + empty + to), 0);
  ck_assert_int_eq(run("flaws --images " + empty + to + " --held-out 2"), 2);
}
END_TEST

int main(int, char** argv) {
  scene = argv[1];
  Suite* suite = suite_create("flaws");
  TCase* tests = tcase_create("flaws");
  tcase_set_timeout(tests, 60);
  tcase_add_test(tests, each_picture_is_learnt_or_tested_and_half_of_those_get_a_flaw);
  tcase_add_test(tests, a_mask_is_where_the_flaw_shows_and_every_kind_does);
  tcase_add_test(tests, the_same_seed_writes_the_same_files_and_another_does_not);
  tcase_add_test(tests, what_is_no_folder_of_pictures_is_refused);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
