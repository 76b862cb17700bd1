// SPDX-License-Identifier: LGPL-2.1-or-later
#include "dataset.hpp"

#include <algorithm>

#include "error.hpp"

namespace patchcore::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kGood = "good";

std::vector<fs::path> folders_in(const fs::path& folder) {
  std::vector<fs::path> folders;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.is_directory()) folders.push_back(entry.path());
  std::sort(folders.begin(), folders.end());
  return folders;
}

fs::path mask_of(const ImageFile& image, const fs::path& folder) {
  const fs::path name(image.name);
  const fs::path mask = folder / name.parent_path() / (name.stem().string() + "_mask.png");
  if (!fs::exists(mask))
    throw Error(ErrorCode::NotFound,
                "There is no mask \"" + mask.string() + "\" for \"" + image.path.string() + "\".");
  return mask;
}

}  // namespace

size_t Dataset::defects() const {
  size_t count = 0;
  for (const TestGroup& group : classes) count += group.images.size();
  return count;
}

Dataset list_dataset(const fs::path& folder) {
  const fs::path test = folder / "test", truth = folder / "ground_truth";
  if (!fs::is_directory(test))
    throw Error(ErrorCode::NotFound, "There is no folder \"" + test.string() +
                                         "\": a data set has test/good and test/CLASS.");
  Dataset dataset;
  dataset.good.name = kGood;
  dataset.has_masks = fs::is_directory(truth);
  for (const fs::path& kind : folders_in(test)) {
    TestGroup group{kind.filename().string(), list_images(kind), {}};
    if (group.name == kGood) {
      dataset.good = std::move(group);
      continue;
    }
    if (group.images.empty()) continue;
    if (dataset.has_masks)
      for (const ImageFile& image : group.images)
        group.masks.push_back(mask_of(image, truth / group.name));
    dataset.classes.push_back(std::move(group));
  }
  if (dataset.good.images.empty() && dataset.classes.empty())
    throw Error(ErrorCode::NotFound,
                "There is no image in the folders of \"" + test.string() + "\".");
  return dataset;
}

}  // namespace patchcore::cli
