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
  // LibTorch's messages go on for lines about where in its code they arose.
  std::cerr << "patchcore: " << message.substr(0, message.find('\n')) << '\n';
  return status;
}

/// "patchcore bank info", as far as the line named commands.
std::string command_named(const CLI::App& app) {
  std::string name = app.get_name();
  for (const CLI::App* part = &app; !part->get_subcommands().empty();) {
    part = part->get_subcommands().front();
    name += " " + part->get_name();
  }
  return name;
}

int answer(const CLI::App& app, const CLI::ParseError& error) {
  if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
  return report(std::string(error.what()) + " (see " + command_named(app) + " --help)",
                kWrongUsage);
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
