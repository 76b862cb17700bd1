// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <vector>

#include "backbone.hpp"
#include "image.hpp"
#include "settings.hpp"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace patchcore::cli {

/// Where and how the network computes.
struct DeviceOptions {
  std::string device = "auto";
  std::string precision = "auto";
};

/// The choices that a new bank begins with: fit and bank import.
struct NetworkOptions {
  std::string backbone = "builtin";
  std::string weights;
  std::string layers;  ///< joined by commas; empty: the backbone's usual ones
  std::string preset = "anomalib";
  std::string resize;                 ///< empty: the preset's
  int crop = -1;                      ///< -1: the preset's
  std::vector<std::string> settings;  ///< NAME=VALUE, instead of the preset's
  int search_radius = 0;              ///< patches; 0: the whole picture
  DeviceOptions device;
};

/// Which parts of the images count.
struct MaskOptions {
  std::string file;  ///< empty: what lies beside the bank, if anything
  std::string kind = "focus";
};

/// The choice of banks that exist: score and evaluate.
struct BankOptions {
  std::vector<std::string> files;
  std::vector<std::string> names;  ///< of each file's, or several of one; empty: without a name
  std::string weights;             ///< empty: where the bank says that they were
  MaskOptions mask;
  DeviceOptions device;
};

/// Options of the command line, filled in when it is parsed.
void add_network_options(CLI::App& command, NetworkOptions& options);
void add_bank_options(CLI::App& command, BankOptions& options);
void add_mask_options(CLI::App& command, MaskOptions& options);

/// --bank-name, for a file that holds several banks, with this help. Names: std::string, or a list
/// of them.
template <typename Names>
CLI::Option& add_bank_name(CLI::App& command, Names& names, const std::string& help);

/// Throws Error(InvalidArgument) where an option makes no sense.
Settings make_settings(const NetworkOptions& options);

/// What a square frame becomes. Throws Error(InvalidArgument) where no frame can be brought to the
/// settings' sizes.
Size check_sizes(const Settings& settings, const Backbone& backbone);

/// A file's name as messages show it.
std::string quoted(const std::string& file);

}  // namespace patchcore::cli
