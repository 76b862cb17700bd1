// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/check/gstharness.h>
#include <gst/gst.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "../gst-plugin/gstpatchcoremeta.h"
#include "files.hpp"

struct HarnessTeardown {
  void operator()(GstHarness* h) const { gst_harness_teardown(h); }
};
using Harness = std::unique_ptr<GstHarness, HarnessTeardown>;

/// From one frame of a harness to the next.
constexpr GstClockTime kFrame = GST_SECOND / 25;

/// The element alone, in its own bus, fed with frames of 128 x 128 GRAY8 at 25 a second.
class ElementHarness {
 public:
  /// properties: as in a gst-launch-1.0 line, "mode=fit bank-location=x". realtime=no unless they
  /// say otherwise: a harness pretends to be live, and its clock stands.
  explicit ElementHarness(const std::string& properties);
  ~ElementHarness();

  GstHarness* get() const { return harness_.get(); }
  GstElement* element() const { return harness_->element; }
  GstBus* bus() const { return bus_; }

  /// False where READY->PAUSED failed; an error is on the bus then.
  bool started() const { return started_; }

  /// Pushes frame number `index`: `level` with a seeded texture, and a bright square if `defect`.
  GstFlowReturn push(guint index, bool defect = false, GstBufferFlags flags = {});
  /// The next frame that leaves; waits for it. nullptr when none comes within a minute.
  std::shared_ptr<GstBuffer> pull();
  /// Pushes EOS and waits until it has left.
  void end();

  /// The first error on the bus: domain, code and text, or nullptr within `timeout`.
  std::shared_ptr<GError> error(GstClockTime timeout = 0);

 private:
  Harness harness_;
  GstBus* bus_;
  bool started_ = false;
};

/// One frame as the harness pushes it.
GstBuffer* make_frame(guint index, bool defect);

/// Its bytes.
std::string original(guint index, bool defect);

/// Events, which must be taken.
void push_event(ElementHarness& h, GstEvent* event);
void push_segment(ElementHarness& h, GstClockTime start = 0, GstClockTime base = 0);
/// Asks for the next frame to be inspected.
void trigger(ElementHarness& h);

/// The bytes of a buffer.
std::string pixels(GstBuffer* buffer);

/// Fits a bank on frames 0..frames-1 and checks that it is there.
void fit_bank(const std::string& location, guint frames = 12, const std::string& more = "");

/// A bank that a test uses, and its folder.
struct FittedBank {
  FittedBank() { fit_bank(location); }
  TemporaryFolder folder;
  std::string location = folder.file("bank.safetensors");
  std::string detect = "bank-location=" + location + " ";
};

/// What is said of a frame. Each of these ends the test where there is nothing to read.
const GstStructure* result_of(const std::shared_ptr<GstBuffer>& frame, guint index = 0);
std::string state_of(const std::shared_ptr<GstBuffer>& frame);
bool anomalous(const std::shared_ptr<GstBuffer>& frame);
double number(const GstStructure* structure, const char* field);
guint64 whole_number(const GstStructure* structure, const char* field);
std::string text(const GstStructure* structure, const char* field);

/// The next element message of this name; waits a minute for it, else ends the test.
std::shared_ptr<GstMessage> wait_for_message(GstBus* bus, const char* name);
/// Element messages of this name that are on the bus now; others are dropped.
std::vector<std::shared_ptr<GstMessage>> element_messages(GstBus* bus, const char* name);

/// Given a buffer that passes a pad; may put another one in its place. A streaming thread's.
using Look = std::function<void(GstBuffer*&)>;

/// Runs a pipeline to its end. An error's message, or an empty string at EOS. elements: the
/// messages "patchcore" that were posted. looks: what is called at which pads, named as
/// "element.pad".
std::string run_pipeline(const std::string& description,
                         std::vector<std::shared_ptr<GstMessage>>* elements = nullptr,
                         const std::map<std::string, Look>& looks = {});
