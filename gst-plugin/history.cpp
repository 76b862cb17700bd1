// SPDX-License-Identifier: LGPL-2.1-or-later
#include "history.hpp"

namespace gstpatchcore {
namespace {

guint64 size(const KeptPatches& kept) { return g_bytes_get_size(kept.patches.get()); }

}  // namespace

void History::add(KeptPatches kept) {
  if (size(kept) > limit_) return;
  std::lock_guard lock(mutex_);
  bytes_ += size(kept);
  entries_.push_back(std::move(kept));
  while (bytes_ > limit_) {
    bytes_ -= size(entries_.front());
    entries_.pop_front();
  }
}

std::vector<KeptPatches> History::take(GstClockTime from, GstClockTime to, guint64 lineage) {
  std::lock_guard lock(mutex_);
  std::vector<KeptPatches> found;
  std::deque<KeptPatches> rest;
  for (KeptPatches& kept : entries_) {
    const bool wanted =
        kept.lineage == lineage && kept.running_time >= from && kept.running_time <= to;
    if (wanted) {
      bytes_ -= size(kept);
      found.push_back(std::move(kept));
    } else {
      rest.push_back(std::move(kept));
    }
  }
  entries_ = std::move(rest);
  return found;
}

void History::clear() {
  std::lock_guard lock(mutex_);
  entries_.clear();
  bytes_ = 0;
}

}  // namespace gstpatchcore
