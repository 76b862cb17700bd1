// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <utility>
#include <vector>

namespace patchcore {

/// Rows that a filter left of a query's, each with the product of its head and the query's.
using Promising = std::vector<std::pair<float, int64_t>>;

/// Rows that are on their way to the processor while others are worked on.
constexpr size_t kAhead = 3;

template <typename T>
void prefetch(const T* values, int64_t count) {
  constexpr int64_t kLine = 64 / sizeof(T), kLines = 8;  // the processor guesses the rest
  for (int64_t at = 0; at < std::min(count, kLines * kLine); at += kLine)
    __builtin_prefetch(values + at);
}

/// Offers rows, the most promising first, until what is left has products at or below limit(),
/// which may rise with each. fetch: of a row that will be offered soon. Returns how many were
/// offered; what is in `rows` afterwards is of no use.
template <typename Limit, typename Offer, typename Fetch>
int64_t offer_promising(Promising& rows, const Limit& limit, const Offer& offer,
                        const Fetch& fetch) {
  float at_most = limit();
  const auto is_out = [&](const auto& candidate) { return candidate.first <= at_most; };
  const auto leave_out = [&](auto first) {
    rows.erase(std::remove_if(first, rows.end(), is_out), rows.end());
  };
  for (auto& candidate : rows)
    if (std::isnan(candidate.first)) candidate.first = std::numeric_limits<float>::infinity();
  leave_out(rows.begin());
  if (rows.empty()) return 0;
  // The best most often rules out all others, before they need to be in order.
  std::iter_swap(rows.begin(), std::max_element(rows.begin(), rows.end()));
  offer(rows.front().second);
  at_most = limit();
  leave_out(rows.begin() + 1);
  std::sort(rows.begin() + 1, rows.end(), std::greater<>());
  size_t done = 1;
  for (; done < rows.size() && !is_out(rows[done]); ++done) {
    if (done + kAhead < rows.size()) fetch(rows[done + kAhead].second);
    offer(rows[done].second);
    at_most = limit();
  }
  return static_cast<int64_t>(done);
}

}  // namespace patchcore
