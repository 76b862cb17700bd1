// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <condition_variable>
#include <mutex>

#include "framepreparer.hpp"
#include "framequeue.hpp"
#include "framespan.hpp"
#include "history.hpp"
#include "model.hpp"
#include "worker.hpp"

namespace gstpatchcore {

/// What a frame is for, decided when it comes in.
struct Purpose {
  FrameState state = FrameState::None;
  std::shared_ptr<const Scorer> scorer;  ///< one of the two where there is something to infer
  Fit fit;
  Mask mask;  ///< of a fit; a scorer has its own
  std::shared_ptr<Ticket>
      ticket;  ///< of the fit: to be kept until its patches are in, or never will

  /// How its frame is to be prepared; with a preprocess of nullptr not at all.
  Preparation preparation() const;
  /// Which parts of its frame count; none: all.
  const Mask& mask_of_frames() const { return scorer ? scorer->mask : mask; }
};

/// What an element does with its frames between READY and the next READY: learns a bank, scores
/// with one, or the one and then the other. Loading happens in open(); what takes long later on
/// (building, saving, another bank) in a thread of its own, one thing at a time. Both tell the bus.
class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(GstElement* element, Config config);
  ~Session();

  /// Loads the network and, where there is one, the bank. False: an error was posted, or cancel()
  /// was called.
  bool open();

  /// From any thread, for good: what runs ends within 200 ms, unfinished.
  void cancel();

  const Config& config() const { return config_; }
  const std::shared_ptr<Engine>& engine() const { return model_->engine(); }
  /// The property max-latency, or its default.
  GstClockTime max_latency() const;

  /// Of the frames that come from now on.
  void set_frame_size(guint width, guint height);

  /// The bank that scores; nullptr: none.
  std::shared_ptr<const Scorer> scorer() const;

  // The way of the frames.

  /// Sink side, once a frame that is due: what is it for? While a bank is built, frames that
  /// `may_wait` do so that none of them goes unscored, the others pass. False: flushing, or
  /// failed().
  bool admit(const LiveConfig& live, GstClockTime running_time, bool may_wait, Purpose* purpose);
  /// Is there a bank, so that a frame that isn't due can be shown with the last result?
  bool detecting() const;
  /// Fitting or building failed, and an error was posted: nothing is admitted any more.
  bool failed() const;
  /// Src side, for each frame of a fit that leaves: tells how many were learned. learned: the
  /// frame's ticket where it was learned by now, else nullptr.
  void tell_learned(Ticket* learned);
  /// Src side: patches above the threshold, for add_normal().
  History& history() { return history_; }

  /// Src side, at EOS: builds what was gathered and waits for a build that runs. False: flushing,
  /// or an error was posted.
  bool finish();

  /// Ends and forbids waits, or allows them again.
  void set_flushing(bool flushing);

  // What an application asks for. True: accepted; patchcore-done tells when it is done. Any thread.

  /// The property bank-location or bank-name was set: while scoring the bank there takes over
  /// between two batches, and if it can't be used a warning says so and the old one stays; while
  /// learning it is where the bank will be written.
  void set_bank_location(const BankLocation& location);
  bool finish_fit();
  bool save_bank(const std::string& location);
  bool reset();
  bool add_normal(GstClockTime from, GstClockTime to);

  /// Notifies of the properties active-bank and active-bank-name.
  void tell_active_bank();

 private:
  enum class Phase { Learning, Full, Building, Detecting, Done, Failed };

  bool open_model(bool learn, GError** error);
  static bool exists(const BankLocation& location);
  bool learns_first() const;
  bool check_bank_location(bool learn) const;
  bool check_room() const;
  bool fail(const GError* error) const;

  // With the lock held.
  bool building() const { return phase_ == Phase::Full || phase_ == Phase::Building; }
  std::shared_ptr<Ticket> make_ticket();
  void end_gathering(std::unique_lock<std::mutex>& lock);
  void build_when_all_are_in();
  void change(Phase phase);

  bool check_gathered(guint64 frames);
  void ticket_returned(const Ticket& ticket);

  // In the worker's thread.
  void build_if_complete();
  bool build();
  Bank build_and_save(const BankLocation& location);
  bool tell_video(GError** error);
  bool save_built(const Bank& bank, const BankLocation& location, GError** error);
  bool write(const Bank& bank, const BankLocation& location, GError** error);
  void use(std::shared_ptr<const Scorer> scorer, bool loaded);
  void swap_bank(const BankLocation& location);
  bool mask_fits(const Scorer& scorer, GError** error) const;
  void save(const Bank& bank, const BankLocation& location);
  bool learn_anew();
  void start_over();
  void extend(const std::vector<KeptPatches>& kept);

  GstElement* const element_;
  const Config config_;
  std::shared_ptr<const Model> model_;
  GCancellable* const cancellable_ = g_cancellable_new();
  History history_;

  mutable std::mutex mutex_;  ///< guards what follows
  std::condition_variable changed_;
  BankLocation bank_location_;  ///< where a bank will be written
  Phase phase_ = Phase::Done;
  bool flushing_ = false;
  guint64 round_ = 0;             ///< of learning
  guint64 pending_ = 0;           ///< frames on their way into the fit
  guint64 learned_ = 0;           ///< frames in it
  guint64 goal_ = 0;              ///< frames to learn
  guint64 told_ = 0;              ///< of them that tell_learned() knows of
  guint64 told_percent_ = 0;      ///< that the bus was told last
  FrameSpan span_;                ///< of the frames to learn
  guint alarm_frames_ = 1;        ///< of the last one of them
  gdouble alarm_hysteresis_ = 0;  ///< the same
  bool replaces_ = false;         ///< what is at bank_location_ is our own old bank
  bool fit_asked_ = false;        ///< by finish_fit(), which is to be told of the end
  Fit fit_;                       ///< until its bank is built
  Mask fit_mask_;
  guint frame_width_ = 0, frame_height_ = 0;  ///< 0: not known
  Bank bank_;                                 ///< the newest
  std::shared_ptr<const Scorer> scorer_;      ///< of bank_, while Detecting
  std::shared_ptr<const Scorer> loaded_;      ///< scorer_ before add_normal()

  Worker worker_;  ///< last, so that it ends first
};

}  // namespace gstpatchcore
