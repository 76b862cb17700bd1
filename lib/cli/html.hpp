// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

namespace patchcore::cli {

/// Text as HTML and XML show it, whatever its bytes are: markup is escaped, bytes that are no UTF-8
/// and characters that XML doesn't have become U+FFFD.
std::string html_text(const std::string& bytes);

/// A picture's file as an address that holds it.
std::string data_uri(const std::string& type, const std::string& bytes);

/// printf's "%.*f", for coordinates and per cents.
std::string fixed(double value, int decimals);

}  // namespace patchcore::cli
