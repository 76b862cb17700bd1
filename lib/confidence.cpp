// SPDX-License-Identifier: LGPL-2.1-or-later
#include "confidence.hpp"

#include <cmath>
#include <functional>

namespace patchcore {
namespace {

/// Sum of exp(log_term(i)) for i from 0 to last.
double sum_of(int64_t last, const std::function<double(int64_t)>& log_term) {
  double sum = 0;
  for (int64_t i = 0; i <= last; ++i) sum += std::exp(log_term(i));
  return sum;
}

/// Where a falling function passes through `value`.
double crossing(const std::function<double(double)>& falling, double value, double low,
                double high) {
  constexpr int kHalvings = 60;
  for (int i = 0; i < kHalvings; ++i) {
    const double middle = (low + high) / 2;
    (falling(middle) > value ? low : high) = middle;
  }
  return (low + high) / 2;
}

}  // namespace

double rate_bound(int64_t events, int64_t trials, double confidence) {
  if (events >= trials) return 1;
  const auto n = static_cast<double>(trials);
  const auto at_most = [&](double p) {
    return sum_of(events, [&](int64_t i) {
      const auto k = static_cast<double>(i);
      return std::lgamma(n + 1) - std::lgamma(k + 1) - std::lgamma(n - k + 1) + k * std::log(p) +
             (n - k) * std::log1p(-p);
    });
  };
  return crossing(at_most, 1 - confidence, 0, 1);
}

double count_bound(int64_t events, double confidence) {
  const auto seen = static_cast<double>(events);
  const auto at_most = [&](double mean) {
    return sum_of(events, [&](int64_t i) {
      const auto k = static_cast<double>(i);
      return k * std::log(mean) - mean - std::lgamma(k + 1);
    });
  };
  return crossing(at_most, 1 - confidence, 0, seen + 10 * std::sqrt(seen) + 20);
}

}  // namespace patchcore
