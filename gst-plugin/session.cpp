// SPDX-License-Identifier: LGPL-2.1-or-later
#include "session.hpp"

#include <glib/gstdio.h>
#include <unistd.h>

#include <algorithm>
#include <system_error>
#include <vector>

#include "messages.hpp"

namespace gstpatchcore {
namespace {

const char* or_null(const std::string& text) { return text.empty() ? nullptr : text.c_str(); }

PatchcoreFitOptions fit_options(const Config& config) {
  PatchcoreFitOptions options{};
  options.preset = config.preset.c_str();
  options.resize_width = config.input_size;
  options.crop = config.crop;
  options.coreset_ratio = config.coreset_ratio;
  options.max_bank_size = config.max_bank_size;
  options.seed = config.seed;
  return options;
}

}  // namespace

const PatchcorePreprocess* Purpose::preprocess() const {
  if (detector) return library().patchcore_detector_get_preprocess(detector.get());
  return fit ? library().patchcore_fit_get_preprocess(fit.get()) : nullptr;
}

Session::Session(GstElement* element, Config config)
    : element_(element), config_(std::move(config)) {}

Session::~Session() {
  cancel();
  if (builder_.joinable()) builder_.join();
  g_object_unref(cancellable_);
}

bool Session::fail(const ErrorPtr& error) {
  post_error(element_, error.get());
  return false;
}

bool Session::open() {
  const bool exists = g_file_test(config_.bank_location.c_str(), G_FILE_TEST_EXISTS);
  const bool detect = config_.mode == Mode::Detect || (config_.mode == Mode::Auto && exists);
  if (!check_bank_location(/*for_writing=*/!detect)) return false;
  Progress progress(element_, "load",
                    detect ? "loading the bank and its network" : "loading the network");
  if (!(detect ? open_for_detect() : open_for_fit())) return false;
  engine_ = Engine::get(backbone_);
  if (!warm_up()) return false;
  progress.complete("loaded");
  return true;
}

/// Told at once, and not when a fit of hours is to be saved.
bool Session::check_bank_location(bool for_writing) {
  if (config_.bank_location.empty()) {
    GST_ELEMENT_ERROR(element_, RESOURCE, SETTINGS,
                      ("No bank: set bank-location to a file to read, or to write in mode=fit."),
                      (nullptr));
    return false;
  }
  if (!for_writing) return true;
  const char* file = config_.bank_location.c_str();
  const CharPtr folder(g_path_get_dirname(file));
  if (!g_file_test(folder.get(), G_FILE_TEST_IS_DIR))
    errno = ENOTDIR;
  else if (g_file_test(file, G_FILE_TEST_IS_DIR))
    errno = EISDIR;
  else if (g_access(folder.get(), W_OK) == 0)
    return true;
  GST_ELEMENT_ERROR(
      element_, RESOURCE, WRITE,
      ("Can't write the bank \"%s\": %s.", config_.bank_location.c_str(), g_strerror(errno)),
      (nullptr));
  return false;
}

bool Session::open_for_detect() {
  const Library& lib = library();
  ErrorPtr error;
  bank_ = Bank(lib.patchcore_bank_load(config_.bank_location.c_str(), cancellable_, error.out()));
  if (!bank_) return fail(error);
  backbone_ = Backbone(lib.patchcore_backbone_get_for_bank(
      bank_.get(), or_null(config_.weights_location), config_.device.c_str(),
      config_.precision.c_str(), error.out()));
  if (!backbone_) return fail(error);
  detector_ = Detector(lib.patchcore_detector_new(backbone_.get(), bank_.get(), error.out()));
  if (!detector_) return fail(error);
  phase_ = Phase::Detecting;
  return true;
}

bool Session::open_for_fit() {
  const Library& lib = library();
  ErrorPtr error;
  const PatchcoreBackboneOptions options{config_.backbone.c_str(),
                                         or_null(config_.weights_location), config_.device.c_str(),
                                         config_.precision.c_str()};
  backbone_ = Backbone(lib.patchcore_backbone_get(&options, error.out()));
  if (!backbone_) return fail(error);
  const PatchcoreFitOptions fit = fit_options(config_);
  fit_ = Fit(lib.patchcore_fit_new(backbone_.get(), &fit, error.out()));
  if (!fit_) return fail(error);
  phase_ = Phase::Learning;
  return true;
}

/// Runs full batches of an empty frame; the first allocates and tunes, the second is timed.
bool Session::warm_up() {
  const Library& lib = library();
  ErrorPtr error;
  PatchcoreGeometry g;
  constexpr guint kWidth = 640, kHeight = 480;
  // A fit would keep the frames: a second one takes them.
  const PatchcoreFitOptions options = fit_options(config_);
  const Fit scratch(fit_ ? lib.patchcore_fit_new(backbone_.get(), &options, error.out()) : nullptr);
  const Purpose purpose{FrameState::None, detector_, scratch, false};
  if (!lib.patchcore_preprocess_get_geometry(purpose.preprocess(), kWidth, kHeight, &g,
                                             error.out()))
    return fail(error);
  const std::vector<guint8> empty(gsize{3} * g.width * g.height, 128);
  for (int round = 0; round < 2; ++round) {
    std::vector<PatchcoreRequest> requests(config_.batch_size);
    for (auto& request : requests) request = {empty.data(), detector_.get(), scratch.get(), {}};
    const gint64 start = g_get_monotonic_time();
    const bool ok = lib.patchcore_infer(backbone_.get(), g.width, g.height, requests.data(),
                                        config_.batch_size, error.out());
    latency_ = 2 * static_cast<GstClockTime>(g_get_monotonic_time() - start) * GST_USECOND;
    for (auto& request : requests) lib.patchcore_result_clear(&request.result);
    if (!ok) return fail(error);
  }
  return true;
}

void Session::cancel() {
  g_cancellable_cancel(cancellable_);
  set_flushing(true);
}

PatchcoreBankInfo Session::bank_info() const {
  std::lock_guard lock(mutex_);
  PatchcoreBankInfo info{};
  if (bank_) library().patchcore_bank_get_info(bank_.get(), &info);
  return info;
}

bool Session::admit(bool live, Purpose* purpose) {
  std::unique_lock lock(mutex_);
  const auto building = [&] { return phase_ == Phase::Full || phase_ == Phase::Building; };
  if (!live && config_.mode == Mode::Auto)
    changed_.wait(lock, [&] { return flushing_ || !building(); });
  if (flushing_ || phase_ == Phase::Failed) return false;
  if (phase_ == Phase::Detecting) {
    *purpose = {FrameState::Scored, detector_, {}, false};
  } else if (phase_ == Phase::Learning) {
    const bool last = ++admitted_ >= config_.fit_frames;  // after a flush all may be in already
    if (last) phase_ = Phase::Full;
    *purpose = {FrameState::Learning, {}, fit_, last};
  } else {
    *purpose = {building() ? FrameState::Building : FrameState::None, {}, {}, false};
  }
  return true;
}

bool Session::failed() const {
  std::lock_guard lock(mutex_);
  return phase_ == Phase::Failed;
}

bool Session::start_build() {
  try {
    std::lock_guard lock(mutex_);
    if (phase_ != Phase::Full && phase_ != Phase::Learning) return true;
    phase_ = Phase::Building;
    builder_ = std::thread([this] { build(); });
    return true;
  } catch (const std::system_error& error) {
    GST_ELEMENT_ERROR(element_, RESOURCE, FAILED,
                      ("There is no thread to build the bank in: %s.", error.what()), (nullptr));
    set_phase(Phase::Failed);
    return false;
  }
}

bool Session::finish() {
  if (!finish_learning()) return false;
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return flushing_ || phase_ != Phase::Building; });
  return !flushing_ && phase_ != Phase::Failed;
}

bool Session::finish_learning() {
  guint64 frames = 0;
  {
    std::lock_guard lock(mutex_);
    if (phase_ != Phase::Learning) return true;
    frames = library().patchcore_fit_get_frames(fit_.get());
    if (frames == 0) phase_ = Phase::Failed;
  }
  if (frames == 0) {
    GST_ELEMENT_ERROR(element_, STREAM, FAILED,
                      ("The stream ended before there was a frame to make a bank of; \"%s\" was "
                       "not written.",
                       config_.bank_location.c_str()),
                      (nullptr));
    return false;
  }
  if (config_.mode == Mode::Auto)
    GST_ELEMENT_WARNING(element_, STREAM, FAILED,
                        ("The stream ended after %" G_GUINT64_FORMAT " of %u frames; the bank is "
                         "made of these.",
                         frames, config_.fit_frames),
                        (nullptr));
  return start_build();
}

void Session::set_flushing(bool flushing) {
  std::lock_guard lock(mutex_);
  flushing_ = flushing;
  if (!flushing && phase_ == Phase::Full) phase_ = Phase::Learning;
  if (!flushing && phase_ == Phase::Learning)
    admitted_ = static_cast<guint>(library().patchcore_fit_get_frames(fit_.get()));
  changed_.notify_all();
}

void Session::set_phase(Phase phase) {
  std::lock_guard lock(mutex_);
  phase_ = phase;
  changed_.notify_all();
}

void Session::build() {
  Bank bank;
  if (!build_and_save(&bank)) return set_phase(Phase::Failed);
  ErrorPtr error;
  Detector detector;
  if (config_.mode == Mode::Auto) {
    detector = Detector(library().patchcore_detector_new(backbone_.get(), bank.get(), error.out()));
    if (!detector) {
      fail(error);
      return set_phase(Phase::Failed);
    }
  }
  {
    std::lock_guard lock(mutex_);
    bank_ = bank;
    detector_ = detector;
    fit_.reset();  // its frames take more memory than all the rest
  }
  set_phase(detector ? Phase::Detecting : Phase::Done);
}

bool Session::build_and_save(Bank* bank) {
  const Library& lib = library();
  Progress progress(element_, "build", "building the bank");
  ErrorPtr error;
  *bank = Bank(lib.patchcore_fit_build(
      fit_.get(), [](gdouble f, gpointer p) { static_cast<Progress*>(p)->advance(f); }, &progress,
      cancellable_, error.out()));
  if (*bank && lib.patchcore_bank_save(bank->get(), config_.bank_location.c_str(), cancellable_,
                                       error.out())) {
    progress.complete("bank built and saved");
    return true;
  }
  if (error.is(PATCHCORE_ERROR_CANCELLED)) {
    progress.cancel();
    return false;
  }
  return fail(error);
}

}  // namespace gstpatchcore
