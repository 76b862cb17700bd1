// SPDX-License-Identifier: LGPL-2.1-or-later
// Masks as PNG files, by libpng.
#pragma once

#include <png.h>

#include <functional>
#include <string>
#include <vector>

#include "check_main.hpp"

/// Writes width x height pixels of a format of libpng's simplified interface, 8 bits a channel.
inline void write_png(const std::string& file, unsigned width, unsigned height, unsigned format,
                      const std::vector<unsigned char>& pixels) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = width;
  image.height = height;
  image.format = format;
  ck_assert_msg(png_image_write_to_file(&image, file.c_str(), 0, pixels.data(), 0, nullptr) != 0,
                "%s: %s", file.c_str(), image.message);
}

/// Grey, white where `bright` says so of a pixel's x and y.
inline void write_mask(const std::string& file, unsigned width, unsigned height,
                       const std::function<bool(unsigned, unsigned)>& bright) {
  std::vector<unsigned char> pixels;
  for (unsigned y = 0; y < height; ++y)
    for (unsigned x = 0; x < width; ++x) pixels.push_back(bright(x, y) ? 255 : 0);
  write_png(file, width, height, PNG_FORMAT_GRAY, pixels);
}
