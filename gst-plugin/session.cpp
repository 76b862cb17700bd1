// SPDX-License-Identifier: LGPL-2.1-or-later
// How a session begins, and the way of the frames through it; sessionactions.cpp has the rest.
#include "session.hpp"

#include <glib/gstdio.h>
#include <unistd.h>

#include "messages.hpp"

namespace gstpatchcore {

Preparation Purpose::preparation() const {
  const Library& lib = library();
  if (scorer)
    return {lib.patchcore_detector_get_preprocess(scorer->detector.get()),
            lib.patchcore_detector_takes_cuda_values(scorer->detector.get()) != FALSE};
  if (fit)
    return {lib.patchcore_fit_get_preprocess(fit.get()),
            lib.patchcore_fit_takes_cuda_values(fit.get()) != FALSE};
  return {};
}

Session::Session(GstElement* element, Config config)
    : element_(element),
      config_(std::move(config)),
      history_(config_.history_bytes),
      bank_location_(config_.bank()),
      goal_(config_.fit_frames) {}

Session::~Session() {
  cancel();
  worker_.end();
  g_object_unref(cancellable_);
}

// ---- beginning and end --------------------------------------------------------------------------

bool Session::fail(const GError* error) const {
  // Who cancels knows, and isn't told.
  if (!g_cancellable_is_cancelled(cancellable_)) post_error(element_, error);
  return false;
}

bool Session::exists(const BankLocation& location) {
  return library().patchcore_bank_exists(location.file.c_str(), location.name.c_str()) != FALSE;
}

bool Session::learns_first() const {
  return config_.mode == Mode::Fit || (config_.mode == Mode::Auto && !exists(config_.bank()));
}

bool Session::open() {
  const bool learn = learns_first();  // asked once: a file may come meanwhile
  if (!check_bank_location(learn)) return false;
  Progress progress(element_, "load",
                    learn ? "loading the network" : "loading the bank and its network");
  ErrorPtr error;
  if (!open_model(learn, error.out())) {
    if (g_cancellable_is_cancelled(cancellable_)) progress.cancel();
    return fail(error.get());
  }
  progress.complete("loaded");
  return true;
}

bool Session::open_model(bool learn, GError** error) {
  model_ = Model::open(config_, learn ? BankLocation() : config_.bank(), cancellable_, error);
  if (!model_) return false;
  if (!learn) {
    use(model_->scorer(), /*loaded=*/true);
    return true;
  }
  fit_ = model_->make_fit(/*like=*/{}, error);
  phase_ = Phase::Learning;
  return fit_ && model_->load_mask(config_.bank(), &fit_mask_, error);
}

/// Told at once, and not when a fit of hours is to be saved.
bool Session::check_bank_location(bool learn) const {
  if (config_.bank_location.empty()) {
    GST_ELEMENT_ERROR(element_, RESOURCE, SETTINGS,
                      ("No bank: set bank-location to a file to read, or to write in mode=fit."),
                      (nullptr));
    return false;
  }
  if (!learn) return true;
  const char* file = config_.bank_location.c_str();
  const CharPtr folder(g_path_get_dirname(file));
  if (!g_file_test(folder.get(), G_FILE_TEST_IS_DIR))
    errno = ENOTDIR;
  else if (g_file_test(file, G_FILE_TEST_IS_DIR))
    errno = EISDIR;
  else if (g_access(folder.get(), W_OK) == 0)
    return check_room();
  GST_ELEMENT_ERROR(element_, RESOURCE, WRITE,
                    ("Can't write the bank \"%s\": %s.", file, g_strerror(errno)), (nullptr));
  return false;
}

bool Session::check_room() const {
  ErrorPtr error;
  return library().patchcore_bank_check_room(config_.bank_location.c_str(),
                                             config_.bank_name.c_str(), error.out()) != FALSE ||
         fail(error.get());
}

void Session::cancel() {
  g_cancellable_cancel(cancellable_);
  worker_.stop();
  set_flushing(true);
}

GstClockTime Session::max_latency() const {
  return config_.max_latency ? config_.max_latency : 2 * model_->batch_time();
}

void Session::set_frame_size(guint width, guint height) {
  std::lock_guard lock(mutex_);
  frame_width_ = width;
  frame_height_ = height;
}

std::shared_ptr<const Scorer> Session::scorer() const {
  std::lock_guard lock(mutex_);
  return scorer_;
}

// ---- the way of the frames ----------------------------------------------------------------------

bool Session::detecting() const {
  std::lock_guard lock(mutex_);
  return phase_ == Phase::Detecting;
}

bool Session::failed() const {
  std::lock_guard lock(mutex_);
  return phase_ == Phase::Failed;
}

bool Session::admit(const LiveConfig& live, GstClockTime running_time, bool may_wait,
                    Purpose* purpose) {
  std::unique_lock lock(mutex_);
  if (may_wait && config_.mode == Mode::Auto)
    changed_.wait(lock, [&] { return flushing_ || !building(); });
  if (flushing_ || phase_ == Phase::Failed) return false;
  if (phase_ == Phase::Detecting) {
    *purpose = {FrameState::Scored, scorer_, {}, {}, nullptr};
  } else if (phase_ == Phase::Learning) {
    *purpose = {FrameState::Learning, nullptr, fit_, fit_mask_, make_ticket()};
    span_.add(running_time);
    alarm_frames_ = live.alarm_frames;
    alarm_hysteresis_ = live.alarm_hysteresis;
    if (learned_ + pending_ >= goal_) phase_ = Phase::Full;
  } else {
    *purpose = {building() ? FrameState::Building : FrameState::None, nullptr, {}, {}, nullptr};
  }
  return true;
}

/// A frame that is flushed or skipped hands its ticket back without having been learned, and
/// another one takes its place.
std::shared_ptr<Ticket> Session::make_ticket() {
  struct Returning : Ticket {
    Returning(guint64 of, std::weak_ptr<Session> to) : Ticket(of), session(std::move(to)) {}
    ~Returning() override {
      if (const auto s = session.lock()) s->ticket_returned(*this);
    }
    std::weak_ptr<Session> session;
  };
  ++pending_;
  return std::make_shared<Returning>(round_, weak_from_this());
}

void Session::ticket_returned(const Ticket& ticket) {
  std::lock_guard lock(mutex_);
  if (ticket.round != round_) return;
  --pending_;
  learned_ += ticket.learned;
  told_ += ticket.learned && !ticket.told;
  if (phase_ == Phase::Full) build_when_all_are_in();
  changed_.notify_all();
}

void Session::build_when_all_are_in() {
  if (pending_ == 0) worker_.submit([this] { build_if_complete(); });
}

void Session::tell_learned(Ticket* learned) {
  const guint64 of = config_.fit_frames;
  guint64 frames;
  {
    std::lock_guard lock(mutex_);
    if (learned && learned->round == round_ && !std::exchange(learned->told, true)) ++told_;
    frames = told_;
    // A hundred messages a fit at most.
    if (frames * 100 / of == std::exchange(told_percent_, frames * 100 / of)) return;
  }
  post_fit(element_, frames, of);
}

bool Session::finish() {
  std::unique_lock lock(mutex_);
  // A fit that was full learns again where frames of it were skipped.
  while (!flushing_ && (phase_ == Phase::Learning || building())) {
    const bool learning = phase_ == Phase::Learning;
    // Frames that left before they were learned are waited for.
    changed_.wait(lock, [&] {
      return flushing_ || (learning ? pending_ == 0 || phase_ != Phase::Learning : !building());
    });
    if (!flushing_ && phase_ == Phase::Learning && pending_ == 0) end_gathering(lock);
  }
  return !flushing_ && phase_ != Phase::Failed;
}

/// At EOS. Lets go of the lock while it tells the bus.
void Session::end_gathering(std::unique_lock<std::mutex>& lock) {
  const guint64 frames = learned_;
  phase_ = frames > 0 ? Phase::Full : Phase::Failed;
  goal_ = 1;
  lock.unlock();
  check_gathered(frames);
  lock.lock();
  if (phase_ == Phase::Full) build_when_all_are_in();
}

bool Session::check_gathered(guint64 frames) {
  if (frames == 0) {
    GST_ELEMENT_ERROR(element_, STREAM, FAILED,
                      ("The stream ended before there was a frame to make a bank of; \"%s\" was "
                       "not written.",
                       config_.bank().shown().c_str()),
                      (nullptr));
    return false;
  }
  if (config_.mode == Mode::Auto)
    GST_ELEMENT_WARNING(element_, STREAM, FAILED,
                        ("The stream ended after %" G_GUINT64_FORMAT " of %u frames; the bank is "
                         "made of these.",
                         frames, config_.fit_frames),
                        (nullptr));
  return true;
}

void Session::set_flushing(bool flushing) {
  std::lock_guard lock(mutex_);
  flushing_ = flushing;
  changed_.notify_all();
}

void Session::change(Phase phase) {
  phase_ = phase;
  changed_.notify_all();
}

// ---- building, in the worker's thread -----------------------------------------------------------

void Session::build_if_complete() {
  {
    std::lock_guard lock(mutex_);
    if (phase_ != Phase::Full || pending_ > 0) return;
    // Some were flushed or skipped: more are wanted.
    if (learned_ < goal_) return change(Phase::Learning);
    change(Phase::Building);
  }
  const bool ok = build();
  bool asked;
  {
    std::lock_guard lock(mutex_);
    asked = std::exchange(fit_asked_, false);
    if (!ok) change(Phase::Failed);
  }
  if (asked) post_done(element_, "finish-fit", ok);
}

bool Session::build() {
  BankLocation location;
  {
    std::lock_guard lock(mutex_);
    location = bank_location_;
  }
  const Bank bank = build_and_save(location);
  if (!bank) return false;
  std::shared_ptr<const Scorer> scorer;
  if (config_.mode == Mode::Auto) {
    ErrorPtr error;
    scorer = model_->make_scorer(bank, location, cancellable_, error.out());
    if (!scorer) return fail(error.get());
    use(scorer, /*loaded=*/true);
    tell_active_bank();
    return true;
  }
  std::lock_guard lock(mutex_);
  bank_ = bank;
  fit_.reset();  // its frames take more memory than all the rest
  change(Phase::Done);
  return true;
}

/// In auto mode a bank that has come since is somebody's, and is left alone.
bool Session::save_built(const Bank& bank, const BankLocation& location, GError** error) {
  bool replaces = config_.mode != Mode::Auto;
  {
    std::lock_guard lock(mutex_);
    replaces = replaces || replaces_;
  }
  if (replaces || !exists(location)) return write(bank, location, error);
  GST_ELEMENT_WARNING(element_, RESOURCE, WRITE,
                      ("While the bank was learnt a bank \"%s\" has come, which stays as it is. "
                       "The new bank scores, and is not saved.",
                       location.shown().c_str()),
                      (nullptr));
  return true;
}

bool Session::write(const Bank& bank, const BankLocation& location, GError** error) {
  return library().patchcore_bank_save(bank.get(), location.file.c_str(), location.name.c_str(),
                                       cancellable_, error) != FALSE;
}

/// What alarms an hour are counted with.
bool Session::tell_video(GError** error) {
  std::lock_guard lock(mutex_);
  return library().patchcore_fit_set_video(fit_.get(), span_.seconds(learned_), alarm_frames_,
                                           alarm_hysteresis_, error) != FALSE;
}

Bank Session::build_and_save(const BankLocation& location) {
  Progress progress(element_, "build", "building the bank");
  ErrorPtr error;
  Bank bank;
  if (tell_video(error.out()))
    bank = Bank(library().patchcore_fit_build(
        fit_.get(), [](gdouble f, gpointer p) { static_cast<Progress*>(p)->advance(f); }, &progress,
        cancellable_, error.out()));
  if (bank) post_outliers(element_, fit_.get(), config_.drop_outliers);
  if (bank && save_built(bank, location, error.out())) {
    progress.complete("bank built");
    return bank;
  }
  if (error.is(PATCHCORE_ERROR_CANCELLED)) progress.cancel();
  fail(error.get());
  return {};
}

}  // namespace gstpatchcore
