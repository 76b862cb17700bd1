// SPDX-License-Identifier: LGPL-2.1-or-later
#include "clockalarm.hpp"

namespace gstpatchcore {

ClockAlarm::ClockAlarm(std::function<void()> ring) : ring_(std::make_shared<Ring>()) {
  ring_->ring = std::move(ring);
}

ClockAlarm::~ClockAlarm() {
  set_clock(nullptr);
  std::lock_guard lock(ring_->mutex);  // one that rings right now is waited for
  ring_->ring = nullptr;
}

void ClockAlarm::set_clock(GstClock* clock) {
  std::lock_guard lock(mutex_);
  if (clock == clock_) return;
  forget();
  gst_object_replace(reinterpret_cast<GstObject**>(&clock_), GST_OBJECT_CAST(clock));
}

GstClock* ClockAlarm::clock() const {
  std::lock_guard lock(mutex_);
  return clock_ ? GST_CLOCK_CAST(gst_object_ref(clock_)) : nullptr;
}

GstClockTime ClockAlarm::now() const {
  GstClock* clock = this->clock();
  if (!clock) return GST_CLOCK_TIME_NONE;
  const GstClockTime time = gst_clock_get_time(clock);
  gst_object_unref(clock);
  return time;
}

void ClockAlarm::set(GstClockTime time) {
  std::lock_guard lock(mutex_);
  if (alarm_ && gst_clock_id_get_time(alarm_) == time) return;
  forget();
  if (!clock_) return;
  alarm_ = gst_clock_new_single_shot_id(clock_, time);
  gst_clock_id_wait_async(
      alarm_,
      [](GstClock*, GstClockTime, GstClockID, gpointer data) -> gboolean {
        Ring& ring = **static_cast<std::shared_ptr<Ring>*>(data);
        std::lock_guard lock(ring.mutex);
        if (ring.ring) ring.ring();
        return TRUE;
      },
      new std::shared_ptr<Ring>(ring_),
      [](gpointer data) { delete static_cast<std::shared_ptr<Ring>*>(data); });
}

void ClockAlarm::cancel() {
  std::lock_guard lock(mutex_);
  forget();
}

void ClockAlarm::forget() {
  if (!alarm_) return;
  gst_clock_id_unschedule(alarm_);
  gst_clock_id_unref(alarm_);
  alarm_ = nullptr;
}

}  // namespace gstpatchcore
