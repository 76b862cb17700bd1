// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "config.hpp"
#include "framequeue.hpp"
#include "handles.hpp"

namespace gstpatchcore {

/// What a frame is for, decided when it comes in.
struct Purpose {
  FrameState state = FrameState::None;
  Detector detector;  ///< one of the two where there is something to infer
  Fit fit;
  bool last_of_fit = false;

  /// How its frame is to be prepared; nullptr: not at all.
  const PatchcorePreprocess* preprocess() const;
};

/// What an element does with its frames between READY and the next READY: learns a bank, scores
/// with one, or the one and then the other. Loading happens in open(), building in a thread of its
/// own; both tell the bus.
class Session {
 public:
  Session(GstElement* element, Config config);
  ~Session();

  /// Loads the network and, where there is one, the bank; then runs a batch, so that the first
  /// frame finds everything warm. False: an error was posted.
  bool open();

  /// From another thread: a build or a save ends within 200 ms, unfinished.
  void cancel();

  const std::shared_ptr<Engine>& engine() const { return engine_; }
  const Config& config() const { return config_; }

  /// Twice the time that a full batch took when it was warm.
  GstClockTime latency() const { return latency_; }

  /// The bank that scores. Thresholds are zero where there is none.
  PatchcoreBankInfo bank_info() const;

  /// Sink side, once a frame: what is it for? While a bank is built a live stream's frames pass and
  /// others wait, so that none of them goes unscored. False: flushing, or failed().
  bool admit(bool live, Purpose* purpose);

  /// Fitting or building failed, and an error was posted: nothing is admitted any more.
  bool failed() const;

  /// Src side: the last frame of the fit is done, its patches are in. False: an error was posted.
  bool start_build();

  /// Src side, at EOS: builds what was gathered and waits for a build that runs. False: flushing,
  /// or an error was posted.
  bool finish();

  /// Ends and forbids waits, or allows them again. Frames of the fit that were dropped between the
  /// pads are waited for anew.
  void set_flushing(bool flushing);

 private:
  enum class Phase { Learning, Full, Building, Detecting, Done, Failed };

  bool open_for_detect();
  bool open_for_fit();
  bool warm_up();
  bool fail(const ErrorPtr& error);
  bool check_bank_location(bool for_writing);
  bool finish_learning();
  void build();
  bool build_and_save(Bank* bank);
  void set_phase(Phase phase);

  GstElement* const element_;
  const Config config_;
  Backbone backbone_;
  std::shared_ptr<Engine> engine_;
  GstClockTime latency_ = 0;

  GCancellable* const cancellable_ = g_cancellable_new();
  mutable std::mutex mutex_;  ///< guards what follows
  std::condition_variable changed_;
  Phase phase_ = Phase::Done;
  bool flushing_ = false;
  guint admitted_ = 0;  ///< frames given to the fit
  Fit fit_;             ///< until its bank is built
  Detector detector_;   ///< while Detecting
  Bank bank_;           ///< of detector_
  std::thread builder_;
};

}  // namespace gstpatchcore
