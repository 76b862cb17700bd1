// SPDX-License-Identifier: LGPL-2.1-or-later
#include "output.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iomanip>
#include <iterator>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/videoio.hpp>
#include <optional>
#include <span>
#include <sstream>
#include <stdexcept>
#include <vector>

#include "flaws.hpp"
#include "scene.hpp"

namespace scene {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void cannot_write(const fs::path& path, const std::string& reason) {
  throw std::runtime_error("cannot write " + path.string() + ": " + reason);
}

std::string system_reason() { return errno != 0 ? std::strerror(errno) : "unknown error"; }

std::ofstream open_file(const fs::path& path) {
  errno = 0;
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  if (!file) cannot_write(path, system_reason());
  return file;
}

void close_file(std::ofstream& file, const fs::path& path) {
  errno = 0;
  file.close();
  if (!file) cannot_write(path, system_reason());
}

void make_folder(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) cannot_write(path, error.message());
}

// OpenCV only encodes the picture: its own file functions don't say why they fail.
void write_png(const fs::path& path, const cv::Mat& picture) {
  std::vector<std::uint8_t> bytes;
  cv::imencode(".png", picture, bytes);
  std::ofstream file = open_file(path);
  file.write(reinterpret_cast<const char*>(bytes.data()), std::ssize(bytes));
  close_file(file, path);
}

std::string numbered(int number, int digits, const char* ending) {
  std::ostringstream name;
  name << std::setfill('0') << std::setw(digits) << number << ending;
  return name.str();
}

// How long an AVI file says that it is; 0 when it doesn't say. It begins with "RIFF" and the
// length of all that follows, in four bytes with the lowest first.
std::uintmax_t noted_length(const fs::path& path) {
  std::array<unsigned char, 8> head{};
  std::ifstream file(path, std::ios::binary);
  if (!file.read(reinterpret_cast<char*>(head.data()), head.size())) return 0;
  std::uintmax_t length = 0;
  for (std::size_t i = head.size(); i-- > 4;) length = length << 8 | head[i];
  return length + head.size();
}

// Motion JPEG in an AVI file.
class VideoFile {
 public:
  VideoFile(const fs::path& path, int fps, cv::Size size) : path_(path) {
    std::ofstream probe = open_file(path);
    close_file(probe, path);
    const int codec = cv::VideoWriter::fourcc('M', 'J', 'P', 'G');
    if (!writer_.open(path.string(), cv::CAP_OPENCV_MJPEG, codec, fps, size)) {
      cannot_write(path, "OpenCV cannot open it as an AVI file");
    }
    writer_.set(cv::VIDEOWRITER_PROP_QUALITY, 95);
  }

  void add(const cv::Mat& picture) { writer_.write(picture); }

  // OpenCV's writer ignores a full disk, but not so the length that it notes in the file's head.
  void close() {
    writer_.release();
    std::error_code error;
    if (fs::file_size(path_, error) != noted_length(path_) || error) {
      cannot_write(path_, "the file is incomplete (is the disk full?)");
    }
  }

 private:
  fs::path path_;
  cv::VideoWriter writer_;
};

// One line of CSV a frame.
class TruthFile {
 public:
  explicit TruthFile(const fs::path& path) : path_(path), file_(open_file(path)) {
    file_ << "frame,anomalous,kind,pixels\n";
  }

  void add(int index, const Frame& frame) {
    const bool anomalous = frame.defect_pixels >= kVisiblePixels;
    file_ << index << ',' << anomalous << ',' << frame.kind << ',' << frame.defect_pixels << '\n';
  }

  void close() { close_file(file_, path_); }

 private:
  fs::path path_;
  std::ofstream file_;
};

// In an order drawn by the seed.
std::vector<fs::path> shuffled_pictures(const FlawOptions& options) {
  std::vector<fs::path> files;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(options.images, error))
    if (entry.is_regular_file() && cv::haveImageReader(entry.path().string()))
      files.push_back(entry.path());
  if (error) throw std::runtime_error("cannot read " + options.images + ": " + error.message());
  if (files.empty()) throw std::runtime_error("there is no picture in " + options.images);
  std::sort(files.begin(), files.end());
  Random random(derive_seed(options.seed, Stream::split));
  for (std::size_t i = files.size(); i-- > 1;)
    std::swap(files[i], files[random.below(static_cast<int>(i) + 1)]);
  return files;
}

cv::Mat read_picture(const fs::path& path) {
  cv::Mat picture = cv::imread(path.string(), cv::IMREAD_COLOR);
  if (picture.empty() || std::min(picture.rows, picture.cols) < 16)
    throw std::runtime_error("cannot read " + path.string() + " as a picture of 16 pixels a side");
  return picture;
}

// What lies on black or white may not show: another place is tried then.
Flawed visibly_flawed(const cv::Mat& picture, const DefectKind& kind, std::uint64_t seed) {
  constexpr int kTries = 20;
  Random random(seed);
  Flawed flawed = with_flaw(picture, kind, random);
  for (int i = 1; i < kTries && cv::countNonZero(flawed.mask) < kVisiblePixels; ++i)
    flawed = with_flaw(picture, kind, random);
  return flawed;
}

// draw: Stream, number, kind or null -> Frame
template <class Draw>
void write_pictures(const DatasetOptions& options, std::span<const DefectKind> kinds, Draw draw) {
  const fs::path root = options.output;
  const auto write_good = [&](const fs::path& folder, Stream stream, int count) {
    make_folder(folder);
    for (int i = 0; i < count; ++i)
      write_png(folder / numbered(i, 3, ".png"), draw(stream, i, nullptr).image);
  };
  write_good(root / "train" / "good", Stream::train_part, options.train);
  write_good(root / "test" / "good", Stream::test_part, options.test);

  int picture = options.test;  // each shows other parts
  for (const DefectKind& kind : kinds) {
    const fs::path pictures = root / "test" / kind.name;
    const fs::path masks = root / "ground_truth" / kind.name;
    make_folder(pictures);
    make_folder(masks);
    for (int i = 0; i < options.test; ++i) {
      const Frame frame = draw(Stream::test_part, picture++, &kind);
      write_png(pictures / numbered(i, 3, ".png"), frame.image);
      write_png(masks / numbered(i, 3, "_mask.png"), frame.mask);
    }
  }
}

}  // namespace

void write_video(const VideoOptions& options) {
  VideoFile video(options.output, options.fps, options.size);
  std::optional<TruthFile> truth;
  if (!options.truth.empty()) truth.emplace(options.truth);
  const fs::path masks = options.masks;
  if (!masks.empty()) make_folder(masks);

  Scene scene({.size = options.size, .seed = options.seed, .defect_share = options.defects});
  for (int index = 0; index < options.frames; ++index) {
    const Frame frame = scene.video_frame(index);
    video.add(frame.image);
    if (truth) truth->add(index, frame);
    if (!masks.empty()) write_png(masks / numbered(index, 5, ".png"), frame.mask);
  }
  if (truth) truth->close();
  video.close();
}

void write_dataset(const DatasetOptions& options) {
  Scene scene({.size = options.size, .seed = options.seed});
  write_pictures(options, defect_kinds(), [&](Stream stream, int index, const DefectKind* defect) {
    return scene.still(stream, index, defect);
  });
}

void write_trays(const DatasetOptions& options) {
  Scene scene({.size = options.size, .seed = options.seed, .across = 3});
  write_pictures(options, tray_defects(), [&](Stream stream, int index, const DefectKind* defect) {
    return scene.tray(stream, index, defect);
  });
}

void write_flaws(const FlawOptions& options) {
  const fs::path root = options.output;
  const std::vector<fs::path> files = shuffled_pictures(options);
  const auto held_out = static_cast<std::size_t>(options.held_out * double(files.size()) + 0.5);
  const auto kinds = flaw_kinds();
  for (const char* folder : {"train/good", "test/good"}) make_folder(root / folder);
  for (const DefectKind& kind : kinds) {
    make_folder(root / "test" / kind.name);
    make_folder(root / "ground_truth" / kind.name);
  }
  for (std::size_t i = 0; i < files.size(); ++i) {
    const cv::Mat picture = read_picture(files[i]);
    const std::string name = numbered(static_cast<int>(i), 5, "");
    const bool learnt = i >= held_out, good = learnt || i % 2 == 0;
    if (good) {
      write_png(root / (learnt ? "train" : "test") / "good" / (name + ".png"), picture);
      continue;
    }
    const DefectKind& kind = kinds[i / 2 % kinds.size()];
    const Flawed flawed = visibly_flawed(picture, kind, derive_seed(options.seed, Stream::flaw, i));
    write_png(root / "test" / kind.name / (name + ".png"), flawed.picture);
    write_png(root / "ground_truth" / kind.name / (name + "_mask.png"), flawed.mask);
  }
}

}  // namespace scene
