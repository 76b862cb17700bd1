// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "images.hpp"

namespace patchcore::cli {

/// Test images of one kind.
struct TestGroup {
  std::string name;
  std::vector<ImageFile> images;
  std::vector<std::filesystem::path> masks;  ///< one an image, or none at all
};

/// The test half of a data set laid out like MVTec AD: test/good, test/<class>,
/// ground_truth/<class>/<stem>_mask.png.
struct Dataset {
  TestGroup good;                  ///< without masks; may be empty
  std::vector<TestGroup> classes;  ///< of defects, by name, none of them empty; may be none
  bool has_masks = false;          ///< is there a folder ground_truth

  size_t defects() const;
};

/// Lists the files and sees that each has its mask. Throws Error: NotFound, naming the folder or
/// the mask that is missing, OpenRead.
Dataset list_dataset(const std::filesystem::path& folder);

}  // namespace patchcore::cli
