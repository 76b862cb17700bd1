// SPDX-License-Identifier: LGPL-2.1-or-later
#include "alarm.hpp"

namespace gstpatchcore {

Alarm::Change Alarm::update(const Sample& sample, guint frames) {
  if (sample.anomalous) {
    if (!rule_.on() && rule_.in_a_row() == 0) first_ = peak_ = sample;
    if (sample.value > peak_.value) peak_ = sample;
    last_ = sample;
  }
  return rule_.update(sample.anomalous, sample.below, frames);
}

Alarm::Change Alarm::end() {
  const bool was_on = rule_.on();
  rule_.reset();
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
