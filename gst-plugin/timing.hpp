// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

namespace gstpatchcore {

/// When a buffer is, in every way that programs ask for; GST_CLOCK_TIME_NONE: not known.
struct Moment {
  GstClockTime timestamp = GST_CLOCK_TIME_NONE;     ///< its PTS
  GstClockTime stream_time = GST_CLOCK_TIME_NONE;   ///< the PTS in it
  GstClockTime running_time = GST_CLOCK_TIME_NONE;  ///< the PTS in it
  GstClockTime duration = GST_CLOCK_TIME_NONE;
  GstClockTime utc = GST_CLOCK_TIME_NONE;  ///< nanoseconds since 1970
};

/// UTC is what a GstReferenceTimestampMeta in Unix or NTP time says (rtspsrc adds one with
/// add-reference-timestamp-meta), else when the frame is due on the element's clock, told by the
/// system's.
Moment moment_of(GstElement* element, const GstSegment& segment, GstBuffer* buffer);

/// The fields timestamp, stream-time, running-time and duration, as the messages of `level` have
/// them, and utc where it is known.
void add_moment(GstStructure* structure, const Moment& moment);

}  // namespace gstpatchcore
