// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

#include <deque>
#include <memory>
#include <mutex>
#include <vector>

namespace gstpatchcore {

using BytesPtr = std::shared_ptr<GBytes>;

/// The patches of a frame that its bank would have to know for the frame to be normal.
struct KeptPatches {
  GstClockTime running_time;
  BytesPtr patches;  ///< rows of the bank's width, float
  gdouble above;     ///< their distance to the bank is at least that
  guint64 lineage;   ///< of that bank
  BytesPtr cells{};  ///< where the patches were, see PatchcoreResult
};

/// Such patches of the latest frames, within a bound of memory. Any thread.
class History {
 public:
  /// bytes: of patches that are kept at most; the oldest frames go first.
  explicit History(guint64 bytes) : limit_(bytes) {}

  bool enabled() const { return limit_ > 0; }
  void add(KeptPatches kept);
  /// Those of the frames from `from` to `to`, both included, that a bank of this lineage scored;
  /// they are kept no longer.
  std::vector<KeptPatches> take(GstClockTime from, GstClockTime to, guint64 lineage);
  void clear();

 private:
  const guint64 limit_;
  std::mutex mutex_;
  std::deque<KeptPatches> entries_;
  guint64 bytes_ = 0;
};

}  // namespace gstpatchcore
