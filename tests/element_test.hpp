// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/check/gstharness.h>
#include <gst/gst.h>

#include <memory>
#include <string>
#include <vector>

#include "../gst-plugin/gstpatchcoremeta.h"
#include "files.hpp"

struct HarnessTeardown {
  void operator()(GstHarness* h) const { gst_harness_teardown(h); }
};
using Harness = std::unique_ptr<GstHarness, HarnessTeardown>;

/// The element alone, in its own bus, fed with frames of 128 x 128 GRAY8 at 25 a second.
class ElementHarness {
 public:
  /// properties: as in a gst-launch-1.0 line, "mode=fit bank-location=x".
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

/// Fits a bank on frames 0..frames-1 and checks that it is there.
void fit_bank(const std::string& location, guint frames = 12, const std::string& more = "");

/// Runs a pipeline to its end. An error's message, or an empty string at EOS.
std::string run_pipeline(const std::string& description,
                         std::vector<std::shared_ptr<GstMessage>>* elements = nullptr);
