// SPDX-License-Identifier: LGPL-2.1-or-later
#include "reporter.hpp"

#include <algorithm>
#include <cmath>

#include "mapmeta.hpp"
#include "overlay.hpp"
#include "regions.hpp"
#include "verdict.hpp"

namespace gstpatchcore {
namespace {

/// The job whose verdict is worst.
const Job& worst(const Inspection& inspection, const Verdict& verdict) {
  return **std::max_element(inspection.jobs.begin(), inspection.jobs.end(),
                            [&](const auto& a, const auto& b) {
                              return verdict.value(a->result) < verdict.value(b->result);
                            });
}

}  // namespace

Reporter::Reporter(GstElement* element, Session& session) : element_(element), session_(session) {
  gst_segment_init(&segment_, GST_FORMAT_UNDEFINED);
}

void Reporter::note(GstEvent* event) {
  switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_STREAM_START: {
      reset();
      const gchar* id;
      gst_event_parse_stream_start(event, &id);
      stream_id_ = id;
      break;
    }
    case GST_EVENT_CAPS: {
      GstCaps* caps;
      gst_event_parse_caps(event, &caps);
      gst_video_info_from_caps(&info_, caps);
      painter_ = FramePainter::make(caps);
      last_.reset();  // its map is of another picture
      break;
    }
    case GST_EVENT_SEGMENT: gst_event_copy_segment(event, &segment_); break;
    case GST_EVENT_EOS: reset(); break;
    default: break;
  }
}

void Reporter::reset() {
  post_alarm(alarm_.end());
  last_.reset();
}

const std::string& Reporter::camera(const LiveConfig& live) const {
  return live.camera_id.empty() ? stream_id_ : live.camera_id;
}

BufferPtr Reporter::report(Frame& frame, std::shared_ptr<Inspection> late) {
  const LiveConfig& live = frame.live;
  const Moment moment = moment_of(element_, segment_, frame.buffer.get());
  if (frame.inspection) frame.inspection->moment = moment;
  if (late) take(std::move(late), live);
  settle(frame);
  const bool shows_last = frame.state == FrameState::Scored || frame.state == FrameState::Stale;
  const auto results = make_results(frame.state, shows_last ? last_.get() : frame.inspection.get(),
                                    live, camera(live));

  BufferPtr buffer(gst_buffer_make_writable(frame.buffer.release()));
  const guint first = attach_results(buffer.get(), results);
  if (shows_last) mark(buffer.get(), first, live);
  if (live.post_messages && frame.state != FrameState::None)
    for (const StructurePtr& result : results) post_result(element_, moment, result.get());
  return buffer;
}

/// What the frame came to, now that it leaves.
void Reporter::settle(Frame& frame) {
  // What scored the frames before is gone.
  if (frame.state == FrameState::Learning || frame.state == FrameState::Building) reset();
  if (frame.state == FrameState::Learning) {
    session_.tell_learned(frame.finished ? frame.inspection->ticket.get() : nullptr);
    if (!frame.finished) frame.state = FrameState::None;
  }
  if (frame.state == FrameState::Scored) {
    if (frame.finished)
      take(frame.inspection, frame.live);
    else
      frame.state = FrameState::Stale;
  }
  if (frame.state == FrameState::Stale && !last_) frame.state = FrameState::None;
  // What isn't done may still change.
  if (!frame.finished) frame.inspection.reset();
}

void Reporter::take(std::shared_ptr<Inspection> scored, const LiveConfig& live) {
  if (last_ && last_->number > scored->number) return;    // it comes later than a newer one
  if (last_ && last_->scorer != scored->scorer) reset();  // scores of two banks don't compare
  last_ = std::move(scored);
  keep_patches(*last_);
  update_alarm(*last_, live);
}

void Reporter::keep_patches(const Inspection& inspection) {
  for (const auto& job : inspection.jobs)
    if (job->result.patches)
      session_.history().add({inspection.moment.running_time,
                              {g_bytes_ref(job->result.patches), g_bytes_unref},
                              job->keep_above,
                              inspection.scorer->lineage,
                              {g_bytes_ref(job->result.cells), g_bytes_unref}});
}

/// Puts the last result's maps, regions and overlay on a frame, whose results begin at `first`.
void Reporter::mark(GstBuffer* buffer, guint first, const LiveConfig& live) {
  const guint width = GST_VIDEO_INFO_WIDTH(&info_), height = GST_VIDEO_INFO_HEIGHT(&info_);
  const PatchcoreBankInfo& bank = last_->scorer->info;
  OverlayPainter overlay(info_, live);
  for (guint i = 0; i < last_->jobs.size(); ++i) {
    const Job& job = *last_->jobs[i];
    const PatchcoreResult& r = job.result;
    if (live.attach_map)
      attach_map(buffer, first + i, r.map, r.map_width, r.map_height,
                 {job.region.x * width, job.region.y * height, job.region.w * width,
                  job.region.h * height});
    if (is_marked(job, *last_->scorer, live)) {
      if (bank.calibrated && live.region_meta != RegionMeta::None)
        attach_regions(buffer, find_regions(r, job.region, bank.pixel_threshold, bank), width,
                       height, first + i, live.region_meta);
      overlay.add_map(job, bank);
    }
    if (live.label) overlay.add_score(job, bank, Verdict(bank, live).anomalous(r));
  }
  if (painter_ && !overlay.pictures().empty() && !painter_->paint(buffer, overlay.pictures()))
    GST_WARNING_OBJECT(element_, "a frame could not be painted on");
}

void Reporter::update_alarm(const Inspection& scored, const LiveConfig& live) {
  const Verdict verdict(scored.scorer->info, live);
  if (verdict.scale() == Verdict::Scale::None) return;
  const Job& job = worst(scored, verdict);
  const PatchcoreResult& r = job.result;
  const gdouble value = verdict.value(r);
  if (!alarm_.on()) alarm_camera_ = camera(live);
  post_alarm(alarm_.update({scored.moment, r.score, r.normalized_score,
                            job.region.to_frame_x(r.peak_x), job.region.to_frame_y(r.peak_y), value,
                            verdict.anomalous(r), value < verdict.release(live.alarm_hysteresis)},
                           live.alarm_frames));
}

void Reporter::post_alarm(Alarm::Change change) {
  if (change == Alarm::Change::None) return;
  const bool start = change == Alarm::Change::Start;
  const Alarm::Sample& peak = alarm_.peak();
  GstStructure* message =
      gst_structure_new("patchcore-alarm", "type", G_TYPE_STRING, start ? "start" : "stop",
                        "camera-id", G_TYPE_STRING, alarm_camera_.c_str(), "score", G_TYPE_DOUBLE,
                        peak.score, "peak-x", G_TYPE_DOUBLE, peak.peak_x, "peak-y", G_TYPE_DOUBLE,
                        peak.peak_y, "peak-timestamp", G_TYPE_UINT64, peak.moment.timestamp,
                        "peak-running-time", G_TYPE_UINT64, peak.moment.running_time, nullptr);
  if (!std::isnan(peak.normalized_score))
    gst_structure_set(message, "normalized-score", G_TYPE_DOUBLE, peak.normalized_score, nullptr);
  add_moment(message, alarm_.span());
  gst_element_post_message(element_, gst_message_new_element(GST_OBJECT(element_), message));
}

}  // namespace gstpatchcore
