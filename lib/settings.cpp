// SPDX-License-Identifier: LGPL-2.1-or-later
#include "settings.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "error.hpp"
#include "lists.hpp"

namespace patchcore {
namespace {

template <typename Enum>
using Nicks = std::vector<std::pair<Enum, const char*>>;

const Nicks<Preset>& nicks(Preset) {
  static const auto& table = *new Nicks<Preset>{{Preset::Paper, "paper"},
                                                {Preset::Official, "official"},
                                                {Preset::Anomalib, "anomalib"},
                                                {Preset::Article, "article"},
                                                {Preset::Inspect, "inspect"}};
  return table;
}

const Nicks<ResizeValues>& nicks(ResizeValues) {
  static const auto& table =
      *new Nicks<ResizeValues>{{ResizeValues::Bytes, "bytes"}, {ResizeValues::Floats, "floats"}};
  return table;
}

const Nicks<Neighbourhood>& nicks(Neighbourhood) {
  static const auto& table = *new Nicks<Neighbourhood>{
      {Neighbourhood::AdaptivePool, "adaptive-pool"}, {Neighbourhood::AveragePool, "average-pool"}};
  return table;
}

const Nicks<Interpolation>& nicks(Interpolation) {
  static const auto& table = *new Nicks<Interpolation>{{Interpolation::Nearest, "nearest"},
                                                       {Interpolation::Bilinear, "bilinear"}};
  return table;
}

const Nicks<Projection>& nicks(Projection) {
  static const auto& table = *new Nicks<Projection>{
      {Projection::Dense128, "dense-128"}, {Projection::SparseJohnsonLindenstrauss, "sparse-jl"}};
  return table;
}

const Nicks<CoresetStart>& nicks(CoresetStart) {
  static const auto& table = *new Nicks<CoresetStart>{{CoresetStart::MeanOfTen, "mean-of-ten"},
                                                      {CoresetStart::RandomPoint, "random-point"},
                                                      {CoresetStart::FirstPoint, "first-point"}};
  return table;
}

const Nicks<Distance>& nicks(Distance) {
  static const auto& table =
      *new Nicks<Distance>{{Distance::L2, "l2"}, {Distance::SquaredL2, "squared-l2"}};
  return table;
}

const Nicks<ImageScoring>& nicks(ImageScoring) {
  static const auto& table = *new Nicks<ImageScoring>{{ImageScoring::Maximum, "maximum"},
                                                      {ImageScoring::Reweighted, "reweighted"},
                                                      {ImageScoring::Article, "article"},
                                                      {ImageScoring::TopMean, "top-mean"},
                                                      {ImageScoring::MapMaximum, "map-maximum"}};
  return table;
}

const Nicks<Augmentation>& nicks(Augmentation) {
  static const auto& table = *new Nicks<Augmentation>{{Augmentation::FlipX, "flip-x"},
                                                      {Augmentation::FlipY, "flip-y"},
                                                      {Augmentation::Shift, "shift"},
                                                      {Augmentation::Brightness, "brightness"}};
  return table;
}

const Nicks<Border>& nicks(Border) {
  static const auto& table =
      *new Nicks<Border>{{Border::Symmetric, "symmetric"}, {Border::Reflect, "reflect"}};
  return table;
}

template <typename Number>
Number parse_number(std::string_view text) {
  Number value{};
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size())
    throw Error(ErrorCode::InvalidArgument, "\"" + std::string(text) + "\" is not a number.");
  return value;
}

int parse_in_range(std::string_view text, int least, int most) {
  int value = parse_number<int>(text);
  if (value < least || value > most)
    throw Error(ErrorCode::InvalidArgument, std::to_string(value) + " is not between " +
                                                std::to_string(least) + " and " +
                                                std::to_string(most) + ".");
  return value;
}

template <typename Enum>
Enum parse_nick(std::string_view text) {
  std::string known;
  for (const auto& [value, name] : nicks(Enum{})) {
    if (text == name) return value;
    known += known.empty() ? name : std::string(", ") + name;
  }
  throw Error(ErrorCode::InvalidArgument,
              "\"" + std::string(text) + "\" is none of " + known + ".");
}

template <typename Enum>
const char* nick_of(Enum value) {
  for (const auto& [known, name] : nicks(value))
    if (known == value) return name;
  return "?";
}

constexpr int kMaxSide = 8192;
constexpr int kMaxWidth = 65536;

/// One function a type writes a field, one reads it; visit() below lists the fields once for both.
struct Writer {
  std::map<std::string, std::string>& out;

  void operator()(const char* key, const std::string& v) { out[key] = v; }
  void operator()(const char* key, const std::vector<std::string>& v) { out[key] = joined(v); }
  void operator()(const char* key, const ResizeTarget& v) { out[key] = to_string(v); }
  void operator()(const char* key, int v, int, int) { out[key] = std::to_string(v); }
  void operator()(const char* key, double v, double, double) {
    std::array<char, 32> text;
    out[key].assign(text.data(), std::to_chars(text.begin(), text.end(), v).ptr);
  }
  template <typename Enum>
  void operator()(const char* key, Enum v) {
    out[key] = nick_of(v);
  }
  template <typename Enum>
  void operator()(const char* key, const std::vector<Enum>& v) {
    std::vector<std::string> names;
    for (const Enum each : v) names.push_back(nick_of(each));
    out[key] = joined(names);
  }
};

struct Reader {
  const std::map<std::string, std::string>& in;

  template <typename Parse>
  void read(const char* key, Parse parse) {
    auto found = in.find(key);
    if (found == in.end())
      throw Error(ErrorCode::OpenRead, std::string("The entry \"") + key + "\" is missing.");
    try {
      parse(found->second);
    } catch (const Error& error) {
      throw Error(ErrorCode::OpenRead,
                  std::string("The entry \"") + key + "\" is wrong: " + error.what());
    }
  }

  void operator()(const char* key, std::string& v) {
    read(key, [&](const std::string& text) { v = text; });
  }
  void operator()(const char* key, std::vector<std::string>& v) {
    read(key, [&](const std::string& text) { v = split(text); });
  }
  void operator()(const char* key, ResizeTarget& v) {
    read(key, [&](const std::string& text) { v = parse_resize(text); });
  }
  void operator()(const char* key, int& v, int least, int most) {
    read(key, [&](const std::string& text) { v = parse_in_range(text, least, most); });
  }
  void operator()(const char* key, double& v, double least, double most) {
    read(key, [&](const std::string& text) {
      v = parse_number<double>(text);
      if (!(v >= least && v <= most)) throw Error(ErrorCode::InvalidArgument, "out of range.");
    });
  }
  template <typename Enum>
  void operator()(const char* key, Enum& v) {
    read(key, [&](const std::string& text) { v = parse_nick<Enum>(text); });
  }
  template <typename Enum>
  void operator()(const char* key, std::vector<Enum>& v) {
    read(key, [&](const std::string& text) {
      v.clear();
      for (const std::string& name : split(text)) {
        const Enum value = parse_nick<Enum>(name);
        if (std::find(v.begin(), v.end(), value) != v.end())
          throw Error(ErrorCode::InvalidArgument, name + " is there twice.");
        v.push_back(value);
      }
    });
  }
};

template <typename S, typename Visitor>
void visit(S& s, Visitor&& field) {
  field("backbone", s.backbone);
  field("layers", s.layers);
  field("preset", s.preset);
  field("resize", s.resize);
  field("crop", s.crop, 0, kMaxSide);
  field("resize_values", s.resize_values);
  field("tile_size", s.tile_size, 0, kMaxSide);
  field("tile_overlap", s.tile_overlap, 0, kMaxSide);
  field("patch_size", s.patch_size, 1, 15);
  field("neighbourhood", s.neighbourhood);
  field("layer_width", s.layer_width, 0, kMaxWidth);
  field("embedding_width", s.embedding_width, 0, kMaxWidth);
  field("merge", s.merge);
  field("projection", s.projection);
  field("coreset_start", s.coreset_start);
  field("distance", s.distance);
  field("image_scoring", s.image_scoring);
  field("num_neighbours", s.neighbours, 1, 1024);
  field("patch_neighbours", s.patch_neighbours, 1, 1024);
  field("top_patches", s.top_patches, 1, 1 << 20);
  field("search_radius", s.search_radius, 0, 255);
  field("augmentation", s.augmentation);
  field("map_upsampling", s.map_upsampling);
  field("map_border", s.map_border);
  field("map_sigma", s.map_sigma, 0.0, 100.0);
}

/// Fields that came later than the format.
constexpr std::array<const char*, 7> kLater{"resize_values",    "tile_size",   "tile_overlap",
                                            "patch_neighbours", "top_patches", "search_radius",
                                            "augmentation"};

/// Fields that options of their own set.
constexpr std::array<const char*, 5> kOwnOptions{"backbone", "layers", "preset", "resize", "crop"};

std::map<std::string, std::string> all_entries(const Settings& settings) {
  std::map<std::string, std::string> entries;
  visit(settings, Writer{entries});
  return entries;
}

/// What no single entry shows.
void check_together(const Settings& s) {
  const auto refuse = [](const std::string& what) { throw Error(ErrorCode::OpenRead, what); };
  if (s.patch_size % 2 == 0) refuse("The entry \"patch_size\" is wrong: a patch without a centre.");
  if (s.tile_size > 0 && s.tile_overlap >= s.tile_size)
    refuse("The entry \"tile_overlap\" is wrong: tiles of " + std::to_string(s.tile_size) +
           " pixels can't have as many in common.");
  if (s.neighbourhood == Neighbourhood::AdaptivePool &&
      (s.layer_width == 0 || s.embedding_width == 0))
    refuse("The entries \"layer_width\" and \"embedding_width\" are wrong: nothing is left.");
}

Settings official() {
  Settings s;
  s.preset = Preset::Official;
  s.resize = {256, 0};
  s.crop = 224;
  s.neighbourhood = Neighbourhood::AdaptivePool;
  s.layer_width = s.embedding_width = 1024;
  s.projection = Projection::Dense128;
  s.coreset_start = CoresetStart::MeanOfTen;
  s.distance = Distance::SquaredL2;
  s.image_scoring = ImageScoring::Maximum;
  s.map_upsampling = Interpolation::Bilinear;
  s.map_border = Border::Symmetric;
  return s;
}

}  // namespace

Settings Settings::from_preset(Preset preset) {
  Settings s = preset == Preset::Paper || preset == Preset::Official ? official() : Settings();
  s.preset = preset;
  if (preset == Preset::Paper) {
    s.distance = Distance::L2;
    s.image_scoring = ImageScoring::Reweighted;
  } else if (preset == Preset::Article) {
    s.crop = 224;
    s.merge = Interpolation::Nearest;
    s.coreset_start = CoresetStart::FirstPoint;
    s.image_scoring = ImageScoring::Article;
  } else if (preset == Preset::Inspect) {
    s.resize = {224, 224};
    s.image_scoring = ImageScoring::MapMaximum;
    s.map_upsampling = Interpolation::Bilinear;
    s.map_sigma = 6;
  }
  return s;
}

std::map<std::string, std::string> Settings::to_metadata() const {
  auto metadata = all_entries(*this);
  const auto defaults = all_entries({});
  for (const char* key : kLater)
    if (metadata[key] == defaults.at(key)) metadata.erase(key);
  return metadata;
}

Settings Settings::from_metadata(const std::map<std::string, std::string>& metadata) {
  auto entries = metadata;
  const auto defaults = all_entries({});
  for (const char* key : kLater) entries.emplace(key, defaults.at(key));
  Settings settings;
  visit(settings, Reader{entries});
  check_together(settings);
  return settings;
}

void Settings::set(const std::string& name, const std::string& value) {
  auto entries = all_entries(*this);
  for (const char* own : kOwnOptions) entries.erase(own);
  std::string key = name;
  std::replace(key.begin(), key.end(), '-', '_');  // as command lines and GStreamer write them
  const auto entry = entries.find(key);
  if (entry == entries.end()) {
    std::string known;
    for (const auto& [each, text] : entries) known += (known.empty() ? "" : ", ") + each;
    throw Error(ErrorCode::InvalidArgument,
                "\"" + name + "\" is not a setting that can be set; there are " + known + ".");
  }
  entry->second = value;
  entries.merge(all_entries(*this));
  try {
    *this = from_metadata(entries);
  } catch (const Error& error) {
    throw Error(ErrorCode::InvalidArgument, error.what());
  }
}

void Settings::check() const {
  try {
    from_metadata(to_metadata());
  } catch (const Error& error) {
    throw Error(ErrorCode::InvalidArgument, error.what());
  }
}

Preset parse_preset(std::string_view text) { return parse_nick<Preset>(text); }

const char* nick(Preset preset) { return nick_of(preset); }

ResizeTarget parse_resize(std::string_view text) {
  auto by = text.find('x');
  ResizeTarget target;
  target.width = parse_in_range(text.substr(0, by), 16, kMaxSide);
  target.height =
      by == std::string_view::npos ? 0 : parse_in_range(text.substr(by + 1), 16, kMaxSide);
  return target;
}

std::string to_string(const ResizeTarget& target) {
  std::string text = std::to_string(target.width);
  return target.height ? text + "x" + std::to_string(target.height) : text;
}

}  // namespace patchcore
