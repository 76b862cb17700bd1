// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "config.hpp"
#include "engine.hpp"

namespace gstpatchcore {

/// The network of an element with what is loaded or made for it. Immutable once opened: any thread.
class Model {
 public:
  /// location: of the bank to score with; no file: none, a fit is to be made. Loads, and runs
  /// full batches so that the first frame finds everything warm. nullptr: *error is set.
  static std::shared_ptr<const Model> open(const Config& config, const BankLocation& location,
                                           GCancellable* cancellable, GError** error);

  const std::shared_ptr<Engine>& engine() const { return engine_; }
  /// The bank that open() loaded; nullptr: none.
  const std::shared_ptr<const Scorer>& scorer() const { return scorer_; }
  /// That a full batch takes.
  GstClockTime batch_time() const { return batch_time_; }

  /// A bank of the same network. nullptr: *error is set.
  std::shared_ptr<const Scorer> load(const BankLocation& location, GCancellable* cancellable,
                                     GError** error) const;
  /// lineage: of the bank that this one was taught from; 0: it is a new one.
  std::shared_ptr<const Scorer> make_scorer(Bank bank, const BankLocation& location,
                                            GCancellable* cancellable, GError** error,
                                            guint64 lineage = 0) const;
  /// What counts of the frames that are learnt for a bank there, or scored with it. False: *error
  /// is set.
  bool load_mask(const BankLocation& bank, Mask* mask, GError** error) const;
  /// like: a bank whose settings it has in place of the configured ones, or none. Empty: *error is
  /// set.
  Fit make_fit(const Bank& like, GError** error) const;

 private:
  explicit Model(const Config& config) : config_(config) {}

  bool load_network(const Bank& bank, GError** error);
  bool warm_up(GCancellable* cancellable, GError** error);
  bool run_batch(const Fit& scratch, guint width, guint height, GError** error);

  const Config config_;
  Backbone backbone_;
  std::shared_ptr<Engine> engine_;
  std::shared_ptr<const Scorer> scorer_;
  GstClockTime batch_time_ = 0;
};

}  // namespace gstpatchcore
