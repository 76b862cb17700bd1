// SPDX-License-Identifier: LGPL-2.1-or-later
// Pictures of scores as SVG elements to be put into an HTML page, which styles them by class.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "metrics.hpp"

namespace patchcore::cli {

/// Of each kind which share of the images lies in which range of scores, and where the threshold
/// is. Either kind may be empty, not both; scores are finite.
std::string histogram_plot(std::span<const double> good, std::span<const double> defective,
                           std::optional<double> threshold);

/// Both kinds must be there. The point at the threshold is marked.
std::string roc_plot(std::span<const Level> levels, std::optional<double> threshold);
std::string precision_recall_plot(std::span<const Level> levels, std::optional<double> threshold);

}  // namespace patchcore::cli
