// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "alarm.hpp"
#include "framepainter.hpp"
#include "result.hpp"
#include "session.hpp"

namespace gstpatchcore {

/// What is said of frames and painted on them as they leave: metadata, messages, alarms, overlay.
/// Keeps the last result for the frames that have none of their own. The src pad's task alone.
class Reporter {
 public:
  Reporter(GstElement* element, Session& session);

  /// Serialized events as they leave: what they say of the frames behind them.
  void note(GstEvent* event);

  /// late: an inspection that was done after its frame had left, or nullptr. Sets the frame's state
  /// to what it came to, and returns its buffer with all that is said of it.
  BufferPtr report(Frame& frame, std::shared_ptr<Inspection> late);

  /// No frame before this one counts any more: an alarm that is on stops.
  void reset();

 private:
  void settle(Frame& frame);
  void take(std::shared_ptr<Inspection> scored, const LiveConfig& live);
  void keep_patches(const Inspection& inspection);
  void mark(GstBuffer* buffer, guint first, const LiveConfig& live);
  void update_alarm(const Inspection& scored, const LiveConfig& live);
  const std::string& camera(const LiveConfig& live) const;
  void post_alarm(Alarm::Change change);

  GstElement* const element_;
  Session& session_;
  GstVideoInfo info_{};
  std::unique_ptr<FramePainter> painter_;
  GstSegment segment_;
  std::string stream_id_;
  std::string alarm_camera_;          ///< that the alarm is told with
  std::shared_ptr<Inspection> last_;  ///< the newest that was scored
  Alarm alarm_;
};

}  // namespace gstpatchcore
