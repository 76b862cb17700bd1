// SPDX-License-Identifier: LGPL-2.1-or-later
// How well scores part the defective from the good. All are fractions, 0..1; a metric that compares
// two groups is absent where one of them is empty.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

namespace patchcore::cli {

/// Of whole images, exact.
struct ImageMetrics {
  std::optional<double> auroc;  ///< chance that a defective one scores above a good one; ties half
  std::optional<double>
      average_precision;          ///< sum of (R_n - R_n-1) P_n, as scikit-learn defines it
  std::optional<double> best_f1;  ///< F1 at the threshold that makes it largest
};

ImageMetrics image_metrics(std::span<const double> good, std::span<const double> defective);

/// Area under the ROC curve of any number of pixels in bounded memory. Values are counted in bins
/// of their bit patterns, which order non-negative floats as their values do: a bin is at most
/// 1 / 8192 of its values wide, and two pixels in one bin count as a tie.
class PixelHistogram {
 public:
  /// value: not negative (less, and NaN, count as 0).
  void add(float value, bool defective);
  void add(const PixelHistogram& other);

  std::optional<double> auroc() const;

 private:
  static constexpr int kMantissaBits = 13;
  static constexpr size_t kBlock = size_t{1} << kMantissaBits;
  static constexpr size_t kExponents = 256;

  /// The bins of one power of two. Maps span a few of them, so the others are never allocated.
  struct Block {
    std::array<uint64_t, kBlock> good{};
    std::array<uint64_t, kBlock> defective{};
  };

  Block& block(size_t exponent);

  std::array<std::unique_ptr<Block>, kExponents> blocks_;
};

}  // namespace patchcore::cli
