// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

namespace gstpatchcore {

/// How long some frames of a stream last, from when they come: gaps that a seek or a flush makes
/// backwards don't count.
class FrameSpan {
 public:
  /// running_time: of the next frame; GST_CLOCK_TIME_NONE: not known.
  void add(GstClockTime running_time) {
    const GstClockTime before = last_;
    last_ = running_time;
    if (!GST_CLOCK_TIME_IS_VALID(before) || !GST_CLOCK_TIME_IS_VALID(running_time) ||
        running_time <= before)
      return;
    total_ += running_time - before;
    ++steps_;
  }

  /// So many frames at the mean distance of those that came; 0: not known.
  gdouble seconds(guint64 frames) const {
    if (steps_ == 0) return 0;
    return static_cast<gdouble>(total_) / GST_SECOND / static_cast<gdouble>(steps_) *
           static_cast<gdouble>(frames);
  }

 private:
  GstClockTime last_ = GST_CLOCK_TIME_NONE;
  GstClockTime total_ = 0;
  guint64 steps_ = 0;
};

}  // namespace gstpatchcore
