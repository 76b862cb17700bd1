// SPDX-License-Identifier: LGPL-2.1-or-later
// What an application does with an element while frames pass.
#pragma once

#include "../element_test.hpp"

inline guint64 pts(const std::shared_ptr<GstBuffer>& frame) { return GST_BUFFER_PTS(frame.get()); }

inline guint64 result_pts(const std::shared_ptr<GstBuffer>& frame) {
  return whole_number(result_of(frame), "result-pts");
}

/// The states of the next frames, by their first letters.
inline std::string states(ElementHarness& h, guint frames) {
  std::string all;
  for (guint i = 0; i < frames; ++i) all += state_of(h.pull())[0];
  return all;
}

inline bool emit(ElementHarness& h, const char* signal) {
  gboolean accepted = FALSE;
  g_signal_emit_by_name(h.element(), signal, &accepted);
  return accepted;
}

inline bool save_bank(ElementHarness& h, const char* location) {
  gboolean accepted = FALSE;
  g_signal_emit_by_name(h.element(), "save-bank", location, &accepted);
  return accepted;
}

inline bool add_normal(ElementHarness& h, guint64 from, guint64 to) {
  gboolean accepted = FALSE;
  g_signal_emit_by_name(h.element(), "add-normal", from, to, &accepted);
  return accepted;
}

/// Waits for patchcore-done of this action. Its `success`.
inline bool done(ElementHarness& h, const char* action) {
  const auto message = wait_for_message(h.bus(), "patchcore-done");
  const GstStructure* s = gst_message_get_structure(message.get());
  assert_text(text(s, "action"), action);
  gboolean success = FALSE;
  ck_assert(gst_structure_get_boolean(s, "success", &success));
  return success;
}

inline std::string active_bank(ElementHarness& h) {
  gchar* location = nullptr;
  g_object_get(h.element(), "active-bank", &location, nullptr);
  const std::string text = location ? location : "";
  g_free(location);
  return text;
}

inline void wait_for_active_bank(ElementHarness& h, const std::string& location) {
  while (active_bank(h) != location) g_thread_yield();
}

inline void set_bank(ElementHarness& h, const std::string& location) {
  g_object_set(h.element(), "bank-location", location.c_str(), nullptr);
}

/// The first warning on the bus; waits for it.
inline std::shared_ptr<GError> warning(ElementHarness& h) {
  GstMessage* message = gst_bus_timed_pop_filtered(h.bus(), 60 * GST_SECOND, GST_MESSAGE_WARNING);
  ck_assert_ptr_nonnull(message);
  GError* error = nullptr;
  gst_message_parse_warning(message, &error, nullptr);
  gst_message_unref(message);
  return {error, g_error_free};
}

inline double score_of(ElementHarness& h, guint index, bool defect = false) {
  h.push(index, defect);
  return number(result_of(h.pull()), "score");
}

inline std::string bank_id(ElementHarness& h, guint index) {
  h.push(index);
  return text(result_of(h.pull()), "bank-id");
}

/// The types of the alarms on the bus, "start stop".
inline std::string alarms(ElementHarness& h) {
  std::string all;
  for (const auto& alarm : element_messages(h.bus(), "patchcore-alarm"))
    all += (all.empty() ? "" : " ") + text(gst_message_get_structure(alarm.get()), "type");
  return all;
}

inline std::string learn_line(const std::string& location, const char* mode) {
  return std::string("mode=") + mode + " input-size=128 bank-location=" + location + " ";
}
