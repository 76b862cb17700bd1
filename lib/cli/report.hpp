// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <filesystem>
#include <string>

#include "ensemble.hpp"
#include "evaluation.hpp"
#include "gallery.hpp"

namespace patchcore::cli {

/// What a report tells of.
struct ReportContent {
  std::string dataset;   ///< as it was named
  std::string geometry;  ///< of the pixel metrics, as it was named
  BootstrapOptions bootstrap;
  const Ensemble& ensemble;
  const EvaluationResult& result;
  const Gallery& gallery;
};

/// Writes one HTML file, also well-formed XML, that needs no other file, no script and no network.
/// Nothing that a file's name or a bank holds can become markup. Atomic; throws Error(Write) or
/// Error(NoSpace).
void write_report(const std::filesystem::path& file, const ReportContent& content);

}  // namespace patchcore::cli
