// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <memory>
#include <opencv2/core.hpp>
#include <string>
#include <string_view>

#include "image.hpp"

namespace patchcore {

/// What a mask's bright pixels (128 and more) are.
enum class MaskKind {
  Focus,   ///< what counts, all else is left out
  Ignore,  ///< what is left out
};

/// Which parts of a camera's picture count: patches elsewhere are neither learnt nor scored. Of any
/// size that has the frames' aspect. Immutable: any thread.
class Mask {
 public:
  /// grey: of the frame's aspect, any size.
  Mask(const cv::Mat1b& grey, MaskKind kind);

  /// A PNG file. Throws Error: NotFound, OpenRead.
  static std::shared_ptr<const Mask> load(const std::filesystem::path& file, MaskKind kind);

  /// What lies beside a bank: of part.safetensors part.focus.png or part.ignore.png. name: of a
  /// bank in a file of several, for which part.NAME.focus.png or part.NAME.ignore.png comes first.
  /// nullptr: there is none. Throws Error: OpenRead, and InvalidArgument where there are both.
  static std::shared_ptr<const Mask> beside(const std::filesystem::path& bank,
                                            const std::string& name = {});

  /// Throws Error(InvalidArgument), naming both sizes, where frames of this size have another
  /// aspect, by more than a pixel of the mask's height; and where nothing counts.
  void check(Size frame) const;

  /// Of a grid of cells over a part of the frame those that count: at least half of such a cell
  /// does. height x width bool.
  at::Tensor cells(const Rectangle& region, int64_t height, int64_t width) const;

  /// Are these the same pixels of the same size?
  bool operator==(const Mask& other) const;

 private:
  Size size_;
  cv::Mat1i sums_;  ///< of the pixels that count above and to the left, one row and column more
  std::string name_;
};

/// "focus", "ignore"; throws Error(InvalidArgument).
MaskKind parse_mask_kind(std::string_view text);

}  // namespace patchcore
