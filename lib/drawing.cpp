// SPDX-License-Identifier: LGPL-2.1-or-later
#include "drawing.hpp"

#include <algorithm>
#include <numeric>
#include <opencv2/imgproc.hpp>
#include <utility>

#include "error.hpp"

namespace patchcore {
namespace {

constexpr std::pair<const char*, int> kColormaps[] = {{"turbo", cv::COLORMAP_TURBO},
                                                      {"inferno", cv::COLORMAP_INFERNO},
                                                      {"viridis", cv::COLORMAP_VIRIDIS},
                                                      {"jet", cv::COLORMAP_JET}};

/// 1 x 256 pixels, blue first.
cv::Mat_<cv::Vec3b> table_of(const std::string& name) {
  cv::Mat_<uint8_t> ramp(1, 256);
  std::iota(ramp.begin(), ramp.end(), uint8_t{0});
  cv::Mat_<cv::Vec3b> colours;
  if (name == "grey") {
    cv::cvtColor(ramp, colours, cv::COLOR_GRAY2BGR);
    return colours;
  }
  for (const auto& [known, map] : kColormaps) {
    if (name != known) continue;
    cv::applyColorMap(ramp, colours, map);
    return colours;
  }
  throw Error(
      ErrorCode::InvalidArgument,
      "\"" + name + "\" is not a colour map; there are turbo, inferno, viridis, jet, grey.");
}

}  // namespace

std::array<Colour, 256> colormap(const std::string& name) {
  std::array<Colour, 256> colours;
  const cv::Mat_<cv::Vec3b> table = table_of(name);
  std::transform(table.begin(), table.end(), colours.begin(), [](const cv::Vec3b& bgr) {
    return Colour{bgr[2], bgr[1], bgr[0]};
  });
  return colours;
}

TextMask text_mask(const std::string& text, unsigned height) {
  if (height < 4 || height > 1000)
    throw Error(ErrorCode::InvalidArgument, "Text must be 4 to 1000 pixels high.");
  if (text.size() > 200) throw Error(ErrorCode::InvalidArgument, "A text has 200 bytes at most.");
  constexpr int kFont = cv::FONT_HERSHEY_SIMPLEX;
  const int thickness = std::max(1, static_cast<int>(height / 8));
  const double scale = cv::getFontScaleFromHeight(kFont, static_cast<int>(height), thickness);
  int below = 0;  // the line that letters stand on
  const cv::Size box = cv::getTextSize(text, kFont, scale, thickness, &below);
  cv::Mat_<uint8_t> picture(box.height + below + thickness, std::max(1, box.width), uint8_t{0});
  cv::putText(picture, text, {0, box.height}, kFont, scale, 255, thickness, cv::LINE_AA);
  return {{picture.cols, picture.rows}, {picture.begin(), picture.end()}};
}

}  // namespace patchcore
