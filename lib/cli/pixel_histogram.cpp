// SPDX-License-Identifier: LGPL-2.1-or-later
#include "pixel_histogram.hpp"

#include <bit>

namespace patchcore::cli {

template <int Bits>
typename BasicPixelHistogram<Bits>::Count& BasicPixelHistogram<Bits>::count(float value) {
  constexpr int kFloatMantissaBits = 23;
  const auto bits = std::bit_cast<uint32_t>(value > 0 ? value : 0.0f);
  auto& block = blocks_[bits >> kFloatMantissaBits];
  if (!block) block = std::make_unique<Block>();
  return (*block)[bits >> (kFloatMantissaBits - Bits) & (kBlock - 1)];
}

template <int Bits>
void BasicPixelHistogram<Bits>::add_good(float value) {
  ++count(value).good;
}

template <int Bits>
void BasicPixelHistogram<Bits>::add_defective(float value, double share) {
  Count& bin = count(value);
  ++bin.defective;
  bin.overlap += share;
}

template <int Bits>
void BasicPixelHistogram<Bits>::add(const BasicPixelHistogram& other, uint64_t times) {
  for (size_t exponent = 0; exponent < kExponents; ++exponent) {
    if (!other.blocks_[exponent]) continue;
    auto& block = blocks_[exponent];
    if (!block) block = std::make_unique<Block>();
    for (size_t bin = 0; bin < kBlock; ++bin) {
      const Count& from = (*other.blocks_[exponent])[bin];
      Count& to = (*block)[bin];
      to.good += from.good * times;
      to.defective += from.defective * times;
      to.overlap += from.overlap * static_cast<double>(times);
    }
  }
}

template <int Bits>
typename BasicPixelHistogram<Bits>::Count BasicPixelHistogram<Bits>::total() const {
  Count sum;
  for (const auto& block : blocks_) {
    if (!block) continue;
    for (const Count& bin : *block) {
      sum.good += bin.good;
      sum.defective += bin.defective;
      sum.overlap += bin.overlap;
    }
  }
  return sum;
}

template <int Bits>
std::optional<double> BasicPixelHistogram<Bits>::auroc() const {
  double good = 0, defective = 0, above = 0;
  for (const auto& block : blocks_) {
    if (!block) continue;
    for (const Count& bin : *block) {
      const auto here = static_cast<double>(bin.good);
      const auto found = static_cast<double>(bin.defective);
      above += found * (good + here / 2);
      good += here;
      defective += found;
    }
  }
  if (good == 0 || defective == 0) return std::nullopt;
  return above / (good * defective);
}

template <int Bits>
std::optional<double> BasicPixelHistogram<Bits>::aupro(double limit) const {
  const Count all = total();
  if (all.good == 0 || all.defective == 0) return std::nullopt;
  const auto negatives = static_cast<double>(all.good);
  double rate = 0, overlap = 0, area = 0;  // of the pixels at or above the current bin
  for (size_t exponent = kExponents; exponent-- > 0;) {
    if (!blocks_[exponent]) continue;
    for (size_t bin = kBlock; bin-- > 0;) {
      const Count& here = (*blocks_[exponent])[bin];
      const double step = static_cast<double>(here.good) / negatives;
      const double rise = here.overlap / all.overlap;
      if (rate + step >= limit) {
        const double left = limit - rate;
        const double end = overlap + rise * left / step;
        return (area + left * (overlap + end) / 2) / limit;
      }
      area += step * (overlap + rise / 2);
      rate += step;
      overlap += rise;
    }
  }
  return area / limit;  // rounding kept the rate below a limit of 1
}

template class BasicPixelHistogram<13>;
template class BasicPixelHistogram<6>;

}  // namespace patchcore::cli
