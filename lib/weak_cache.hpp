// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <mutex>

#include "free_memory.hpp"
#include "monitor.hpp"

namespace patchcore {

/// Hands out one object a key for as long as anybody has it. Safe from any thread: who asks for an
/// object that is being made waits for it, and for no other.
template <typename Key, typename Object>
class WeakCache {
 public:
  /// make: () -> std::shared_ptr<const Object>, called where there is none; what it throws goes to
  /// the caller alone, and the next one makes it again. Throws Error(Cancelled) while waiting.
  template <typename Make>
  std::shared_ptr<const Object> get(const Key& key, Make make, const Monitor& monitor = {}) {
    const std::shared_ptr<Slot> slot = slot_of(key);
    std::unique_lock making(slot->making, std::defer_lock);
    while (!making.try_lock_for(std::chrono::milliseconds(50))) monitor.check();
    if (auto known = slot->object.lock()) return known;
    std::shared_ptr<const Object> made = make();
    return_free_memory();  // what is worth sharing is large to make
    slot->object = made;
    return made;
  }

 private:
  struct Slot {
    std::timed_mutex making;  ///< guards object
    std::weak_ptr<const Object> object;
  };

  static bool is_unused(const std::shared_ptr<Slot>& slot) {
    const std::unique_lock making(slot->making, std::try_to_lock);
    return making.owns_lock() && slot.use_count() == 1 && slot->object.expired();
  }

  std::shared_ptr<Slot> slot_of(const Key& key) {
    std::lock_guard lock(mutex_);
    std::erase_if(slots_, [](const auto& entry) { return is_unused(entry.second); });
    std::shared_ptr<Slot>& slot = slots_[key];
    if (!slot) slot = std::make_shared<Slot>();
    return slot;
  }

  std::mutex mutex_;  ///< guards slots_
  std::map<Key, std::shared_ptr<Slot>> slots_;
};

}  // namespace patchcore
