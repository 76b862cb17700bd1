// SPDX-License-Identifier: LGPL-2.1-or-later
#include "stream.hpp"

#include <algorithm>
#include <cmath>

#include "messages.hpp"
#include "regionsofinterest.hpp"
#include "verdict.hpp"

namespace gstpatchcore {
namespace {

constexpr const char* kTrigger = "patchcore-trigger";
constexpr gint kUnknownFps = 60;
constexpr gint kMostFps = 10000;  ///< more is a time base that was taken for a rate

bool is_corrupted(GstBuffer* buffer) {
  return GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_CORRUPTED) ||
         GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_GAP);
}

/// The frames that a stream brings in this time.
guint frames_in(GstClockTime time, const GstVideoInfo& info) {
  const bool known = GST_VIDEO_INFO_FPS_N(&info) > 0 &&
                     GST_VIDEO_INFO_FPS_N(&info) / GST_VIDEO_INFO_FPS_D(&info) <= kMostFps;
  return static_cast<guint>(
      gst_util_uint64_scale_ceil(time, known ? GST_VIDEO_INFO_FPS_N(&info) : kUnknownFps,
                                 GST_SECOND * (known ? GST_VIDEO_INFO_FPS_D(&info) : 1)));
}

}  // namespace

Stream::Stream(GstElement* element, GstPad* sinkpad, GstPad* srcpad, Config config)
    : element_(element),
      sinkpad_(sinkpad),
      srcpad_(srcpad),
      session_(std::make_shared<Session>(element, std::move(config))),
      queue_(std::make_shared<FrameQueue>()),
      reporter_(element, *session_) {
  gst_segment_init(&input_segment_, GST_FORMAT_UNDEFINED);
}

GstFlowReturn Stream::fail(const GError* error) {
  post_error(element_, error);
  return GST_FLOW_ERROR;
}

/// Why nothing more is taken in.
GstFlowReturn Stream::stopped() {
  const GstFlowReturn flow = flow_;
  if (flow == GST_FLOW_OK) return GST_FLOW_FLUSHING;
  flow_told_ = true;
  return flow;
}

// ---- sink side ----------------------------------------------------------------------------------

GstFlowReturn Stream::receive(BufferPtr buffer, const LiveConfig& live) {
  if (flow_ != GST_FLOW_OK) return stopped();
  if (!preparer_) return GST_FLOW_NOT_NEGOTIATED;
  if (!realtime_known_) find_out_realtime();
  auto frame = std::make_unique<Frame>();
  frame->arrival = g_get_monotonic_time();
  frame->deadline = deadline();
  frame->corrupted = is_corrupted(buffer.get());
  frame->buffer = std::move(buffer);
  frame->live = live;

  Purpose purpose;
  if (!decide(*frame, &purpose)) return session_->failed() ? GST_FLOW_ERROR : stopped();
  frame->state = purpose.state;
  ErrorPtr error;
  const Preparation preparation = purpose.preparation();
  if (preparation.preprocess && !prepare(*frame, purpose, preparation, error.out()))
    return fail(error.get());
  if (!queue_->wait_for_room()) return stopped();
  // First the engine, so that a frame which the src side sees is always on its way to be done.
  if (frame->inspection) submit(frame->inspection);
  if (!queue_->push({std::move(frame), nullptr, nullptr})) return stopped();
  return flow_ == GST_FLOW_OK ? GST_FLOW_OK : stopped();
}

/// When a frame that comes in now must leave the queue. What is said of it and painted on it takes
/// its time too, and is done when max-latency is over.
GstClockTime Stream::deadline() const {
  const GstClockTime now = queue_->now();
  if (!realtime_ || !GST_CLOCK_TIME_IS_VALID(now)) return GST_CLOCK_TIME_NONE;
  const GstClockTime latency = session_->max_latency();
  return now + latency - std::min<GstClockTime>(report_time_, latency / 2);
}

/// What is to be done with a frame. False: flushing, or the session has failed.
bool Stream::decide(const Frame& frame, Purpose* purpose) {
  // Packet loss must neither poison a bank nor raise an alarm.
  if (frame.corrupted) return true;
  if (is_due(frame.live))
    return session_->admit(frame.live, running_time_of(frame), /*may_wait=*/!realtime_, purpose);
  if (session_->detecting()) purpose->state = FrameState::Stale;
  return true;
}

/// GST_CLOCK_TIME_NONE: not known.
GstClockTime Stream::running_time_of(const Frame& frame) const {
  if (input_segment_.format != GST_FORMAT_TIME) return GST_CLOCK_TIME_NONE;
  return gst_segment_to_running_time(&input_segment_, GST_FORMAT_TIME,
                                     GST_BUFFER_PTS(frame.buffer.get()));
}

bool Stream::is_due(const LiveConfig& live) {
  const guint interval = live.inference_interval;
  if (interval > 0) until_due_ = std::min(until_due_, interval - 1);
  const bool due = std::exchange(triggered_, false) || (interval > 0 && until_due_ == 0);
  if (due)
    until_due_ = interval > 0 ? interval - 1 : 0;
  else if (until_due_ > 0)
    --until_due_;
  return due;
}

/// Once for each mask and caps. False: *error is set.
bool Stream::check_mask(const Purpose& purpose, GError** error) {
  const Mask& mask = purpose.mask_of_frames();
  if (!mask || mask.get() == checked_mask_.get()) return true;
  const GstVideoInfo& info = preparer_->info();
  if (!library().patchcore_mask_check(mask.get(), GST_VIDEO_INFO_WIDTH(&info),
                                      GST_VIDEO_INFO_HEIGHT(&info), error))
    return false;
  checked_mask_ = mask;
  return true;
}

/// Makes the frame's inspection. False: *error is set.
bool Stream::prepare(Frame& frame, const Purpose& purpose, const Preparation& preparation,
                     GError** error) {
  if (!check_mask(purpose, error)) return false;
  auto inspection = std::make_shared<Inspection>();
  inspection->scorer = purpose.scorer;
  inspection->ticket = purpose.ticket;
  std::vector<Region> regions(1);
  if (session_->config().inference_region == InferenceRegion::Roi) {
    inspection->rois =
        regions_of_interest(frame.buffer.get(), preparer_->info(), session_->config().roi_type);
    regions.clear();
    for (const RegionOfInterest& roi : inspection->rois) regions.push_back(roi.region);
  }
  if (regions.empty()) {
    frame.state = FrameState::None;
    return true;
  }
  inspection->jobs = preparer_->prepare(frame.buffer.get(), preparation, regions, error);
  if (inspection->jobs.empty()) return false;
  for (auto& job : inspection->jobs) address(*job, frame, purpose);
  frame.inspection = std::move(inspection);
  return true;
}

/// Fills in who wants the job, and until when.
void Stream::address(Job& job, const Frame& frame, const Purpose& purpose) {
  job.fit = purpose.fit;
  job.mask = purpose.mask_of_frames();
  job.batch_size = session_->config().batch_size;
  job.deadline = frame.deadline;
  job.running_time = running_time_of(frame);
  if (!purpose.scorer) return;
  job.detector = purpose.scorer->detector;
  const PatchcoreBankInfo& bank = purpose.scorer->info;
  job.keep_above = Verdict(bank, frame.live).raw_threshold();
  if (bank.calibrated) job.keep_above = std::min(job.keep_above, bank.pixel_threshold);
  job.keep_patches = session_->history().enabled() && std::isfinite(job.keep_above);
}

void Stream::submit(const std::shared_ptr<Inspection>& inspection) {
  inspection->open = inspection->jobs.size();
  std::vector<Batcher::Entry> jobs;
  for (auto& job : inspection->jobs) {
    job->inspection = inspection.get();
    jobs.push_back({{inspection, job.get()}, queue_});
  }
  session_->engine()->submit(std::move(jobs));
}

GstClockTime Stream::stream_time(GstBuffer* buffer) const {
  if (input_segment_.format != GST_FORMAT_TIME) return GST_CLOCK_TIME_NONE;
  return gst_segment_to_stream_time(&input_segment_, GST_FORMAT_TIME, GST_BUFFER_PTS(buffer));
}

bool Stream::upstream_is_live() {
  GstQuery* query = gst_query_new_latency();
  gboolean live = FALSE;
  if (gst_pad_peer_query(sinkpad_, query)) gst_query_parse_latency(query, &live, nullptr, nullptr);
  gst_query_unref(query);
  return live;
}

/// At the caps and again at the first frame, since there are sources that don't know before.
void Stream::find_out_realtime() {
  const Config& config = session_->config();
  const bool realtime =
      config.realtime == Realtime::Yes || (config.realtime == Realtime::Auto && upstream_is_live());
  realtime_ = realtime;
  realtime_known_ = true;
  held_ = realtime ? frames_in(session_->max_latency(), preparer_->info()) + config.batch_size
                   : config.queue_length();
  queue_->set_max_frames(held_);
}

bool Stream::set_input_caps(GstCaps* caps) {
  std::string why;
  preparer_ = FramePreparer::make(caps, &why);
  checked_mask_.reset();
  if (preparer_) {
    const GstVideoInfo& info = preparer_->info();
    session_->set_frame_size(static_cast<guint>(GST_VIDEO_INFO_WIDTH(&info)),
                             static_cast<guint>(GST_VIDEO_INFO_HEIGHT(&info)));
    find_out_realtime();
    realtime_known_ = false;
    return true;
  }
  GST_ELEMENT_ERROR(element_, STREAM, FORMAT, ("%s", why.c_str()), ("%" GST_PTR_FORMAT, caps));
  return false;
}

bool Stream::receive_serialized(EventPtr event) {
  const GstEventType type = GST_EVENT_TYPE(event.get());
  if (type == GST_EVENT_CAPS) {
    GstCaps* caps;
    gst_event_parse_caps(event.get(), &caps);
    if (!set_input_caps(caps)) return false;
    until_due_ = 0;  // the last result was of another picture
  }
  if (type == GST_EVENT_SEGMENT) gst_event_copy_segment(event.get(), &input_segment_);
  if (gst_event_has_name(event.get(), kTrigger)) triggered_ = true;
  if (type == GST_EVENT_STREAM_START) until_due_ = 0;
  if (type == GST_EVENT_EOS || type == GST_EVENT_STREAM_START)
    eos_received_ = type == GST_EVENT_EOS;
  const bool taken = queue_->push({nullptr, std::move(event), nullptr});
  if (type == GST_EVENT_STREAM_START || type == GST_EVENT_SEGMENT) {
    // Another stream, or another part of it, that downstream may want.
    auto ended = GST_FLOW_EOS;
    if (flow_.compare_exchange_strong(ended, GST_FLOW_OK)) flow_told_ = false;
  }
  if (!taken && type == GST_EVENT_EOS) tell(flow_);
  return taken;
}

bool Stream::receive_serialized(GstQuery* query) {
  bool answer = false;
  return queue_->ask(query, &answer) && answer;
}

// ---- any thread ---------------------------------------------------------------------------------

/// As GstBaseTransform reckons it.
void Stream::receive_qos(GstEvent* event) {
  GstClockTimeDiff late;
  GstClockTime time;
  gst_event_parse_qos(event, nullptr, nullptr, &late, &time);
  if (!GST_CLOCK_TIME_IS_VALID(time)) return;
  const auto earliest = static_cast<GstClockTimeDiff>(time) + late;
  queue_->set_earliest(earliest > 0 ? static_cast<GstClockTime>(earliest) : 0);
}

void Stream::set_flushing(bool flushing) {
  std::lock_guard lock(flushing_mutex_);
  if (flushing) return halt(GST_FLOW_FLUSHING);
  if (closed_) return;
  flow_ = GST_FLOW_OK;
  flow_told_ = false;
  eos_received_ = false;
  discarding_ = false;
  forget_ = true;
  until_due_ = 0;
  session_->history().clear();  // running time begins anew
  session_->set_flushing(false);
  queue_->start();
}

bool Stream::reopen() {
  std::lock_guard lock(flushing_mutex_);
  if (closed_ || flow_ != GST_FLOW_NOT_LINKED) return false;
  flow_told_ = false;
  session_->set_flushing(false);
  queue_->start();
  flow_ = GST_FLOW_OK;  // last: until then a frame that comes in is refused for the right reason
  return true;
}

void Stream::close() {
  std::lock_guard lock(flushing_mutex_);
  closed_ = true;
  // In this order: a build that is cancelled must not let the EOS go that waits for it.
  halt(GST_FLOW_FLUSHING);
  session_->cancel();
}

void Stream::halt(GstFlowReturn flow) {
  flow_ = flow;
  queue_->stop(/*keep_segment=*/flow != GST_FLOW_FLUSHING);
  session_->set_flushing(true);
  session_->engine()->withdraw(*queue_);
}

bool Stream::stop(GstFlowReturn flow) {
  {
    std::lock_guard lock(flushing_mutex_);
    if (flow_ == GST_FLOW_FLUSHING) flow = GST_FLOW_FLUSHING;  // meanwhile; that goes before
    halt(flow);
  }
  const bool ended = eos_received_ && flow != GST_FLOW_FLUSHING;
  if (ended) tell(flow);
  return ended;
}

/// As queue does: of a flow that no chain returns upstream. Whoever returned ERROR has told.
void Stream::tell(GstFlowReturn flow) {
  const bool bad = flow == GST_FLOW_NOT_LINKED || flow < GST_FLOW_EOS;
  if (bad && flow != GST_FLOW_ERROR && !flow_told_.exchange(true))
    GST_ELEMENT_FLOW_ERROR(element_, flow);
}

// ---- src side -----------------------------------------------------------------------------------

GstFlowReturn Stream::send(Item item) {
  if (item.frame) return send(std::move(*item.frame));
  return item.event ? send(std::move(item.event)) : send(item.query);
}

/// The longest one counts, and fades: painted frames come after many that were not.
void Stream::note_report_time(gint64 start) {
  const auto taken = static_cast<GstClockTime>(g_get_monotonic_time() - start) * GST_USECOND;
  report_time_ = std::max<GstClockTime>(taken, report_time_ / 20 * 19);
}

GstFlowReturn Stream::send(Frame frame) {
  const gint64 start = g_get_monotonic_time();
  if (forget_.exchange(false)) reporter_.reset();
  auto late = queue_->take_late();
  for (const auto& done : {frame.finished ? frame.inspection : nullptr, late})
    if (const GError* error = done ? done->error() : nullptr) return fail(error);
  if (late) statistics_.count(*late);
  if (discarding_) return GST_FLOW_OK;
  BufferPtr buffer = reporter_.report(frame, std::move(late));
  statistics_.count(frame);
  note_report_time(start);
  const GstFlowReturn flow = gst_pad_push(srcpad_, buffer.release());
  if (flow != GST_FLOW_EOS) return flow;
  // Downstream has enough; the next chain says so, and the EOS that follows is still to pass.
  discarding_ = true;
  queue_->end_unless_restarted(flow_);
  return GST_FLOW_OK;
}

GstFlowReturn Stream::send(EventPtr event) {
  const GstEventType type = GST_EVENT_TYPE(event.get());
  reporter_.note(event.get());
  if (type == GST_EVENT_STREAM_START || type == GST_EVENT_SEGMENT) discarding_ = false;
  // A bank is built before EOS leaves, since an application stops the pipeline when it sees it.
  if (type == GST_EVENT_EOS && !session_->finish() && queue_->flushing()) return GST_FLOW_FLUSHING;
  gst_pad_push_event(srcpad_, event.release());
  return GST_FLOW_OK;
}

GstFlowReturn Stream::send(GstQuery* query) {
  const bool ok = gst_pad_peer_query(srcpad_, query);
  if (GST_QUERY_TYPE(query) == GST_QUERY_ALLOCATION) tell_held_frames(query);
  queue_->answer(ok);
  return GST_FLOW_OK;
}

/// Frames are held here: a pool that doesn't know of them would run dry.
void Stream::tell_held_frames(GstQuery* query) const {
  const guint held = held_;
  const guint pools = gst_query_get_n_allocation_pools(query);
  for (guint i = 0; i < pools; ++i) {
    GstBufferPool* pool;
    guint size, min, max;
    gst_query_parse_nth_allocation_pool(query, i, &pool, &size, &min, &max);
    gst_query_set_nth_allocation_pool(query, i, pool, size, min + held, max ? max + held : 0);
    if (pool) gst_object_unref(pool);
  }
  GstCaps* caps = nullptr;
  GstVideoInfo info;
  gst_query_parse_allocation(query, &caps, nullptr);
  if (pools == 0 && caps && gst_video_info_from_caps(&info, caps))
    gst_query_add_allocation_pool(query, nullptr, static_cast<guint>(info.size), held, 0);
  // A crop that is only noted on the buffer would have to be read here.
  guint index;
  while (gst_query_find_allocation_meta(query, GST_VIDEO_CROP_META_API_TYPE, &index))
    gst_query_remove_nth_allocation_meta(query, index);
}

}  // namespace gstpatchcore
