// SPDX-License-Identifier: LGPL-2.1-or-later
// The command line of patchcore-scene.
#include <CLI/CLI.hpp>
#include <charconv>
#include <iostream>
#include <opencv2/core.hpp>
#include <opencv2/core/utils/logger.hpp>

#include "output.hpp"

namespace {

constexpr int kFailed = 1;
constexpr int kWrongUsage = 2;
constexpr int kSmallestSide = 64;
constexpr int kLargestSide = 2048;

bool parse_size(const std::string& text, cv::Size& size) {
  const char* const end = text.data() + text.size();
  const auto width = std::from_chars(text.data(), end, size.width);
  if (width.ec != std::errc() || width.ptr == end || *width.ptr != 'x') return false;
  const auto height = std::from_chars(width.ptr + 1, end, size.height);
  if (height.ec != std::errc() || height.ptr != end) return false;
  const auto fits = [](int side) { return kSmallestSide <= side && side <= kLargestSide; };
  return fits(size.width) && fits(size.height);
}

// CLI::Range lets "nan" through.
std::string check_share(const std::string& text) {
  double share = 0;
  const bool valid = CLI::detail::lexical_cast(text, share) && 0 <= share && share <= 1;
  return valid ? "" : "'" + text + "' is not a number from 0 to 1";
}

// CLI11 would read -1 as a very large number.
std::string check_seed(const std::string& text) {
  return text.starts_with('-') ? "'" + text + "' is negative" : "";
}

void add_size(CLI::App& command, cv::Size& size, const std::string& preset) {
  command
      .add_option_function<std::string>(
          "--size",
          [&size](const std::string& text) {
            if (!parse_size(text, size)) {
              throw CLI::ValidationError("--size", "'" + text +
                                                       "' is not like 640x360, with 64 to " +
                                                       std::to_string(kLargestSide) + " a side");
            }
          },
          "Picture size in pixels [" + preset + "]")
      ->type_name("WxH");
}

void add_seed(CLI::App& command, std::uint64_t& seed) {
  command.add_option("--seed", seed, "Another seed makes other pictures")
      ->check(CLI::Validator(check_seed, ""))
      ->capture_default_str();
}

void define_video(CLI::App& app, scene::VideoOptions& options) {
  CLI::App& video =
      *app.add_subcommand("video", "Write a video of parts on a moving belt (Motion JPEG in AVI)");
  video.add_option("--output", options.output, "AVI file to write")->required()->type_name("FILE");
  video.add_option("--frames", options.frames, "Number of frames")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  add_size(video, options.size, "640x360");
  video.add_option("--fps", options.fps, "Frames per second of the file")
      ->check(CLI::Range(1, 240))
      ->capture_default_str();
  add_seed(video, options.seed);
  video.add_option("--defects", options.defects, "Share of the parts that have a defect, 0 to 1")
      ->check(CLI::Validator(check_share, ""))
      ->capture_default_str();
  video.add_option("--truth", options.truth, "CSV file to write: frame,anomalous,kind,pixels")
      ->type_name("FILE");
  video.add_option("--masks", options.masks, "Folder for a mask of each frame: 00000.png, ...")
      ->type_name("DIR");
  video.callback([&options] { scene::write_video(options); });
}

void define_pictures(CLI::App& command, scene::DatasetOptions& options, const char* good,
                     void (*write)(const scene::DatasetOptions&)) {
  command.add_option("--output", options.output, "Folder to write")->required()->type_name("DIR");
  command.add_option("--train", options.train, "Good pictures to learn from")
      ->check(CLI::Range(0, 100000))
      ->capture_default_str();
  command.add_option("--test", options.test, good)
      ->check(CLI::Range(0, 100000))
      ->capture_default_str();
  add_size(command, options.size, "256x256");
  add_seed(command, options.seed);
  command.callback([&options, write] { write(options); });
}

void define_datasets(CLI::App& app, scene::DatasetOptions& options) {
  define_pictures(
      *app.add_subcommand("dataset",
                          "Write pictures of single parts, in folders laid out like MVTec AD"),
      options, "Test pictures of good parts and of each defect", scene::write_dataset);
  define_pictures(*app.add_subcommand("trays",
                                      "Write pictures of trays with good parts, some of which are "
                                      "missing or misplaced, laid out the same"),
                  options, "Test pictures of good trays and of each mistake", scene::write_trays);
}

void define_flaws(CLI::App& app, scene::FlawOptions& options) {
  CLI::App& flaws = *app.add_subcommand(
      "flaws", "Split pictures of good products in two and draw flaws on some, laid out the same");
  flaws.add_option("--images", options.images, "Folder with the pictures")
      ->required()
      ->type_name("DIR");
  flaws.add_option("--output", options.output, "Folder to write")->required()->type_name("DIR");
  flaws
      .add_option("--held-out", options.held_out,
                  "Share of them that is for testing; half of it gets flaws")
      ->check(CLI::Validator(check_share, ""))
      ->capture_default_str();
  add_seed(flaws, options.seed);
  flaws.callback([&options] { scene::write_flaws(options); });
}

}  // namespace

int main(int argc, char** argv) {
  cv::setNumThreads(1);  // the pictures are small, and nothing may depend on the machine
  cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT);

  CLI::App app("Draws machined parts on a conveyor belt, good and defective, with masks.");
  app.require_subcommand(1);
  app.footer("The same arguments always write the same bytes. Existing files are overwritten.");
  scene::VideoOptions video;
  scene::DatasetOptions dataset;
  scene::FlawOptions flaws;
  define_video(app, video);
  define_datasets(app, dataset);
  define_flaws(app, flaws);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kWrongUsage;
  } catch (const std::exception& error) {
    std::cerr << "patchcore-scene: " << error.what() << '\n';
    return kFailed;
  }
  return 0;
}
