// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>

#include "clockalarm.hpp"
#include "config.hpp"
#include "handles.hpp"
#include "job.hpp"

namespace gstpatchcore {

/// What a frame is to the element; "state" in its metadata.
enum class FrameState {
  None,
  Learning,
  Building,
  Scored,
  Stale,  ///< not due, or there was no time: shown with the last result
};

const char* nick(FrameState state);

/// A frame between the pads.
struct Frame {
  BufferPtr buffer;
  FrameState state = FrameState::None;          ///< as it is meant to be when it leaves
  bool corrupted = false;                       ///< flagged CORRUPTED or GAP
  std::shared_ptr<Inspection> inspection;       ///< nullptr: nothing to wait for
  LiveConfig live;                              ///< as it was when the frame came in
  GstClockTime deadline = GST_CLOCK_TIME_NONE;  ///< leaves then, inspected or not
  gint64 arrival = 0;                           ///< g_get_monotonic_time()
  bool finished = false;  ///< set by pop(): its inspection is done and none of it was skipped
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
  FrameQueue();

  /// At most `max_frames` frames are held, whatever else is.
  void set_max_frames(guint max_frames);
  /// The clock that deadlines are of; nullptr: they are not kept.
  void set_clock(GstClock* clock) { alarm_.set_clock(clock); }
  GstClockTime now() const { return alarm_.now(); }
  /// What is shown before this running time comes too late downstream, so that a frame with a
  /// deadline need not be inspected; GST_CLOCK_TIME_NONE: nothing does.
  void set_earliest(GstClockTime running_time) { earliest_ = running_time; }

  /// Waits until there is room for a frame. False: flushing.
  bool wait_for_room();
  /// False: flushing, and the item is gone.
  bool push(Item item);

  /// Pushes and waits for answer(). False: flushing.
  bool ask(GstQuery* query, bool* answer);
  void answer(bool ok);

  /// The oldest item, as soon as it can leave: a frame when it is inspected or at its deadline.
  /// Nothing: flushing.
  std::optional<Item> pop();

  /// The newest inspection that was done or failed after its frame had left, once; else nullptr.
  /// Not across CAPS, STREAM_START or EOS: its picture, or its stream, is another one then.
  std::shared_ptr<Inspection> take_late();

  /// All waits end, what is queued goes, and nothing is taken in until start(); save sticky events,
  /// which upstream sends but once. keep_segment: that one too, since no flush brings another.
  void stop(bool keep_segment);
  void start();
  bool flushing() const;

  /// Sets `flow` to EOS unless something is queued behind which downstream may want more.
  void end_unless_restarted(std::atomic<GstFlowReturn>& flow);

  GstClockTimeDiff time_left(const Job& job) const override;
  void job_done(Job& job) override;

 private:
  bool head_can_leave();
  void leave(Frame& frame);
  void leave(GstEvent* event);
  void keep(EventPtr event);

  mutable std::mutex mutex_;
  std::condition_variable space_, ready_;
  std::deque<Item> items_;
  guint max_frames_ = 1;
  guint frames_ = 0;         ///< among items_
  guint64 inspections_ = 0;  ///< that were pushed
  guint pushed_epoch_ = 1;   ///< counts flushes, and events that results don't outlive
  guint epoch_ = 0;          ///< of the frame that left last; 0: none since
  bool flushing_ = true;
  bool query_taken_ = false;  ///< by pop(): it must not go away before answer()
  std::optional<bool> answer_;
  std::shared_ptr<Inspection> late_;
  std::atomic<GstClockTime> earliest_{GST_CLOCK_TIME_NONE};
  ClockAlarm alarm_;  ///< the head's deadline
};

}  // namespace gstpatchcore
