// SPDX-License-Identifier: LGPL-2.1-or-later
// The commands of the tool. Each function adds one to the command line; parsing a line that names
// it runs it. What fails leaves the parse as patchcore::Error, whose code InvalidArgument means
// that the command line made no sense.
#pragma once

namespace CLI {
class App;
}

namespace patchcore::cli {

void add_fit(CLI::App& app);
void add_score(CLI::App& app);
void add_evaluate(CLI::App& app);
void add_bank(CLI::App& app);
void add_bank_import(CLI::App& bank);  ///< below the command bank
void add_bank_files(CLI::App& bank);   ///< the same
void add_weights(CLI::App& app);

}  // namespace patchcore::cli
