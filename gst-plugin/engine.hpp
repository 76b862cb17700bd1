// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "handles.hpp"

namespace gstpatchcore {

/// Where the network's input lies in the frame, in fractions of it.
struct Region {
  gdouble x = 0, y = 0, w = 1, h = 1;

  gdouble to_frame_x(gdouble input_x) const { return x + w * input_x; }
  gdouble to_frame_y(gdouble input_y) const { return y + h * input_y; }
};

/// One prepared frame on its way through the engine. The sink pad's thread makes it, the engine's
/// thread fills in the outcome, the src pad's task reads that once the listener was told.
struct Job {
  ~Job() {
    if (result.map) library().patchcore_result_clear(&result);
  }

  std::vector<guint8> rgb;
  guint width = 0, height = 0;  ///< of rgb
  Region region;
  Detector detector;  ///< one of the two
  Fit fit;
  guint batch_size = 1;  ///< the most that its element wants in one batch

  PatchcoreResult result{};
  ErrorPtr error;
  GstClockTime inference_time = 0;  ///< of the batch that it was in
  bool done = false;                ///< the listener's, under its lock
};

/// Told when a job is done. Lives as long as any job that may tell it.
class Listener {
 public:
  virtual ~Listener() = default;
  /// From the engine's thread, which must not be held up: store and signal, nothing else.
  virtual void job_done(Job& job) = 0;
};

/// The process's one inference thread for a network, shared by all elements that name the same
/// one. Batching is continuous: while a batch is computed jobs gather, and the next batch is what
/// has gathered of the oldest job's size. A lone stream so has the latency of one frame and a
/// loaded machine full batches, and nobody waits for a timer.
class Engine {
 public:
  /// The engine of this network: a new one or the process's own. Any thread.
  static std::shared_ptr<Engine> get(const Backbone& backbone);

  explicit Engine(Backbone backbone);
  ~Engine();

  /// Jobs of one listener are done in the order of submission.
  void submit(std::shared_ptr<Job> job, std::shared_ptr<Listener> listener);

  /// Forgets a listener's jobs that aren't being computed. They are never reported.
  void withdraw(const Listener& listener);

 private:
  struct Entry {
    std::shared_ptr<Job> job;
    std::shared_ptr<Listener> listener;
  };

  void run();
  std::vector<Entry> take_batch();
  void compute(std::vector<Entry>& batch);

  Backbone backbone_;
  std::mutex mutex_;
  std::condition_variable work_;
  std::deque<Entry> waiting_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace gstpatchcore
