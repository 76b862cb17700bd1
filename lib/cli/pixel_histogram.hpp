// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>

namespace patchcore::cli {

/// Areas under the curves of any number of pixels in bounded memory. Values are counted in bins of
/// their bit patterns, which order non-negative floats as their values do: a bin is at most
/// 1 / 2^Bits of its values wide, and two pixels in one bin count as a tie.
template <int Bits>
class BasicPixelHistogram {
 public:
  /// value: not negative (less, and NaN, count as 0).
  void add_good(float value);

  /// A pixel of a defective region. share: one part in as many as the region has counted pixels.
  void add_defective(float value, double share);

  /// As if all of the other's pixels had been added so many times.
  void add(const BasicPixelHistogram& other, uint64_t times = 1);

  /// Chance that a defective pixel's value is above a good one's; ties half. Absent where one of
  /// the kinds is.
  std::optional<double> auroc() const;

  /// The area under the curve of the per-region overlap over the false positive rate from 0 to
  /// `limit`, divided by `limit`, as MVTec's evaluation code has it: the overlap is the mean over
  /// all regions of the share of a region at or above a threshold, the rate is of all good pixels,
  /// and at the limit the curve is interpolated linearly. Absent where auroc() is.
  std::optional<double> aupro(double limit = 0.3) const;

 private:
  static constexpr size_t kBlock = size_t{1} << Bits;
  static constexpr size_t kExponents = 256;

  /// Those in one bin.
  struct Count {
    uint64_t good = 0;
    uint64_t defective = 0;
    double overlap = 0;  ///< sum of the shares
  };

  /// The bins of one power of two. Maps span a few of them, so the others are never allocated.
  using Block = std::array<Count, kBlock>;

  Count& count(float value);
  Count total() const;

  std::array<std::unique_ptr<Block>, kExponents> blocks_;
};

using PixelHistogram = BasicPixelHistogram<13>;

}  // namespace patchcore::cli
