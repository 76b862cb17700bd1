// SPDX-License-Identifier: LGPL-2.1-or-later
#include "model.hpp"

namespace gstpatchcore {
namespace {

const char* or_null(const std::string& text) { return text.empty() ? nullptr : text.c_str(); }

/// nullptr where there are none, as libpatchcore has it.
class NameList {
 public:
  explicit NameList(const std::vector<std::string>& names) {
    for (const auto& name : names) pointers_.push_back(name.c_str());
    if (!pointers_.empty()) pointers_.push_back(nullptr);
  }
  const char* const* get() const { return pointers_.empty() ? nullptr : pointers_.data(); }

 private:
  std::vector<const char*> pointers_;
};

Bank load_bank(const BankLocation& location, GCancellable* cancellable, GError** error) {
  return Bank(library().patchcore_bank_load(location.file.c_str(), location.name.c_str(),
                                            cancellable, error));
}

}  // namespace

std::shared_ptr<const Model> Model::open(const Config& config, const BankLocation& location,
                                         GCancellable* cancellable, GError** error) {
  const std::shared_ptr<Model> model(new Model(config));
  Bank bank;
  if (!location.file.empty() && !(bank = load_bank(location, cancellable, error))) return nullptr;
  if (!model->load_network(bank, error)) return nullptr;
  if (bank && !(model->scorer_ = model->make_scorer(bank, location, cancellable, error)))
    return nullptr;
  model->engine_ = Engine::get(model->backbone_);
  return model->warm_up(cancellable, error) ? model : nullptr;
}

bool Model::load_network(const Bank& bank, GError** error) {
  const Library& lib = library();
  const char* weights = or_null(config_.weights_location);
  const char *device = config_.device.c_str(), *precision = config_.precision.c_str();
  const NameList layers(config_.layers);
  const PatchcoreBackboneOptions options{config_.backbone.c_str(), weights, device, precision,
                                         layers.get()};
  backbone_ = Backbone(
      bank ? lib.patchcore_backbone_get_for_bank(bank.get(), weights, device, precision, error)
           : lib.patchcore_backbone_get(&options, error));
  return static_cast<bool>(backbone_);
}

std::shared_ptr<const Scorer> Model::load(const BankLocation& location, GCancellable* cancellable,
                                          GError** error) const {
  const Bank bank = load_bank(location, cancellable, error);
  return bank ? make_scorer(bank, location, cancellable, error) : nullptr;
}

std::shared_ptr<const Scorer> Model::make_scorer(Bank bank, const BankLocation& location,
                                                 GCancellable* cancellable, GError** error,
                                                 guint64 lineage) const {
  static std::atomic<guint64> lineages{0};
  auto scorer = std::make_shared<Scorer>();
  scorer->detector =
      Detector(library().patchcore_detector_new(backbone_.get(), bank.get(), cancellable, error));
  if (!scorer->detector || !load_mask(location, &scorer->mask, error)) return nullptr;
  scorer->bank = std::move(bank);
  scorer->location = location;
  scorer->lineage = lineage ? lineage : ++lineages;
  library().patchcore_bank_get_info(scorer->bank.get(), &scorer->info);
  return scorer;
}

bool Model::load_mask(const BankLocation& bank, Mask* mask, GError** error) const {
  const char* kind = config_.mask_kind == MaskKind::Focus ? "focus" : "ignore";
  ErrorPtr failed;
  *mask = Mask(
      config_.mask_location.empty()
          ? library().patchcore_mask_load_beside(bank.file.c_str(), bank.name.c_str(), failed.out())
          : library().patchcore_mask_load(config_.mask_location.c_str(), kind, failed.out()));
  if (!failed) return true;
  g_propagate_error(error, g_error_copy(failed.get()));
  return false;
}

Fit Model::make_fit(const Bank& like, GError** error) const {
  PatchcoreFitOptions options{};
  options.preset = config_.preset.c_str();
  options.resize_width = config_.input_size;
  options.crop = config_.crop;
  options.coreset_ratio = config_.coreset_ratio;
  options.max_bank_size = config_.max_bank_size;
  options.seed = config_.seed;
  options.false_alarm_rate = config_.false_alarm_rate;
  options.alarms_per_hour = config_.alarms_per_hour;
  options.folds = config_.folds;
  options.drop_outliers = config_.drop_outliers;
  const std::string tile_size = std::to_string(config_.tile_size),
                    tile_overlap = std::to_string(config_.tile_overlap);
  const std::string search_radius = std::to_string(config_.search_radius);
  std::vector<const gchar*> settings;
  if (config_.tile_size)
    settings = {"tile-size", tile_size.c_str(), "tile-overlap", tile_overlap.c_str()};
  if (config_.search_radius)
    settings.insert(settings.end(), {"search-radius", search_radius.c_str()});
  for (const auto& [name, value] : config_.settings)
    settings.insert(settings.end(), {name.c_str(), value.c_str()});
  settings.push_back(nullptr);
  options.settings = settings.data();
  options.like = like.get();
  return Fit(library().patchcore_fit_new(backbone_.get(), &options, error));
}

/// The first batch allocates and tunes, the second is timed.
bool Model::warm_up(GCancellable* cancellable, GError** error) {
  const Fit scratch(scorer_ ? Fit() : make_fit(/*like=*/{}, error));
  if (!scorer_ && !scratch) return false;
  const PatchcorePreprocess* preprocess =
      scorer_ ? library().patchcore_detector_get_preprocess(scorer_->detector.get())
              : library().patchcore_fit_get_preprocess(scratch.get());
  PatchcoreGeometry g;
  guint width = 640, height = 480;
  if (scorer_ && scorer_->info.grid_width > 0) {
    constexpr guint kAnyScale = 16;
    width = kAnyScale * scorer_->info.grid_width;
    height = kAnyScale * scorer_->info.grid_height;
  }
  if (!library().patchcore_preprocess_get_geometry(preprocess, width, height, 1, &g, error))
    return false;
  for (int round = 0; round < 2; ++round) {
    if (g_cancellable_set_error_if_cancelled(cancellable, error)) return false;
    if (!run_batch(scratch, g.width, g.height, error)) return false;
  }
  return true;
}

bool Model::run_batch(const Fit& scratch, guint width, guint height, GError** error) {
  const std::vector<guint8> empty(gsize{3} * width * height, 128);
  std::vector<PatchcoreRequest> requests(config_.batch_size);
  for (auto& request : requests) {
    request.rgb = empty.data();
    request.detector = scorer_ ? scorer_->detector.get() : nullptr;
    request.fit = scratch.get();
  }
  const gint64 start = g_get_monotonic_time();
  const bool ok = library().patchcore_infer(backbone_.get(), width, height, requests.data(),
                                            config_.batch_size, error);
  batch_time_ = static_cast<GstClockTime>(g_get_monotonic_time() - start) * GST_USECOND;
  for (auto& request : requests) library().patchcore_result_clear(&request.result);
  return ok;
}

}  // namespace gstpatchcore
