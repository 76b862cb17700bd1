// SPDX-License-Identifier: LGPL-2.1-or-later
#include <c10/util/Exception.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <opencv2/core.hpp>
#include <opencv2/core/utils/logger.hpp>
#include <string>

#include "commands.hpp"
#include "error.hpp"
#include "version.hpp"

namespace {

constexpr int kFailed = 1;
constexpr int kWrongUsage = 2;

int report(const std::string& message, int status) {
  std::cerr << "patchcore: " << patchcore::first_line(message) << '\n';
  return status;
}

/// The command that the line named, "patchcore" itself where it named none.
const CLI::App& command_named(const CLI::App& app) {
  const auto named = app.get_subcommands();
  return named.empty() ? app : command_named(*named.front());
}

std::string full_name(const CLI::App& command) {
  const CLI::App* parent = command.get_parent();
  return (parent ? full_name(*parent) + " " : "") + command.get_name();
}

int answer(const CLI::App& app, const CLI::ParseError& error) {
  if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
  const CLI::App& command = command_named(app);
  const auto unknown = command.remaining();
  const std::string what = command.get_require_subcommand_min() > 0 && !unknown.empty()
                               ? "There is no command or option \"" + unknown.front() + "\""
                               : error.what();
  return report(what + " (see " + full_name(command) + " --help)", kWrongUsage);
}

void define(CLI::App& app) {
  using namespace patchcore;
  app.set_version_flag("--version", std::string("patchcore ") + kVersion);
  app.require_subcommand(1);
  app.footer(
      "Example, from pictures of good parts to verdicts on new ones:\n"
      "  patchcore fit --images good/ --output part.safetensors\n"
      "  patchcore score --bank part.safetensors --images new/\n\n"
      "Exit status: 0 done, 1 failed, 2 wrong usage.");
  cli::add_fit(app);
  cli::add_score(app);
  cli::add_evaluate(app);
  cli::add_bank(app);
  cli::add_weights(app);
}

}  // namespace

int main(int argc, char** argv) {
  cv::setNumThreads(1);  // ATen has the cores
  cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT);

  CLI::App app("Learns what normal looks like from pictures, and finds what doesn't.", "patchcore");
  try {
    define(app);
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return answer(app, error);
  } catch (const patchcore::Error& error) {
    return report(error.what(),
                  error.code() == patchcore::ErrorCode::InvalidArgument ? kWrongUsage : kFailed);
  } catch (const c10::Error& error) {
    return report(error.what_without_backtrace(), kFailed);
  } catch (const std::bad_alloc&) {
    return report("There is not enough memory.", kFailed);
  } catch (const std::exception& error) {
    return report(error.what(), kFailed);
  }
  return 0;
}
