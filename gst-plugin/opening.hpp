// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "stream.hpp"

namespace gstpatchcore {

/// READY->PAUSED: a session's open() in a thread of its own, so that it can be left alone. LibTorch
/// can't be stopped in the middle of loading weights or of a first batch.
class Opening : public std::enable_shared_from_this<Opening> {
 public:
  Opening(GstElement* element, std::shared_ptr<Stream> stream);
  ~Opening();

  /// Waits for the end. False: an error was posted, or cancel() was called.
  bool run();

  /// From any thread: run() returns at once, and what still goes on has no effect.
  void cancel();

 private:
  enum class Outcome { Pending, Opened, Failed };

  void open();
  void end(Outcome outcome);

  GstElement* const element_;  ///< a reference: the work may outlive the state change
  const std::shared_ptr<Stream> stream_;
  std::mutex mutex_;
  std::condition_variable ended_;
  Outcome outcome_ = Outcome::Pending;
};

}  // namespace gstpatchcore
