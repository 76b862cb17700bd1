// SPDX-License-Identifier: LGPL-2.1-or-later
// What an application asks of a session while frames pass.
#include <algorithm>

#include "messages.hpp"
#include "session.hpp"

namespace gstpatchcore {

void Session::use(std::shared_ptr<const Scorer> scorer, bool loaded) {
  std::lock_guard lock(mutex_);
  scorer_ = std::move(scorer);
  bank_ = scorer_->bank;
  if (loaded) loaded_ = scorer_;
  fit_.reset();
  change(Phase::Detecting);
}

void Session::tell_active_bank() {
  g_object_notify(G_OBJECT(element_), "active-bank");
  g_object_notify(G_OBJECT(element_), "active-bank-name");
}

// ---- another bank -------------------------------------------------------------------------------

void Session::set_bank_location(const BankLocation& location) {
  if (location.file.empty()) return;
  const bool there = config_.mode == Mode::Auto && exists(location);  // not with the lock: it reads
  std::lock_guard lock(mutex_);
  const bool instead_of_learning = there && (phase_ == Phase::Learning || building());
  if (phase_ == Phase::Detecting || instead_of_learning)
    worker_.submit([this, location] { swap_bank(location); });
  else
    bank_location_ = location;
}

/// As far as frames have come.
bool Session::mask_fits(const Scorer& scorer, GError** error) const {
  guint width, height;
  {
    std::lock_guard lock(mutex_);
    width = frame_width_;
    height = frame_height_;
  }
  return !scorer.mask || width == 0 ||
         library().patchcore_mask_check(scorer.mask.get(), width, height, error) != FALSE;
}

void Session::swap_bank(const BankLocation& location) {
  ErrorPtr error;
  auto scorer = model_->load(location, cancellable_, error.out());
  if (scorer && mask_fits(*scorer, error.out())) {
    history_.clear();
    {
      // Not before: a file that is no bank must not be written over.
      std::lock_guard lock(mutex_);
      bank_location_ = location;
    }
    use(std::move(scorer), /*loaded=*/true);
    return tell_active_bank();
  }
  if (!g_cancellable_is_cancelled(cancellable_))
    post_warning(element_, error.get(), "The bank stays as it was.");
}

// ---- finish-fit and save-bank -------------------------------------------------------------------

bool Session::finish_fit() {
  std::lock_guard lock(mutex_);
  if (phase_ != Phase::Learning || learned_ + pending_ == 0) return false;
  goal_ = 1;
  fit_asked_ = true;
  change(Phase::Full);
  build_when_all_are_in();
  return true;
}

bool Session::save_bank(const std::string& location) {
  std::lock_guard lock(mutex_);
  BankLocation to = bank_location_;
  if (!location.empty()) to.file = location;
  if (!bank_ || to.file.empty()) return false;
  worker_.submit([this, bank = bank_, to] { save(bank, to); });
  return true;
}

void Session::save(const Bank& bank, const BankLocation& location) {
  ErrorPtr error;
  const bool ok = write(bank, location, error.out());
  if (!ok && !error.is(PATCHCORE_ERROR_CANCELLED))
    post_warning(element_, error.get(), "The bank was not saved.");
  post_done(element_, "save-bank", ok);
}

// ---- reset --------------------------------------------------------------------------------------

bool Session::reset() {
  std::lock_guard lock(mutex_);
  worker_.submit([this] { start_over(); });
  return true;
}

/// With the settings of the bank there was. False: a warning was posted, and all is as before.
bool Session::learn_anew() {
  ErrorPtr error;
  BankLocation location;
  {
    std::lock_guard lock(mutex_);
    location = bank_location_;
  }
  const Fit fit = model_->make_fit(loaded_ ? loaded_->bank : Bank(), error.out());
  Mask mask;
  if (!fit || !model_->load_mask(location, &mask, error.out())) {
    post_warning(element_, error.get(), "Nothing was reset.");
    return false;
  }
  bool asked;
  {
    std::lock_guard lock(mutex_);
    fit_ = fit;
    fit_mask_ = mask;
    bank_.reset();
    scorer_ = nullptr;
    goal_ = config_.fit_frames;
    ++round_;  // frames that are still on their way belong to the fit that is gone
    pending_ = learned_ = told_ = told_percent_ = 0;
    span_ = {};
    asked = std::exchange(fit_asked_, false);
    replaces_ = loaded_ != nullptr;
    change(Phase::Learning);
  }
  tell_active_bank();
  if (asked) post_done(element_, "finish-fit", /*success=*/false);
  return true;
}

void Session::start_over() {
  history_.clear();
  bool ok = true;
  if (config_.mode == Mode::Detect) {
    use(loaded_, /*loaded=*/true);
    tell_active_bank();
  } else {
    ok = learn_anew();
  }
  post_done(element_, "reset", ok);
}

// ---- add-normal ---------------------------------------------------------------------------------

bool Session::add_normal(GstClockTime from, GstClockTime to) {
  const auto now = scorer();
  if (!now) return false;
  auto kept = history_.take(from, to, now->lineage);
  if (kept.empty()) return false;
  worker_.submit([this, kept = std::move(kept)] { extend(kept); });
  return true;
}

void Session::extend(const std::vector<KeptPatches>& kept) {
  const auto before = scorer();
  ErrorPtr error;
  std::shared_ptr<const Scorer> after;
  if (before && before->lineage == kept.front().lineage) {
    std::vector<GBytes*> patches, cells;
    gdouble covered = kept.front().above;
    for (const KeptPatches& one : kept) {
      patches.push_back(one.patches.get());
      cells.push_back(one.cells.get());
      covered = std::min(covered, one.above);
    }
    Bank bank(library().patchcore_bank_extend(before->bank.get(), patches.data(), cells.data(),
                                              static_cast<guint>(patches.size()), covered,
                                              cancellable_, error.out()));
    if (bank)
      after = model_->make_scorer(std::move(bank), before->location, cancellable_, error.out(),
                                  before->lineage);
  }
  if (after) {
    use(after, /*loaded=*/false);
    tell_active_bank();
  }
  if (error && !error.is(PATCHCORE_ERROR_CANCELLED))
    post_warning(element_, error.get(), "The bank stays as it was.");
  post_done(element_, "add-normal", after != nullptr);
}

}  // namespace gstpatchcore
