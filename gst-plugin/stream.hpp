// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "framepreparer.hpp"
#include "reporter.hpp"
#include "session.hpp"
#include "statistics.hpp"

namespace gstpatchcore {

/// The element's two ends while it is PAUSED or PLAYING. receive_*() run in the sink pad's thread,
/// next() and send() in the src pad's task, which alone pushes; the queue is all that lies between
/// them.
class Stream {
 public:
  Stream(GstElement* element, GstPad* sinkpad, GstPad* srcpad, Config config);

  Session& session() const { return *session_; }
  const Statistics& statistics() const { return statistics_; }

  // Sink side.
  /// live: what the frame is to be shown with.
  GstFlowReturn receive(BufferPtr buffer, const LiveConfig& live);
  /// When a frame that comes in now is shown, for controlled properties; may be
  /// GST_CLOCK_TIME_NONE.
  GstClockTime stream_time(GstBuffer* buffer) const;
  bool receive_serialized(EventPtr event);
  bool receive_serialized(GstQuery* query);

  // Any thread.
  /// The pipeline's clock, or nullptr.
  void set_clock(GstClock* clock) { queue_->set_clock(clock); }
  /// Downstream tells of frames that came too late.
  void receive_qos(GstEvent* event);
  /// What was found so far counts no more.
  void forget() { forget_ = true; }

  /// Flushing: whoever waits returns, what is queued goes. Not flushing: from the beginning.
  void set_flushing(bool flushing);

  /// Downstream may have been linked. True: it was not when the src side ended, which is to go on.
  bool reopen();

  /// For good: all that waits or builds ends, and no flush opens the stream again.
  void close();

  // Src side.
  /// Waits for the oldest item to be ready. Nothing: flushing.
  std::optional<Item> next() { return queue_->pop(); }
  /// Finishes and pushes it. Returns what the push returned; FLUSHING to stop.
  GstFlowReturn send(Item item);

  /// The src side ends with this flow, which the next receive() returns; where EOS came in already
  /// there is none, and the bus is told. True: it was EOS's turn to leave.
  bool stop(GstFlowReturn flow);

 private:
  GstFlowReturn fail(const GError* error);
  GstFlowReturn stopped();
  void halt(GstFlowReturn flow);
  void tell(GstFlowReturn flow);
  bool set_input_caps(GstCaps* caps);
  bool upstream_is_live();
  void find_out_realtime();
  GstClockTime deadline() const;
  GstClockTime running_time_of(const Frame& frame) const;
  bool is_due(const LiveConfig& live);
  bool decide(const Frame& frame, Purpose* purpose);
  bool check_mask(const Purpose& purpose, GError** error);
  bool prepare(Frame& frame, const Purpose& purpose, const Preparation& preparation,
               GError** error);
  void address(Job& job, const Frame& frame, const Purpose& purpose);
  void submit(const std::shared_ptr<Inspection>& inspection);

  void note_report_time(gint64 start);
  GstFlowReturn send(Frame frame);
  GstFlowReturn send(EventPtr event);
  GstFlowReturn send(GstQuery* query);
  void tell_held_frames(GstQuery* query) const;

  GstElement* const element_;
  GstPad* const sinkpad_;
  GstPad* const srcpad_;
  const std::shared_ptr<Session> session_;
  const std::shared_ptr<FrameQueue> queue_;
  Statistics statistics_;
  std::atomic<GstFlowReturn> flow_{GST_FLOW_OK};
  std::atomic<bool> eos_received_{false};
  std::atomic<bool> flow_told_{false};        ///< flow_, to upstream or the bus
  std::atomic<bool> realtime_{false};         ///< frames leave at their deadline
  std::atomic<guint> held_{1};                ///< frames that may be in the queue
  std::atomic<GstClockTime> report_time_{0};  ///< that a frame took from queue to src pad lately
  std::atomic<bool> forget_{false};
  std::mutex flushing_mutex_;  ///< orders set_flushing() and close()
  bool closed_ = false;

  // The sink pad's thread alone:
  std::unique_ptr<FramePreparer> preparer_;
  Mask checked_mask_;  ///< fits the caps
  GstSegment input_segment_;
  bool realtime_known_ = false;
  guint until_due_ = 0;     ///< frames that pass before one is due
  bool triggered_ = false;  ///< the next one is, whatever the interval

  // The src pad's task alone:
  Reporter reporter_;
  std::atomic<bool> discarding_{false};  ///< downstream has had enough: frames go nowhere
};

}  // namespace gstpatchcore
