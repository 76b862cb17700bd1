// SPDX-License-Identifier: LGPL-2.1-or-later
#include "scene.hpp"

#include <array>
#include <cmath>
#include <numeric>
#include <opencv2/imgproc.hpp>

namespace scene {
namespace {

constexpr double kSupersampling = 2;    // pixels of a part's layers per pixel of the picture
constexpr double kPitch = 1.65;         // distance of parts on the belt, in widths of a part
constexpr double kFramesToCross = 40;   // from entering on the left to leaving on the right
constexpr double kDefectThreshold = 8;  // smallest change of brightness that counts, of 255
constexpr double kStray = 1.2;          // deviation of a part's place, in millimetres
constexpr double kPartArea = 1.25;      // side of the square that holds a part, in its width

constexpr int kTraySide = 3;  // places

constexpr std::array<DefectKind, 2> kTrayDefects{
    {{"missing_part", nullptr}, {"misplaced_part", nullptr}}};
const DefectKind* const kMissing = &kTrayDefects[0];
const DefectKind* const kMisplaced = &kTrayDefects[1];

double px_per_mm(cv::Size size) {
  return std::min(0.75 * size.width / kPlateWidth, 0.60 * size.height / kPlateHeight);
}

// Lays a part over the picture, shrunk from its layer's finer pixels.
void lay_over(Color& view, const Layer& layer, cv::Point2d centre, double angle, cv::Rect area) {
  cv::Mat_<double> move = cv::getRotationMatrix2D(
      {(layer.cols - 1) / 2.0F, (layer.rows - 1) / 2.0F}, angle, 1 / kSupersampling);
  move(0, 2) += centre.x - area.x - (layer.cols - 1) / 2.0;
  move(1, 2) += centre.y - area.y - (layer.rows - 1) / 2.0;
  Layer placed;
  cv::warpAffine(layer, placed, move, area.size());
  Color target = view(area);
  for (int y = 0; y < area.height; ++y) {
    for (int x = 0; x < area.width; ++x) {
      const cv::Vec4f& add = placed(y, x);
      target(y, x) = target(y, x) * (1 - add[3]) + cv::Vec3f(add[0], add[1], add[2]);
    }
  }
}

// 255 where two pictures differ by more than the threshold in any colour.
cv::Mat changed(const Color& before, const Color& after) {
  cv::Mat difference, planes[3];
  cv::absdiff(before, after, difference);
  cv::split(difference, planes);
  const cv::Mat largest = cv::max(cv::max(planes[0], planes[1]), planes[2]);
  return largest > kDefectThreshold;
}

// The stretch of belt that begins `offset` pixels into it, to a fraction of a pixel.
Color belt_view(const Color& belt, double offset, cv::Size size) {
  const int column = static_cast<int>(offset);
  const double fraction = offset - column;
  const auto cut = [&](int from) { return belt(cv::Rect({from, 0}, size)); };
  Color view;
  cv::addWeighted(cut(column), 1 - fraction, cut(column + 1), fraction, 0, view);
  return view;
}

}  // namespace

std::span<const DefectKind> tray_defects() { return kTrayDefects; }

Scene::Scene(const SceneOptions& options)
    : options_(options),
      px_per_mm_(px_per_mm(options.size / options.across)),
      belt_period_(2 * options.size.width),
      belt_(rubber_belt(options.size, belt_period_, px_per_mm_, options.seed)),
      sensor_(options.size, options.seed) {}

Frame Scene::video_frame(int index) {
  const double part_px = kPlateWidth * px_per_mm_;
  const double speed = (options_.size.width + part_px) / kFramesToCross;
  const double travel = speed * index;
  Random random(derive_seed(options_.seed, Stream::frame_noise, index));
  return take(parts_in_view(travel), travel, exposure_at(index, options_.seed), random);
}

Frame Scene::still(Stream stream, int index, const DefectKind* defect) {
  const std::uint64_t part_seed = derive_seed(options_.seed, stream, index);
  const Part part = make_part(stream, index, defect);
  Random light(derive_seed(part_seed, Stream::still_light));
  const Exposure exposure = exposure_at(light.uniform(0, 1e4), options_.seed);
  const double travel = light.uniform(0, belt_period_);
  Random noise(derive_seed(part_seed, Stream::still_noise));
  const cv::Point2d centre(options_.size.width / 2.0, options_.size.height / 2.0);
  return take({place(part, centre)}, travel, exposure, noise);
}

Frame Scene::tray(Stream stream, int index, const DefectKind* defect) {
  const std::vector<Part> parts = parts_on_tray(stream, index, defect);
  std::vector<Placed> placed;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const double column = double(i % kTraySide) + 0.5, row = double(i / kTraySide) + 0.5;
    placed.push_back(place(parts[i], {options_.size.width * column / kTraySide,
                                      options_.size.height * row / kTraySide}));
  }
  Random random(derive_seed(derive_seed(options_.seed, stream, index), Stream::still_light));
  const Exposure exposure = exposure_at(random.uniform(0, 1e4), options_.seed);
  const double travel = random.uniform(0, belt_period_);
  return take(placed, travel, exposure, random);
}

std::vector<Scene::Part> Scene::parts_on_tray(Stream stream, int index,
                                              const DefectKind* defect) const {
  constexpr int kPlaces = kTraySide * kTraySide, kMiddle = kPlaces / 2;
  Random random(derive_seed(derive_seed(options_.seed, stream, index), Stream::tray));
  const int missing = kMiddle + kTraySide * (random.below(2) == 0 ? -1 : 1);
  std::vector<Part> parts;
  for (int i = 0; i < kPlaces; ++i) {
    Part part = make_part(stream, index * kPlaces + i, nullptr);
    const Layer nothing = Layer::zeros(part.good.size());
    const bool by_lot = i % kTraySide != kTraySide / 2, drawn = random.below(2) == 0;
    if (by_lot ? drawn : i == kMiddle) part.good = nothing;
    part.actual = part.good;
    if (defect == kMissing && i == missing) part.actual = nothing;
    if (defect == kMisplaced && i == kMiddle)
      part.actual = make_part(stream, index * kPlaces + i, nullptr).good;
    if (defect != nullptr && i == (defect == kMissing ? missing : kMiddle)) part.defect = defect;
    parts.push_back(std::move(part));
  }
  return parts;
}

Scene::Part Scene::make_part(Stream stream, int index, const DefectKind* defect) const {
  const std::uint64_t seed = derive_seed(options_.seed, stream, index);
  Random random(seed);
  Surface surface = make_surface(px_per_mm_ * kSupersampling, random);
  Part part;
  part.stray.x = kStray * random.normal();
  part.stray.y = kStray * random.normal();
  part.angle = random.uniform(-2, 2);
  part.defect = defect;
  part.good = light_surface(surface);
  part.actual = part.good;
  if (defect != nullptr) {
    Random misfortune(derive_seed(seed, Stream::defect));
    defect->inflict(surface, misfortune);
    part.actual = light_surface(surface);
  }
  return part;
}

// Defects are dealt out evenly rather than by lot, so that even a short video has its share; all
// kinds come in turn.
const DefectKind* Scene::scheduled_defect(int part) const {
  Random random(derive_seed(options_.seed, Stream::schedule));
  const double start = random.uniform();
  const auto kinds = defect_kinds();
  const int first_kind = random.below(static_cast<int>(kinds.size()));
  const double dealt = std::floor(part * options_.defect_share + start);
  const double dealt_next = std::floor((part + 1) * options_.defect_share + start);
  if (dealt_next <= dealt) return nullptr;
  const std::size_t turn = static_cast<std::size_t>(dealt) + static_cast<std::size_t>(first_kind);
  return &kinds[turn % kinds.size()];
}

std::vector<Scene::Placed> Scene::parts_in_view(double travel) {
  const double part_px = kPlateWidth * px_per_mm_;
  const double pitch = kPitch * part_px;
  // Part 0 starts just inside the right edge; the parts after it follow on its left.
  const double lead = options_.size.width - 0.6 * part_px + travel;
  const double reach = 0.75 * part_px;  // half a part, its shadow and its stray
  const int first =
      std::max(0, static_cast<int>(std::ceil((lead - options_.size.width - reach) / pitch)));
  const int last = static_cast<int>(std::floor((lead + reach) / pitch));

  std::erase_if(video_parts_,
                [&](const auto& item) { return item.first < first || item.first > last; });
  std::vector<Placed> parts;
  for (int index = first; index <= last; ++index) {
    auto found = video_parts_.find(index);
    if (found == video_parts_.end()) {
      Part made = make_part(Stream::video_part, index, scheduled_defect(index));
      found = video_parts_.emplace(index, std::move(made)).first;
    }
    parts.push_back(place(found->second, {lead - index * pitch, options_.size.height / 2.0}));
  }
  return parts;
}

Scene::Placed Scene::place(const Part& part, cv::Point2d centre) const {
  return {&part, centre + part.stray * px_per_mm_};
}

Frame Scene::take(const std::vector<Placed>& parts, double travel, const Exposure& exposure,
                  Random& random) const {
  Frame frame{.image = {},
              .mask = cv::Mat::zeros(options_.size, CV_8U),
              .defect_pixels = 0,
              .kind = "good"};
  const Color actual = expose(compose(parts, travel, true), exposure);
  const auto defective = [](const Placed& placed) { return placed.part->defect != nullptr; };
  if (std::any_of(parts.begin(), parts.end(), defective)) {
    find_defects(parts, expose(compose(parts, travel, false), exposure), actual, frame);
  }
  frame.image = sensor_.record(actual, random);
  return frame;
}

Color Scene::compose(const std::vector<Placed>& parts, double travel, bool with_defects) const {
  const double offset = belt_period_ - std::fmod(travel, belt_period_);
  Color view = belt_view(belt_, std::fmod(offset, belt_period_), options_.size);
  for (const Placed& placed : parts) {
    const Layer& layer = with_defects ? placed.part->actual : placed.part->good;
    lay_over(view, layer, placed.centre, placed.part->angle, area(placed));
  }
  return view;
}

// The mask is the difference that the defects make to the picture before the sensor's noise.
void Scene::find_defects(const std::vector<Placed>& parts, const Color& good, const Color& actual,
                         Frame& frame) const {
  frame.mask = changed(good, actual);
  frame.defect_pixels = cv::countNonZero(frame.mask);
  if (frame.defect_pixels < kVisiblePixels) return;
  int most = 0;
  for (const Placed& placed : parts) {
    const int pixels = cv::countNonZero(frame.mask(area(placed)));
    if (placed.part->defect == nullptr || pixels <= most) continue;
    most = pixels;
    frame.kind = placed.part->defect->name;
  }
}

// The part of the picture that a part and its shadow can cover; areas of neighbours are apart.
cv::Rect Scene::area(const Placed& placed) const {
  const double side = kPartArea * kPlateWidth * px_per_mm_;
  const cv::Rect2d square(placed.centre.x - side / 2, placed.centre.y - side / 2, side, side);
  return cv::Rect(square) & cv::Rect({}, options_.size);
}

}  // namespace scene
