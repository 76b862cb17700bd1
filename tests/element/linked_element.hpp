// SPDX-License-Identifier: LGPL-2.1-or-later
// For programs into which the element is linked, so that a test can hold its engine still.
#pragma once

#include <gstpatchcoredetect.h>

#include <engine.hpp>
#include <mapmeta.hpp>
#include <result.hpp>
#include <semaphore>

inline void register_linked_element() {
  gstpatchcore::register_meta();
  gstpatchcore::register_map_meta();
  GST_ELEMENT_REGISTER(patchcoredetect, nullptr);
}

/// Keeps the engine of the built-in network from doing anything, for as long as a test wants.
class BusyEngine {
 public:
  BusyEngine()
      : backbone_(gstpatchcore::library().patchcore_backbone_get(&options_, nullptr)),
        fit_(gstpatchcore::library().patchcore_fit_new(backbone_.get(), &fit_options_, nullptr)),
        engine_(gstpatchcore::Engine::get(backbone_)) {
    hold();
  }
  ~BusyEngine() { release(); }

  /// All that was submitted before is done first.
  void hold() {
    auto next = std::make_shared<Gate>();
    engine_->submit({{job(), next}});
    if (gate_) gate_->leave.release();
    next->entered.acquire();
    gate_ = next;
  }
  gstpatchcore::Engine& engine() { return *engine_; }
  /// Something that the engine can do.
  std::shared_ptr<gstpatchcore::Job> job() const {
    auto job = std::make_shared<gstpatchcore::Job>();
    job->width = job->height = 32;
    job->rgb.resize(3 * 32 * 32);
    job->fit = fit_;
    return job;
  }
  void release() {
    if (gate_) gate_->leave.release();
    gate_ = nullptr;
  }

 private:
  struct Gate : gstpatchcore::Listener {
    GstClockTimeDiff time_left(const gstpatchcore::Job&) const override { return G_MAXINT64; }
    void job_done(gstpatchcore::Job&) override {
      entered.release();
      leave.acquire();
    }
    std::binary_semaphore entered{0}, leave{0};
  };

  const PatchcoreBackboneOptions options_{};
  const PatchcoreFitOptions fit_options_{};
  const gstpatchcore::Backbone backbone_;
  const gstpatchcore::Fit fit_;
  const std::shared_ptr<gstpatchcore::Engine> engine_;
  std::shared_ptr<Gate> gate_;
};
