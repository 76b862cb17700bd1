// SPDX-License-Identifier: LGPL-2.1-or-later
#include "stream.hpp"

#include "messages.hpp"
#include "overlay.hpp"

namespace gstpatchcore {

Stream::Stream(GstElement* element, GstPad* sinkpad, GstPad* srcpad, Config config)
    : element_(element),
      sinkpad_(sinkpad),
      srcpad_(srcpad),
      session_(element, config),
      queue_(std::make_shared<FrameQueue>(config.queue_length())) {
  gst_segment_init(&input_segment_, GST_FORMAT_UNDEFINED);
  gst_segment_init(&segment_, GST_FORMAT_UNDEFINED);
}

GstFlowReturn Stream::fail(const GError* error) {
  post_error(element_, error);
  return GST_FLOW_ERROR;
}

/// Why nothing more is taken in.
GstFlowReturn Stream::stopped() const {
  const GstFlowReturn flow = flow_;
  return flow == GST_FLOW_OK ? GST_FLOW_FLUSHING : flow;
}

// ---- sink side ----------------------------------------------------------------------------------

GstFlowReturn Stream::receive(BufferPtr buffer, const LiveConfig& live) {
  if (const GstFlowReturn flow = flow_; flow != GST_FLOW_OK) return flow;
  if (!preparer_) return GST_FLOW_NOT_NEGOTIATED;
  // Packet loss must neither poison a bank nor raise an alarm.
  const bool broken = GST_BUFFER_FLAG_IS_SET(buffer.get(), GST_BUFFER_FLAG_CORRUPTED) ||
                      GST_BUFFER_FLAG_IS_SET(buffer.get(), GST_BUFFER_FLAG_GAP);
  Purpose purpose;
  if (!broken && !session_.admit(upstream_is_live(), &purpose))
    return session_.failed() ? GST_FLOW_ERROR : stopped();
  std::shared_ptr<Job> job;
  if (purpose.preprocess()) {
    ErrorPtr error;
    job = make_job(buffer.get(), purpose, error.out());
    if (!job) return fail(error.get());
  }
  if (!queue_->wait_for_room()) return stopped();
  // First the engine, so that a frame which the src side sees is always on its way to be done.
  if (job) session_.engine()->submit(job, queue_);
  auto frame = std::make_unique<Frame>(
      Frame{std::move(buffer), purpose.state, std::move(job), purpose.last_of_fit, live});
  if (!queue_->push({std::move(frame), nullptr, nullptr})) return stopped();
  return flow_;
}

std::shared_ptr<Job> Stream::make_job(GstBuffer* buffer, const Purpose& purpose, GError** error) {
  auto job = preparer_->prepare(buffer, purpose.preprocess(), error);
  if (!job) return nullptr;
  job->detector = purpose.detector;
  job->fit = purpose.fit;
  job->batch_size = session_.config().batch_size;
  return job;
}

GstClockTime Stream::stream_time(GstBuffer* buffer) const {
  if (input_segment_.format != GST_FORMAT_TIME) return GST_CLOCK_TIME_NONE;
  return gst_segment_to_stream_time(&input_segment_, GST_FORMAT_TIME, GST_BUFFER_PTS(buffer));
}

bool Stream::upstream_is_live() {
  if (live_known_) return live_;
  GstQuery* query = gst_query_new_latency();
  gboolean live = FALSE;
  if (gst_pad_peer_query(sinkpad_, query)) gst_query_parse_latency(query, &live, nullptr, nullptr);
  gst_query_unref(query);
  live_known_ = true;
  live_ = live;
  return live_;
}

bool Stream::set_input_caps(GstCaps* caps) {
  GstVideoInfo info;
  preparer_.reset();
  if (gst_video_info_from_caps(&info, caps)) preparer_ = std::make_unique<FramePreparer>(info);
  if (preparer_ && preparer_->usable()) return true;
  preparer_.reset();
  GST_ELEMENT_ERROR(element_, STREAM, FORMAT, ("These caps can't be read as video."),
                    ("%" GST_PTR_FORMAT, caps));
  return false;
}

bool Stream::receive_serialized(EventPtr event) {
  const GstEventType type = GST_EVENT_TYPE(event.get());
  if (type == GST_EVENT_CAPS) {
    GstCaps* caps;
    gst_event_parse_caps(event.get(), &caps);
    if (!set_input_caps(caps)) return false;
  }
  if (type == GST_EVENT_SEGMENT) gst_event_copy_segment(event.get(), &input_segment_);
  if (type == GST_EVENT_STREAM_START || type == GST_EVENT_SEGMENT) {
    // Another stream, or another part of it, that downstream may want.
    auto ended = GST_FLOW_EOS;
    flow_.compare_exchange_strong(ended, GST_FLOW_OK);
  }
  if (type == GST_EVENT_EOS || type == GST_EVENT_STREAM_START)
    eos_received_ = type == GST_EVENT_EOS;
  // A sticky event that is refused makes GstPad answer the next buffer with an error of its own,
  // in place of the flow that ended the stream.
  const bool lenient = GST_EVENT_IS_STICKY(event.get()) && type != GST_EVENT_EOS;
  return queue_->push({nullptr, std::move(event), nullptr}) || lenient;
}

bool Stream::receive_serialized(GstQuery* query) {
  bool answer = false;
  return queue_->ask(query, &answer) && answer;
}

void Stream::set_flushing(bool flushing) {
  std::lock_guard lock(flushing_mutex_);
  if (flushing) return stop(GST_FLOW_FLUSHING);
  if (closed_) return;
  flow_ = GST_FLOW_OK;
  eos_received_ = false;
  discarding_ = false;
  live_known_ = false;
  session_.set_flushing(false);
  queue_->set_flushing(false);
}

void Stream::close() {
  std::lock_guard lock(flushing_mutex_);
  closed_ = true;
  // In this order: a build that is cancelled must not let the EOS go that waits for it.
  stop(GST_FLOW_FLUSHING);
  session_.cancel();
}

void Stream::stop(GstFlowReturn flow) {
  flow_ = flow;
  queue_->set_flushing(true);
  session_.set_flushing(true);
  session_.engine()->withdraw(*queue_);
}

// ---- src side -----------------------------------------------------------------------------------

GstFlowReturn Stream::send(Item item) {
  if (item.frame) return send(std::move(*item.frame));
  return item.event ? send(std::move(item.event)) : send(item.query);
}

GstFlowReturn Stream::send(Frame frame) {
  if (frame.job && frame.job->error) return fail(frame.job->error.get());
  const bool last_of_fit = frame.last_of_fit;
  if (last_of_fit && !session_.start_build()) return GST_FLOW_ERROR;
  if (discarding_) return GST_FLOW_OK;
  const GstFlowReturn flow = gst_pad_push(srcpad_, annotated(frame).release());
  if (flow != GST_FLOW_EOS) return flow;
  // Downstream has enough; the next chain says so, and the EOS that follows is still to pass.
  flow_ = GST_FLOW_EOS;
  discarding_ = true;
  return GST_FLOW_OK;
}

BufferPtr Stream::annotated(Frame& frame) {
  const LiveConfig& live = frame.live;
  const PatchcoreBankInfo bank = session_.bank_info();
  const std::string& camera = live.camera_id.empty() ? stream_id_ : live.camera_id;
  const StructurePtr result = make_result(frame, bank, live, camera);
  BufferPtr buffer(gst_buffer_make_writable(frame.buffer.release()));
  if (frame.state == FrameState::Scored && live.overlay == Overlay::Heatmap &&
      shows_heatmap(result.get()))
    blend_heatmap(buffer.get(), info_, *frame.job, bank, live.opacity);
  attach_result(buffer.get(), result.get());
  if (live.post_messages && frame.state != FrameState::None)
    post_result(element_, segment_, buffer.get(), result.get());
  return buffer;
}

void Stream::note(GstEvent* event) {
  switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_STREAM_START: {
      const gchar* id;
      gst_event_parse_stream_start(event, &id);
      stream_id_ = id;
      discarding_ = false;
      break;
    }
    case GST_EVENT_CAPS: {
      GstCaps* caps;
      gst_event_parse_caps(event, &caps);
      gst_video_info_from_caps(&info_, caps);
      break;
    }
    case GST_EVENT_SEGMENT:
      gst_event_copy_segment(event, &segment_);
      discarding_ = false;
      break;
    default: break;
  }
}

GstFlowReturn Stream::send(EventPtr event) {
  note(event.get());
  const bool eos = GST_EVENT_TYPE(event.get()) == GST_EVENT_EOS;
  // A bank is built before EOS leaves, since an application stops the pipeline when it sees it.
  if (eos && !session_.finish() && queue_->flushing()) return GST_FLOW_FLUSHING;
  gst_pad_push_event(srcpad_, event.release());
  return GST_FLOW_OK;
}

GstFlowReturn Stream::send(GstQuery* query) {
  const bool ok = gst_pad_peer_query(srcpad_, query);
  if (GST_QUERY_TYPE(query) == GST_QUERY_ALLOCATION) {
    // Frames are held here: a pool that doesn't know of them would run dry.
    const guint held = session_.config().queue_length();
    for (guint i = 0; i < gst_query_get_n_allocation_pools(query); ++i) {
      GstBufferPool* pool;
      guint size, min, max;
      gst_query_parse_nth_allocation_pool(query, i, &pool, &size, &min, &max);
      gst_query_set_nth_allocation_pool(query, i, pool, size, min + held, max ? max + held : 0);
      if (pool) gst_object_unref(pool);
    }
    // A crop that is only noted on the buffer would have to be read here.
    guint index;
    while (gst_query_find_allocation_meta(query, GST_VIDEO_CROP_META_API_TYPE, &index))
      gst_query_remove_nth_allocation_meta(query, index);
  }
  queue_->answer(ok);
  return GST_FLOW_OK;
}

}  // namespace gstpatchcore
