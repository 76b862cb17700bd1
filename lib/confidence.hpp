// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>

namespace patchcore {

/// Of a rate that isn't known but was counted: where it lies below with this confidence.
inline constexpr double kConfidence = 0.95;

/// One-sided upper bound of Clopper and Pearson (Biometrika 26, 1934) for a probability, after
/// `events` of `trials` came true: with it, so few or fewer would be seen in 5 of 100 cases. 1
/// where all did, or there was no trial.
double rate_bound(int64_t events, int64_t trials, double confidence = kConfidence);

/// The same for the mean of a Poisson distribution of which `events` were seen (Garwood, Biometrika
/// 28, 1936): 2.996 after none at 95 %.
double count_bound(int64_t events, double confidence = kConfidence);

}  // namespace patchcore
