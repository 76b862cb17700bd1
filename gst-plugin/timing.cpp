// SPDX-License-Identifier: LGPL-2.1-or-later
#include "timing.hpp"

namespace gstpatchcore {
namespace {

/// From 1900, where NTP counts from, to 1970.
constexpr GstClockTime kNtpToUnix = G_GUINT64_CONSTANT(2208988800) * GST_SECOND;

GstClockTime reference_time(GstBuffer* buffer, const char* caps, GstClockTime epoch) {
  GstCaps* reference = gst_caps_new_empty_simple(caps);
  const auto* meta = gst_buffer_get_reference_timestamp_meta(buffer, reference);
  gst_caps_unref(reference);
  if (!meta || !GST_CLOCK_TIME_IS_VALID(meta->timestamp) || meta->timestamp < epoch)
    return GST_CLOCK_TIME_NONE;
  return meta->timestamp - epoch;
}

/// The pipeline's clock need not count from 1970: what it shows now is compared with the system's.
GstClockTime time_by_clock(GstElement* element, GstClockTime running_time) {
  GstClock* clock = gst_element_get_clock(element);
  const GstClockTime base = gst_element_get_base_time(element);
  if (!clock) return GST_CLOCK_TIME_NONE;
  const GstClockTime now = gst_clock_get_time(clock);
  gst_object_unref(clock);
  if (!GST_CLOCK_TIME_IS_VALID(running_time) || !GST_CLOCK_TIME_IS_VALID(base))
    return GST_CLOCK_TIME_NONE;
  const GstClockTimeDiff ago = GST_CLOCK_DIFF(base + running_time, now);
  return static_cast<GstClockTime>(g_get_real_time() * G_GINT64_CONSTANT(1000) - ago);
}

}  // namespace

Moment moment_of(GstElement* element, const GstSegment& segment, GstBuffer* buffer) {
  Moment moment;
  moment.timestamp = GST_BUFFER_PTS(buffer);
  moment.duration = GST_BUFFER_DURATION(buffer);
  if (segment.format == GST_FORMAT_TIME) {
    moment.stream_time = gst_segment_to_stream_time(&segment, GST_FORMAT_TIME, moment.timestamp);
    moment.running_time = gst_segment_to_running_time(&segment, GST_FORMAT_TIME, moment.timestamp);
  }
  moment.utc = reference_time(buffer, "timestamp/x-unix", 0);
  if (!GST_CLOCK_TIME_IS_VALID(moment.utc))
    moment.utc = reference_time(buffer, "timestamp/x-ntp", kNtpToUnix);
  if (!GST_CLOCK_TIME_IS_VALID(moment.utc))
    moment.utc = time_by_clock(element, moment.running_time);
  return moment;
}

void add_moment(GstStructure* structure, const Moment& moment) {
  gst_structure_set(structure, "timestamp", G_TYPE_UINT64, moment.timestamp, "stream-time",
                    G_TYPE_UINT64, moment.stream_time, "running-time", G_TYPE_UINT64,
                    moment.running_time, "duration", G_TYPE_UINT64, moment.duration, nullptr);
  if (GST_CLOCK_TIME_IS_VALID(moment.utc))
    gst_structure_set(structure, "utc", G_TYPE_UINT64, moment.utc, nullptr);
}

}  // namespace gstpatchcore
