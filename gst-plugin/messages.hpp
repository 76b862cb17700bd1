// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "handles.hpp"

namespace gstpatchcore {

/// Posts an error of libpatchcore in the domain that GStreamer has for it.
void post_error(GstElement* element, const GError* error);

/// Posts an error of libpatchcore as a warning, since the element goes on. consequence: a sentence.
void post_warning(GstElement* element, const GError* error, const char* consequence);

/// patchcore-fit: so many frames are learned.
void post_fit(GstElement* element, guint64 frames, guint64 of);

/// patchcore-outliers: what patchcore_fit_get_outliers() tells of a fit that was built; nothing
/// where there are none.
void post_outliers(GstElement* element, PatchcoreFit* fit, bool dropped);

/// patchcore-done: what an action signal asked for has come to its end.
void post_done(GstElement* element, const char* action, bool success);

/// Reports long work that ends without further frames: loading and building, and nothing else,
/// since a PROGRESS START while a pipeline prerolls on frames makes gst-launch-1.0 wait for ever.
/// Ends as an error unless complete() or cancel() was called.
class Progress {
 public:
  /// code: a stable word for programs; text: for a person. Posts START.
  Progress(GstElement* element, const char* code, const char* text);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// fraction: 0..1; posted at every tenth. Any one thread.
  void advance(gdouble fraction);
  void complete(const char* text) { finish(GST_PROGRESS_TYPE_COMPLETE, text); }
  void cancel() { finish(GST_PROGRESS_TYPE_CANCELED, "cancelled"); }

 private:
  void finish(GstProgressType type, const char* text);
  void post(GstProgressType type, const char* text);

  GstElement* element_;
  const char* code_;
  int percent_ = 0;
  bool finished_ = false;
};

}  // namespace gstpatchcore
