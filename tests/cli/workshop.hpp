// SPDX-License-Identifier: LGPL-2.1-or-later
// A temporary folder with pictures in it, and the program to use them with.
#pragma once

#include <filesystem>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <opencv2/core.hpp>
#include <string>
#include <vector>

#include "../check_main.hpp"
#include "../files.hpp"

namespace workshop {

using Arguments = std::vector<std::string>;

/// What became of one run of the program.
struct Run {
  int status = -1;  ///< exit status; -1: it was killed
  std::string out;
  std::string err;
};

Run run(const Arguments& arguments);
Run run_into_full_disk(const Arguments& arguments);  ///< out stays empty

/// Runs, and fails the test where that fails. Returns standard output.
std::string output_of(const Arguments& arguments);

/// Fails the test unless the run ended with `status`, wrote nothing to standard output, and wrote
/// one line to standard error, which names `part`.
void assert_refused(const Run& run, int status, const std::string& part);

/// A file in the folder that all tests of a program share:
///   train/                     6 normal pictures, 64 x 64
///   data/test/good             3 more
///   data/test/spot             3 with a spot, whose masks are in data/ground_truth/spot
///   bank.safetensors           fitted on train with kFit
/// "none.safetensors" is never made. A test changes nothing there.
std::string shared(const std::string& name);

/// An empty folder that no other test has.
std::filesystem::path fresh();

/// Options of a fit that takes no time.
extern const Arguments kFit;

/// first + second.
Arguments join(Arguments first, const Arguments& second);

/// A normal picture: slanted stripes whose phase and noise depend on `seed`. 8-bit BGR.
cv::Mat stripes(int seed, cv::Size size = {64, 64});

/// Writes a safetensors file of one tensor, whose bytes are `data`.
void write_tensor(const std::filesystem::path& file, const std::string& name,
                  const std::string& type, const std::vector<int>& shape, const std::string& data);

/// The JSON header of a safetensors file.
nlohmann::json header_of(const std::filesystem::path& file);

/// What patchcore score --json says, a value a line.
std::vector<nlohmann::json> scores(const std::string& bank, const std::string& images);

/// The keys of an object, sorted.
std::vector<std::string> keys(const nlohmann::json& object);

/// main() of a program of such tests: makes the shared folder, runs the tests and removes it.
/// The command line names the program under test.
int run_tests(int argc, char** argv, const char* suite, std::initializer_list<const TTest*> tests);

}  // namespace workshop
