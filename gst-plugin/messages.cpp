// SPDX-License-Identifier: LGPL-2.1-or-later
#include "messages.hpp"

#include <string>
#include <vector>

#include "result.hpp"

namespace gstpatchcore {
namespace {

struct DomainCode {
  GQuark domain;
  int code;
};

DomainCode translate(const GError* error) {
  const DomainCode failed{GST_STREAM_ERROR, GST_STREAM_ERROR_FAILED};
  if (error->domain != library().patchcore_error_quark()) return {error->domain, error->code};
  switch (static_cast<PatchcoreError>(error->code)) {
    case PATCHCORE_ERROR_INVALID_ARGUMENT: return {GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS};
    case PATCHCORE_ERROR_NOT_FOUND: return {GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_FOUND};
    case PATCHCORE_ERROR_OPEN_READ: return {GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_OPEN_READ};
    case PATCHCORE_ERROR_INCOMPATIBLE: return {GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS};
    case PATCHCORE_ERROR_INIT: return {GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_INIT};
    case PATCHCORE_ERROR_WRITE: return {GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_WRITE};
    case PATCHCORE_ERROR_NO_SPACE: return {GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NO_SPACE_LEFT};
    case PATCHCORE_ERROR_FAILED:
    case PATCHCORE_ERROR_CANCELLED: break;
  }
  return failed;
}

}  // namespace

void post_error(GstElement* element, const GError* error) {
  const DomainCode as = translate(error);
  gst_element_message_full(element, GST_MESSAGE_ERROR, as.domain, as.code, g_strdup(error->message),
                           nullptr, __FILE__, GST_FUNCTION, __LINE__);
}

void post_warning(GstElement* element, const GError* error, const char* consequence) {
  const DomainCode as = translate(error);
  gst_element_message_full(element, GST_MESSAGE_WARNING, as.domain, as.code,
                           g_strdup_printf("%s %s", error->message, consequence), nullptr, __FILE__,
                           GST_FUNCTION, __LINE__);
}

void post_fit(GstElement* element, guint64 frames, guint64 of) {
  gst_element_post_message(
      element,
      gst_message_new_element(GST_OBJECT(element),
                              gst_structure_new("patchcore-fit", "frames", G_TYPE_UINT64, frames,
                                                "of", G_TYPE_UINT64, of, nullptr)));
}

void post_outliers(GstElement* element, PatchcoreFit* fit, bool dropped) {
  gdouble limit = 0;
  std::vector<PatchcoreOutlier> outliers(
      library().patchcore_fit_get_outliers(fit, nullptr, 0, &limit));
  if (outliers.empty()) return;
  library().patchcore_fit_get_outliers(fit, outliers.data(), static_cast<guint>(outliers.size()),
                                       nullptr);
  GValue list = G_VALUE_INIT;
  gst_value_list_init(&list, static_cast<guint>(outliers.size()));
  for (const PatchcoreOutlier& outlier : outliers) {
    const StructurePtr one(gst_structure_new("outlier", "frame", G_TYPE_UINT64, outlier.frame,
                                             "score", G_TYPE_DOUBLE, outlier.score, nullptr));
    append_structure(&list, one.get());
  }
  GstStructure* message = gst_structure_new("patchcore-outliers", "limit", G_TYPE_DOUBLE, limit,
                                            "dropped", G_TYPE_BOOLEAN, dropped, nullptr);
  gst_structure_take_value(message, "outliers", &list);
  gst_element_post_message(element, gst_message_new_element(GST_OBJECT(element), message));
}

void post_done(GstElement* element, const char* action, bool success) {
  gst_element_post_message(
      element,
      gst_message_new_element(GST_OBJECT(element),
                              gst_structure_new("patchcore-done", "action", G_TYPE_STRING, action,
                                                "success", G_TYPE_BOOLEAN, success, nullptr)));
}

Progress::Progress(GstElement* element, const char* code, const char* text)
    : element_(element), code_(code) {
  post(GST_PROGRESS_TYPE_START, text);
}

Progress::~Progress() {
  if (!finished_) finish(GST_PROGRESS_TYPE_ERROR, "failed");
}

void Progress::advance(gdouble fraction) {
  const int percent = static_cast<int>(fraction * 100);
  if (percent < percent_ + 10 || finished_) return;
  percent_ = percent;
  post(GST_PROGRESS_TYPE_CONTINUE, (std::to_string(percent) + " %").c_str());
}

void Progress::finish(GstProgressType type, const char* text) {
  if (finished_) return;
  finished_ = true;
  post(type, text);
}

void Progress::post(GstProgressType type, const char* text) {
  GstMessage* message = gst_message_new_progress(GST_OBJECT(element_), type, code_, text);
  if (type == GST_PROGRESS_TYPE_CONTINUE)
    gst_structure_set(gst_message_writable_structure(message), "percent", G_TYPE_INT, percent_,
                      nullptr);
  gst_element_post_message(element_, message);
}

}  // namespace gstpatchcore
