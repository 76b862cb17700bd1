// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <vector>

#include "batcher.hpp"
#include "thread.hpp"

namespace gstpatchcore {

/// The process's one inference thread for a network, shared by all elements that name the same
/// one; Batcher says what is inferred when.
class Engine {
 public:
  /// The engine of this network: a new one or the process's own. Any thread.
  static std::shared_ptr<Engine> get(const Backbone& backbone);

  explicit Engine(Backbone backbone);
  /// Does not wait for the batch that is being computed.
  ~Engine();

  /// Jobs of one listener and shape are done in the order of submission. Those of an inspection
  /// are submitted together.
  void submit(std::vector<Batcher::Entry> jobs);

  /// Forgets a listener's jobs that aren't being computed. They are never reported.
  void withdraw(const Listener& listener);

 private:
  using Batch = std::vector<Batcher::Entry>;

  /// What the thread works with, which may outlive the engine by one batch.
  struct State {
    Backbone backbone;
    std::mutex mutex;
    std::condition_variable work;
    Batcher batcher;
    bool stopping = false;
    guint64 batches = 0;
  };

  static void run(State& state);
  static void compute(State& state, const Batch& batch);

  const std::shared_ptr<State> state_;
  Thread thread_;
};

}  // namespace gstpatchcore
