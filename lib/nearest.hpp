// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace patchcore {

/// A row and its squared distance from a query. What is no number is farthest, ties go to the lower
/// row.
struct Found {
  float square;
  int64_t row;

  bool operator<(const Found& other) const {
    const bool none = std::isnan(square), other_none = std::isnan(other.square);
    if (none != other_none) return other_none;
    return none || square == other.square ? row < other.row : square < other.square;
  }
};

/// The k nearest of one query so far, nearest first. A row may be offered more than once only where
/// k is 1.
class Nearest {
 public:
  explicit Nearest(int64_t k) : k_(static_cast<size_t>(k)) { found_.reserve(k_ + 1); }

  void offer(const Found& found) {
    if (found_.size() == k_ && !(found < found_.back())) return;
    found_.insert(std::upper_bound(found_.begin(), found_.end(), found), found);
    if (found_.size() > k_) found_.pop_back();
  }

  /// The distance beyond which a row doesn't matter.
  float radius() const {
    const bool known = found_.size() == k_ && !std::isnan(found_.back().square);
    return known ? std::sqrt(found_.back().square) : std::numeric_limits<float>::infinity();
  }

  std::span<const Found> found() const { return found_; }

 private:
  size_t k_;
  std::vector<Found> found_;
};

}  // namespace patchcore
