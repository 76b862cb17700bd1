// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace patchcore {

/// Whose choices are followed; docs/presets.md compares them.
enum class Preset {
  Paper,
  Official,
  Anomalib,
  Article,
  Inspect,  ///< what found most; chosen as docs/accuracy.md tells
};

/// How the features of a patch's neighbourhood become one vector a layer.
enum class Neighbourhood {
  AdaptivePool,  ///< all of them, adaptively averaged to a fixed width (amazon-science)
  AveragePool,   ///< their mean, zero padding counted (anomalib)
};

enum class Interpolation { Nearest, Bilinear };

/// Random projection that the coreset is chosen in.
enum class Projection {
  Dense128,                    ///< to 128, entries U(-1/sqrt D, 1/sqrt D); none where D = 128
  SparseJohnsonLindenstrauss,  ///< to 4 ln N / 0.162, Li et al. 2006; none where not narrower
};

/// Where greedy k-center starts.
enum class CoresetStart {
  MeanOfTen,    ///< the mean distance to ten random points is the first running minimum
  RandomPoint,  ///< a random point is the first centre
  FirstPoint,   ///< row 0 is the first centre
};

enum class Distance { L2, SquaredL2 };

/// How an image's score follows from its patches' values.
enum class ImageScoring {
  Maximum,     ///< the largest value
  Reweighted,  ///< Eq. 7 of the paper: the largest, times a weight
  Article,     ///< (1 - softmax at the largest) * the least of the worst patch's k distances
  TopMean,     ///< the mean of the largest values
  MapMaximum,  ///< the largest value of the anomaly map, which is averaged over neighbourhoods
};

/// What a fit also learns of each frame: a copy of it each.
enum class Augmentation {
  FlipX,       ///< mirrored, left to right
  FlipY,       ///< upside down
  Shift,       ///< moved by up to 4 % of its sides, what it left repeats the border
  Brightness,  ///< times 0.8 to 1.2
};

/// How a border is continued when the map is blurred; d c b a | a b c d is Symmetric (scipy's
/// "reflect"), d c b | a b c d is Reflect (torch's "reflect").
enum class Border { Symmetric, Reflect };

/// The size a frame is resized to: width x height, or, when height is 0, the shorter side becomes
/// `width` pixels and the aspect is kept.
struct ResizeTarget {
  int width = 256;
  int height = 256;
  bool operator==(const ResizeTarget&) const = default;
};

/// What a resized frame's values are.
enum class ResizeValues {
  Bytes,   ///< rounded, as Pillow has them (amazon-science)
  Floats,  ///< not rounded, as torchvision has them of tensors (anomalib); slower
};

/// Everything that decides a score, save the weights and the bank itself. Travels in the bank.
struct Settings {
  std::string backbone = "builtin";
  std::vector<std::string> layers;  ///< finest first; empty: the backbone's usual ones

  Preset preset = Preset::Anomalib;
  ResizeTarget resize;
  int crop = 0;  ///< side of the centred square that is kept, in pixels; 0: all
  ResizeValues resize_values = ResizeValues::Bytes;
  int tile_size = 0;     ///< side of the squares that the network takes one by one; 0: all at once
  int tile_overlap = 0;  ///< pixels that neighbouring tiles have in common at least
  int patch_size = 3;    ///< 3 or 5
  Neighbourhood neighbourhood = Neighbourhood::AveragePool;
  int layer_width = 0;      ///< AdaptivePool: width a layer is pooled to
  int embedding_width = 0;  ///< AdaptivePool: width all layers together are pooled to
  Interpolation merge = Interpolation::Bilinear;

  Projection projection = Projection::SparseJohnsonLindenstrauss;
  CoresetStart coreset_start = CoresetStart::RandomPoint;

  Distance distance = Distance::L2;
  ImageScoring image_scoring = ImageScoring::Reweighted;
  int neighbours = 9;        ///< b of Eq. 7, or the article's k
  int patch_neighbours = 1;  ///< a patch's value is the mean distance to so many nearest rows
  int top_patches = 10;      ///< TopMean: values that are averaged
  int search_radius = 0;  ///< patches: a patch is compared with rows alone that were seen so near
                          ///< its place in the picture, of a fixed camera; 0: with all

  std::vector<Augmentation> augmentation;  ///< each once

  Interpolation map_upsampling = Interpolation::Nearest;
  Border map_border = Border::Reflect;
  double map_sigma = 4.0;  ///< of the Gaussian blur, pixels of the input; 0: none

  /// All of a preset's choices, with resnet18 as little as with any other backbone.
  static Settings from_preset(Preset preset);

  /// As strings, for a bank's metadata, one entry a field. Fields that came later than the format
  /// are left out where they have their default, so that older banks stay what they were.
  std::map<std::string, std::string> to_metadata() const;

  /// Throws Error(OpenRead) that names the entry when one is missing or out of its range.
  static Settings from_metadata(const std::map<std::string, std::string>& metadata);

  /// Changes one field by its entry's name (with _ or -) and text. Not those that name the network,
  /// the preset or the size. Throws Error(InvalidArgument) that names the field, or those that
  /// there are.
  void set(const std::string& name, const std::string& value);

  /// Throws Error(InvalidArgument) where a field is out of the range that a bank may hold.
  void check() const;

  bool operator==(const Settings&) const = default;
};

/// "paper", "official", "anomalib", "article", "inspect"; throws Error(InvalidArgument).
Preset parse_preset(std::string_view text);
const char* nick(Preset preset);

/// "256" (shorter side) or "256x224" (exactly); throws Error(InvalidArgument).
ResizeTarget parse_resize(std::string_view text);
std::string to_string(const ResizeTarget& target);

}  // namespace patchcore
