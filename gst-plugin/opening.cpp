// SPDX-License-Identifier: LGPL-2.1-or-later
#include "opening.hpp"

namespace gstpatchcore {

Opening::Opening(GstElement* element, std::shared_ptr<Stream> stream)
    : element_(GST_ELEMENT(gst_object_ref(element))), stream_(std::move(stream)) {}

Opening::~Opening() { gst_object_unref(element_); }

bool Opening::run() {
  Thread thread([self = shared_from_this()] { self->open(); });
  std::unique_lock lock(mutex_);
  ended_.wait(lock, [&] { return outcome_ != Outcome::Pending; });
  thread.retire();
  return outcome_ == Outcome::Opened;
}

void Opening::open() {
  try {
    end(stream_->session().open() ? Outcome::Opened : Outcome::Failed);
  } catch (const std::exception& error) {
    GST_ELEMENT_ERROR(element_, LIBRARY, FAILED, ("%s", error.what()), (nullptr));
    end(Outcome::Failed);
  }
}

void Opening::cancel() {
  stream_->session().cancel();
  end(Outcome::Failed);
}

/// The first word counts.
void Opening::end(Outcome outcome) {
  std::lock_guard lock(mutex_);
  if (outcome_ == Outcome::Pending) outcome_ = outcome;
  ended_.notify_all();
}

}  // namespace gstpatchcore
