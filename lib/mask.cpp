// SPDX-License-Identifier: LGPL-2.1-or-later
#include "mask.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>
#include <string>
#include <vector>

#include "error.hpp"
#include "png.hpp"

namespace patchcore {
namespace {

constexpr int kBright = 128;
constexpr double kRounding = 1e-6;  // pixels

/// The mask's pixels that lie, if only in part, in each of `cells` cells that a part of a side is
/// cut into: from the first to before the last. A cell has one at least.
std::vector<std::pair<int, int>> spans(double begin, double length, int64_t cells, int side) {
  std::vector<std::pair<int, int>> found;
  const double step = length * side / static_cast<double>(cells);
  for (int64_t i = 0; i < cells; ++i) {
    const double from = begin * side + step * static_cast<double>(i);
    const auto begin_of = static_cast<int>(std::floor(from + kRounding));
    const auto end_of = static_cast<int>(std::ceil(from + step - kRounding));
    const int first = std::clamp(begin_of, 0, side - 1);
    const int last = std::clamp(end_of, first + 1, side);
    found.emplace_back(first, last);
  }
  return found;
}

/// PART + behind + .focus.png or .ignore.png, of PART.safetensors; nullptr: there is none.
std::shared_ptr<const Mask> mask_called(const std::filesystem::path& bank,
                                        const std::string& behind) {
  const auto named = [&](const char* ending) {
    std::filesystem::path file = bank;
    return file.replace_extension(behind + ending);
  };
  const auto focus = named(".focus.png"), ignore = named(".ignore.png");
  std::error_code none;
  const bool has_focus = std::filesystem::exists(focus, none);
  const bool has_ignore = std::filesystem::exists(ignore, none);
  if (has_focus && has_ignore)
    throw Error(ErrorCode::InvalidArgument, "There are two masks beside the bank, \"" +
                                                focus.string() + "\" and \"" + ignore.string() +
                                                "\": only one can count.");
  if (has_focus) return Mask::load(focus, MaskKind::Focus);
  return has_ignore ? Mask::load(ignore, MaskKind::Ignore) : nullptr;
}

}  // namespace

Mask::Mask(const cv::Mat1b& grey, MaskKind kind) : size_{grey.cols, grey.rows} {
  const cv::Mat counts = kind == MaskKind::Focus ? grey >= kBright : grey < kBright;
  cv::integral(counts / 255, sums_, CV_32S);
}

std::shared_ptr<const Mask> Mask::load(const std::filesystem::path& file, MaskKind kind) {
  auto mask = std::make_shared<Mask>(read_png(file), kind);
  mask->name_ = " \"" + file.string() + "\"";
  return mask;
}

std::shared_ptr<const Mask> Mask::beside(const std::filesystem::path& bank,
                                         const std::string& name) {
  if (!name.empty())
    if (auto own = mask_called(bank, "." + name)) return own;
  return mask_called(bank, "");
}

void Mask::check(Size frame) const {
  const double height = static_cast<double>(size_.width) * frame.height / frame.width;
  if (std::abs(height - size_.height) > 1)
    throw Error(ErrorCode::InvalidArgument, "The mask" + name_ + " is " + text(size_) +
                                                ", the frames are " + text(frame) +
                                                ": they have another aspect.");
  if (sums_(size_.height, size_.width) == 0)
    throw Error(ErrorCode::InvalidArgument, "The mask" + name_ + " leaves nothing to look at.");
}

at::Tensor Mask::cells(const Rectangle& region, int64_t height, int64_t width) const {
  at::Tensor counted = at::empty({height, width}, at::kBool);
  auto* out = counted.data_ptr<bool>();
  const auto columns = spans(region.x, region.width, width, size_.width);
  for (const auto& [top, bottom] : spans(region.y, region.height, height, size_.height))
    for (const auto& [left, right] : columns) {
      const int pixels = (bottom - top) * (right - left);
      const int counting =
          sums_(bottom, right) - sums_(top, right) - sums_(bottom, left) + sums_(top, left);
      *out++ = 2 * counting >= pixels;
    }
  return counted;
}

bool Mask::operator==(const Mask& other) const {
  return size_ == other.size_ && cv::countNonZero(sums_ != other.sums_) == 0;
}

MaskKind parse_mask_kind(std::string_view text) {
  if (text == "focus") return MaskKind::Focus;
  if (text == "ignore") return MaskKind::Ignore;
  throw Error(ErrorCode::InvalidArgument,
              "\"" + std::string(text) + "\" is none of focus, ignore.");
}

}  // namespace patchcore
