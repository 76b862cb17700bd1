// SPDX-License-Identifier: LGPL-2.1-or-later
#include "png.hpp"

#include <png.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <string>

#include "error.hpp"

namespace patchcore {
namespace {

constexpr uintmax_t kMostBytes = 256u << 20;
constexpr uint64_t kMostPixels = 100'000'000;

[[noreturn]] void refuse(const std::filesystem::path& path, const std::string& why) {
  throw Error(ErrorCode::OpenRead, "\"" + path.string() + "\" is not a readable PNG: " + why + ".");
}

std::string read_file(const std::filesystem::path& path) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (status.type() == std::filesystem::file_type::not_found)
    throw Error(ErrorCode::NotFound, "There is no file \"" + path.string() + "\".");
  if (!std::filesystem::is_regular_file(status)) refuse(path, "it is not a regular file");
  if (std::filesystem::file_size(path, error) > kMostBytes || error)
    refuse(path, "it is too large");
  std::ifstream file(path, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(file), {}};
  if (!file) refuse(path, std::strerror(errno));
  return bytes;
}

/// libpng's simplified interface, which frees what it holds when this goes.
struct Image : png_image {
  Image() : png_image{} { version = PNG_IMAGE_VERSION; }
  Image(const Image&) = delete;
  Image& operator=(const Image&) = delete;
  ~Image() { png_image_free(this); }
};

}  // namespace

cv::Mat1b read_png(const std::filesystem::path& path) {
  const std::string bytes = read_file(path);
  Image image;
  if (!png_image_begin_read_from_memory(&image, bytes.data(), bytes.size()))
    refuse(path, image.message);
  if (uint64_t{image.width} * image.height > kMostPixels) refuse(path, "it has too many pixels");
  image.format = PNG_FORMAT_GRAY;
  cv::Mat1b grey(static_cast<int>(image.height), static_cast<int>(image.width));
  const png_color black{};
  if (!png_image_finish_read(&image, &black, grey.data, static_cast<png_int_32>(grey.step),
                             /*colormap=*/nullptr))
    refuse(path, image.message);
  return grey;
}

}  // namespace patchcore
