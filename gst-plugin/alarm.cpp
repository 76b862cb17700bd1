// SPDX-License-Identifier: LGPL-2.1-or-later
#include "alarm.hpp"

namespace gstpatchcore {

Alarm::Change Alarm::update(const Sample& sample, guint frames) {
  const bool speaks = on_ ? sample.below : sample.anomalous;
  if (sample.anomalous) {
    if (!on_ && in_a_row_ == 0) first_ = peak_ = sample;
    if (sample.value > peak_.value) peak_ = sample;
    last_ = sample;
  }
  in_a_row_ = speaks ? in_a_row_ + 1 : 0;
  if (in_a_row_ < frames) return Change::None;
  in_a_row_ = 0;
  on_ = !on_;
  return on_ ? Change::Start : Change::Stop;
}

Alarm::Change Alarm::end() {
  in_a_row_ = 0;
  const bool was_on = on_;
  on_ = false;
  return was_on ? Change::Stop : Change::None;
}

Moment Alarm::span() const {
  Moment span = first_.moment;
  const Moment& last = last_.moment;
  if (GST_CLOCK_TIME_IS_VALID(span.running_time) && GST_CLOCK_TIME_IS_VALID(last.running_time)) {
    const GstClockTime end = GST_CLOCK_TIME_IS_VALID(last.duration) ? last.duration : 0;
    span.duration = last.running_time + end - span.running_time;
  }
  return span;
}

}  // namespace gstpatchcore
