// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <deque>
#include <optional>

#include "config.hpp"
#include "engine.hpp"
#include "handles.hpp"

namespace gstpatchcore {

/// What a frame is to the element; "state" in its metadata.
enum class FrameState { None, Learning, Building, Scored };

const char* nick(FrameState state);

/// A frame between the pads.
struct Frame {
  BufferPtr buffer;
  FrameState state = FrameState::None;
  std::shared_ptr<Job> job;  ///< nullptr: nothing to wait for
  bool last_of_fit = false;
  LiveConfig live;  ///< as it was when the frame came in
};

/// What passes between the pads: one of the three. (A std::variant of them makes GCC 12 warn of
/// fields that can't be uninitialized.)
struct Item {
  std::unique_ptr<Frame> frame;
  EventPtr event;
  GstQuery* query = nullptr;  ///< the thread that brought it waits for its answer
};

/// Frames, serialized events and queries between the sink pad's thread and the src pad's task, in
/// their order. One lock and two conditions, as queue has them: `space_` for those who bring,
/// `ready_` for the one who takes.
class FrameQueue : public Listener {
 public:
  /// At most `max_frames` frames are held, whatever else is.
  explicit FrameQueue(guint max_frames) : max_frames_(max_frames) {}

  /// Waits until there is room for a frame. False: flushing.
  bool wait_for_room();
  /// False: flushing, and the item is gone.
  bool push(Item item);

  /// Pushes and waits for answer(). False: flushing.
  bool ask(GstQuery* query, bool* answer);
  void answer(bool ok);

  /// The oldest item, as soon as it can leave: a frame when its job is done. Nothing: flushing.
  std::optional<Item> pop();

  /// On: all waits end, all items go, nothing is taken in any more.
  void set_flushing(bool flushing);
  bool flushing() const;

  void job_done(Job& job) override;

 private:
  bool head_can_leave() const;

  const guint max_frames_;
  mutable std::mutex mutex_;
  std::condition_variable space_, ready_;
  std::deque<Item> items_;
  guint frames_ = 0;  ///< among items_
  bool flushing_ = true;
  bool query_taken_ = false;  ///< by pop(): it must not go away before answer()
  std::optional<bool> answer_;
};

}  // namespace gstpatchcore
