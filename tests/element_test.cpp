// SPDX-License-Identifier: LGPL-2.1-or-later
#include "element_test.hpp"

#include <random>

namespace {

constexpr guint kSide = 128;
constexpr GstClockTime kDuration = GST_SECOND / 25;
constexpr const char* kCaps = "video/x-raw,format=GRAY8,width=128,height=128,framerate=25/1";

GstPadProbeReturn call_look(GstPad*, GstPadProbeInfo* info, gpointer look) {
  GstBuffer* buffer = GST_PAD_PROBE_INFO_BUFFER(info);
  (*static_cast<const Look*>(look))(buffer);
  GST_PAD_PROBE_INFO_DATA(info) = buffer;
  return GST_PAD_PROBE_OK;
}

/// look must outlive the pipeline.
void add_look(GstElement* pipeline, const std::string& where, const Look& look) {
  const auto dot = where.find('.');
  GstElement* element = gst_bin_get_by_name(GST_BIN(pipeline), where.substr(0, dot).c_str());
  g_assert_nonnull(element);
  GstPad* pad = gst_element_get_static_pad(element, where.substr(dot + 1).c_str());
  g_assert_nonnull(pad);
  gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, call_look, const_cast<Look*>(&look), nullptr);
  gst_object_unref(pad);
  gst_object_unref(element);
}

}  // namespace

GstBuffer* make_frame(guint index, bool defect) {
  GstBuffer* buffer = gst_buffer_new_allocate(nullptr, kSide * kSide, nullptr);
  GstMapInfo map;
  gst_buffer_map(buffer, &map, GST_MAP_WRITE);
  std::mt19937 noise(index);
  for (guint y = 0; y < kSide; ++y)
    for (guint x = 0; x < kSide; ++x)
      map.data[y * kSide + x] = static_cast<guint8>(80 + (x / 8 % 2) * 40 + noise() % 8);
  if (defect)
    for (guint y = 48; y < 64; ++y)
      for (guint x = 88; x < 104; ++x) map.data[y * kSide + x] = y % 4 < 2 ? 255 : 0;
  gst_buffer_unmap(buffer, &map);
  GST_BUFFER_PTS(buffer) = index * kDuration;
  GST_BUFFER_DURATION(buffer) = kDuration;
  return buffer;
}

ElementHarness::ElementHarness(const std::string& properties) : bus_(gst_bus_new()) {
  const std::string line = "patchcoredetect name=patchcore realtime=no " + properties;
  GstElement* element = gst_parse_launch(line.c_str(), nullptr);
  g_assert_nonnull(element);
  gst_element_set_bus(element, bus_);
  // The harness aborts where the element can't start; what that says is wanted here.
  started_ = gst_element_set_state(element, GST_STATE_PAUSED) != GST_STATE_CHANGE_FAILURE;
  if (started_) {
    harness_.reset(gst_harness_new_with_element(element, "sink", "src"));
    gst_harness_set_src_caps_str(harness_.get(), kCaps);
  }
  if (!started_) gst_element_set_state(element, GST_STATE_NULL);
  gst_object_unref(element);
}

ElementHarness::~ElementHarness() {
  harness_.reset();
  // A message that nobody took refers to the element, which refers to the bus.
  gst_bus_set_flushing(bus_, TRUE);
  gst_object_unref(bus_);
}

GstFlowReturn ElementHarness::push(guint index, bool defect, GstBufferFlags flags) {
  GstBuffer* frame = make_frame(index, defect);
  GST_BUFFER_FLAG_SET(frame, flags);
  return gst_harness_push(harness_.get(), frame);
}

std::shared_ptr<GstBuffer> ElementHarness::pull() {
  return {gst_harness_pull(harness_.get()), [](GstBuffer* b) {
            if (b) gst_buffer_unref(b);
          }};
}

void ElementHarness::end() {
  g_assert_true(gst_harness_push_event(harness_.get(), gst_event_new_eos()));
  for (bool ended = false; !ended;) {
    GstEvent* event = gst_harness_pull_event(harness_.get());
    g_assert_nonnull(event);
    ended = GST_EVENT_TYPE(event) == GST_EVENT_EOS;
    gst_event_unref(event);
  }
}

std::shared_ptr<GError> ElementHarness::error(GstClockTime timeout) {
  GstMessage* message = gst_bus_timed_pop_filtered(bus_, timeout, GST_MESSAGE_ERROR);
  if (!message) return nullptr;
  GError* error = nullptr;
  gst_message_parse_error(message, &error, nullptr);
  gst_message_unref(message);
  return {error, g_error_free};
}

void push_event(ElementHarness& h, GstEvent* event) {
  g_assert_true(gst_harness_push_event(h.get(), event));
}

void push_segment(ElementHarness& h, GstClockTime start, GstClockTime base) {
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  segment.start = segment.time = start;
  segment.base = base;
  push_event(h, gst_event_new_segment(&segment));
}

void trigger(ElementHarness& h) {
  push_event(h, gst_event_new_custom(GST_EVENT_CUSTOM_DOWNSTREAM,
                                     gst_structure_new_empty("patchcore-trigger")));
}

std::string pixels(GstBuffer* buffer) {
  GstMapInfo map;
  g_assert_true(gst_buffer_map(buffer, &map, GST_MAP_READ));
  std::string bytes(reinterpret_cast<const char*>(map.data), map.size);
  gst_buffer_unmap(buffer, &map);
  return bytes;
}

std::string original(guint index, bool defect) {
  GstBuffer* frame = make_frame(index, defect);
  std::string bytes = pixels(frame);
  gst_buffer_unref(frame);
  return bytes;
}

void fit_bank(const std::string& location, guint frames, const std::string& more) {
  ElementHarness fit("mode=fit input-size=128 bank-location=" + location + " " + more);
  g_assert_true(fit.started());
  for (guint i = 0; i < frames; ++i) g_assert_cmpint(fit.push(i), ==, GST_FLOW_OK);
  fit.end();
  g_assert_true(g_file_test(location.c_str(), G_FILE_TEST_IS_REGULAR));
}

const GstStructure* result_of(const std::shared_ptr<GstBuffer>& frame, guint index) {
  g_assert_nonnull(frame.get());
  const GstStructure* result = gst_patchcore_meta_get_result(frame.get(), index);
  g_assert_nonnull(result);
  return result;
}

std::string state_of(const std::shared_ptr<GstBuffer>& frame) {
  return text(result_of(frame), "state");
}

bool anomalous(const std::shared_ptr<GstBuffer>& frame) {
  gboolean value = FALSE;
  g_assert_true(gst_structure_get_boolean(result_of(frame), "anomalous", &value));
  return value;
}

double number(const GstStructure* structure, const char* field) {
  double value = 0;
  g_assert_true(gst_structure_get_double(structure, field, &value));
  return value;
}

guint64 whole_number(const GstStructure* structure, const char* field) {
  guint64 value = 0;
  g_assert_true(gst_structure_get_uint64(structure, field, &value));
  return value;
}

std::string text(const GstStructure* structure, const char* field) {
  const char* value = gst_structure_get_string(structure, field);
  g_assert_nonnull(value);
  return value;
}

std::shared_ptr<GstMessage> wait_for_message(GstBus* bus, const char* name) {
  for (;;) {
    GstMessage* message = gst_bus_timed_pop_filtered(bus, 60 * GST_SECOND, GST_MESSAGE_ELEMENT);
    g_assert_nonnull(message);
    std::shared_ptr<GstMessage> held(message, gst_message_unref);
    if (gst_message_has_name(message, name)) return held;
  }
}

std::vector<std::shared_ptr<GstMessage>> element_messages(GstBus* bus, const char* name) {
  std::vector<std::shared_ptr<GstMessage>> found;
  while (GstMessage* message = gst_bus_pop_filtered(bus, GST_MESSAGE_ELEMENT)) {
    std::shared_ptr<GstMessage> held(message, gst_message_unref);
    if (gst_message_has_name(message, name)) found.push_back(held);
  }
  return found;
}

std::string run_pipeline(const std::string& description,
                         std::vector<std::shared_ptr<GstMessage>>* elements,
                         const std::map<std::string, Look>& looks) {
  GError* error = nullptr;
  GstElement* pipeline = gst_parse_launch(description.c_str(), &error);
  g_assert_no_error(error);
  for (const auto& [where, look] : looks) add_look(pipeline, where, look);
  GstBus* bus = gst_element_get_bus(pipeline);
  std::string result;
  // An error is on the bus where the state change fails.
  gst_element_set_state(pipeline, GST_STATE_PLAYING);
  const auto wanted =
      static_cast<GstMessageType>(GST_MESSAGE_ERROR | GST_MESSAGE_EOS | GST_MESSAGE_ELEMENT);
  for (bool done = false; !done;) {
    std::shared_ptr<GstMessage> message(gst_bus_timed_pop_filtered(bus, 120 * GST_SECOND, wanted),
                                        [](GstMessage* m) {
                                          if (m) gst_message_unref(m);
                                        });
    if (!message) {
      result = "no end within two minutes";
      done = true;
    } else if (GST_MESSAGE_TYPE(message.get()) == GST_MESSAGE_ELEMENT) {
      if (elements && gst_message_has_name(message.get(), "patchcore"))
        elements->push_back(message);
    } else if (GST_MESSAGE_TYPE(message.get()) == GST_MESSAGE_ERROR) {
      gst_message_parse_error(message.get(), &error, nullptr);
      result = error->message;
      g_clear_error(&error);
      done = true;
    } else {
      done = true;
    }
  }
  gst_element_set_state(pipeline, GST_STATE_NULL);
  gst_object_unref(bus);
  gst_object_unref(pipeline);
  return result;
}
