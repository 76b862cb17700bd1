// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

#include "evaluation.hpp"

namespace patchcore::cli {

/// Parts of a report's HTML. Every metric is a <data> element whose value is the fraction with all
/// its digits.
std::string key_figures(const Metrics& all);
std::string metrics_section(const EvaluationResult& result);

}  // namespace patchcore::cli
