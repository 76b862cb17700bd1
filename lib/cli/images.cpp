// SPDX-License-Identifier: LGPL-2.1-or-later
#include "images.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "error.hpp"

namespace patchcore::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::array<const char*, 9> kExtensions{".png",  ".jpg",  ".jpeg", ".bmp", ".tif",
                                                 ".tiff", ".webp", ".ppm",  ".pgm"};

bool is_image_name(const fs::path& path) {
  std::string extension = path.extension().string();
  for (char& c : extension)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return std::find(kExtensions.begin(), kExtensions.end(), extension) != kExtensions.end();
}

[[noreturn]] void refuse(const fs::path& file, const std::string& why) {
  throw Error(ErrorCode::OpenRead, "\"" + file.string() + "\" can't be read: " + why + ".");
}

/// libpng and libjpeg write their complaints to file descriptor 2, whoever it belongs to. While
/// this lives they go to memory, to become part of the one message that names the file.
class CapturedStderr {
 public:
  CapturedStderr() : memory_(::memfd_create("stderr", MFD_CLOEXEC)), saved_(::dup(kStderr)) {
    if (memory_ >= 0 && saved_ >= 0) ::dup2(memory_, kStderr);
  }

  ~CapturedStderr() {
    if (memory_ >= 0 && saved_ >= 0) ::dup2(saved_, kStderr);
    if (memory_ >= 0) ::close(memory_);
    if (saved_ >= 0) ::close(saved_);
  }

  CapturedStderr(const CapturedStderr&) = delete;
  CapturedStderr& operator=(const CapturedStderr&) = delete;

  /// The first line of what was written so far, without OpenCV's own "[ WARN:0@0.007] global
  /// FILE (629) FUNCTION " before it and a full stop behind.
  std::string line() const {
    std::array<char, 256> text;
    const ssize_t length = memory_ < 0 ? 0 : ::pread(memory_, text.data(), text.size(), 0);
    const std::string all(text.data(), static_cast<size_t>(std::max<ssize_t>(length, 0)));
    std::string first = all.substr(0, all.find('\n'));
    if (first.starts_with("[ ")) first.erase(0, first.find(' ', first.find(") ") + 2) + 1);
    while (first.ends_with('.')) first.pop_back();
    return first;
  }

 private:
  static constexpr int kStderr = 2;
  int memory_;
  int saved_;
};

void check_has_content(const fs::path& file) {
  if (::access(file.c_str(), R_OK) != 0) refuse(file, std::strerror(errno));
  std::error_code error;
  if (!fs::is_regular_file(file, error)) refuse(file, "it is not a regular file");
  if (fs::file_size(file, error) == 0 && !error) refuse(file, "it is empty");
}

cv::Mat decode(const fs::path& file, int mode) {
  check_has_content(file);
  cv::Mat image;
  std::string complaint;
  try {
    const CapturedStderr captured;
    image = cv::imread(file.string(), mode | cv::IMREAD_IGNORE_ORIENTATION);
    complaint = captured.line();
  } catch (const cv::Exception& error) {
    refuse(file, error.err);
  }
  // libjpeg pads a cut-off file with grey and calls that a warning: it would be learnt as normal.
  const bool cut_off = complaint.find("Premature end") != std::string::npos;
  if (image.empty() || cut_off)
    refuse(file, complaint.empty() ? "it is no image that OpenCV can decode" : complaint);
  if (image.depth() != CV_8U) refuse(file, "its values don't fit into 8 bits");
  return image;
}

}  // namespace

std::vector<ImageFile> list_images(const fs::path& folder) {
  if (!fs::is_directory(folder))
    throw Error(ErrorCode::NotFound, "There is no folder \"" + folder.string() + "\".");
  std::vector<ImageFile> images;
  try {
    for (const auto& entry : fs::recursive_directory_iterator(folder))
      if (is_image_name(entry.path()) && !entry.is_directory())
        images.push_back({entry.path(), entry.path().lexically_relative(folder).string()});
  } catch (const fs::filesystem_error& error) {
    refuse(error.path1().empty() ? folder : error.path1(), error.code().message());
  }
  std::sort(images.begin(), images.end(),
            [](const ImageFile& a, const ImageFile& b) { return a.name < b.name; });
  return images;
}

std::vector<ImageFile> require_images(const fs::path& folder) {
  auto images = list_images(folder);
  if (images.empty())
    throw Error(ErrorCode::NotFound, "There is no image in \"" + folder.string() + "\".");
  return images;
}

cv::Mat read_rgb(const fs::path& file) {
  cv::Mat image = decode(file, cv::IMREAD_COLOR);
  cv::cvtColor(image, image, cv::COLOR_BGR2RGB);
  return image;
}

cv::Mat read_grey(const fs::path& file) { return decode(file, cv::IMREAD_GRAYSCALE); }

}  // namespace patchcore::cli
