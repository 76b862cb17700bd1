// SPDX-License-Identifier: LGPL-2.1-or-later
#include <CLI/CLI.hpp>
#include <array>
#include <iostream>

#include "commands.hpp"
#include "evaluation.hpp"
#include "html.hpp"
#include "opening.hpp"
#include "output.hpp"
#include "report.hpp"

namespace patchcore::cli {
namespace {

struct EvaluateCommand {
  BankOptions bank;
  std::string dataset;
  std::string geometry = "mask";
  BootstrapOptions bootstrap;
  std::string report;  ///< empty: not asked for
  size_t gallery = 12;
  bool json = false;
};

template <typename Value>
Json or_null(const std::optional<Value>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json or_null(const std::optional<Interval>& interval) {
  return interval ? Json{interval->low, interval->high} : Json(nullptr);
}

Json to_json(const Metrics& metrics) {
  const ImageMetrics& image = metrics.image;
  const ImageIntervals& intervals = metrics.intervals;
  return {{"image_auroc", or_null(image.auroc)},
          {"image_auroc_ci", or_null(intervals.auroc)},
          {"image_ap", or_null(image.average_precision)},
          {"image_ap_ci", or_null(intervals.average_precision)},
          {"image_f1", or_null(image.best_f1)},
          {"image_f1_ci", or_null(intervals.best_f1)},
          {"image_f1_calibrated", or_null(image.calibrated_f1)},
          {"image_f1_calibrated_ci", or_null(intervals.calibrated_f1)},
          {"pixel_auroc", or_null(metrics.pixel_auroc)},
          {"pixel_auroc_ci", or_null(metrics.pixel_intervals.auroc)},
          {"aupro", or_null(metrics.aupro)},
          {"aupro_ci", or_null(metrics.pixel_intervals.aupro)},
          {"images", metrics.images},
          {"defects", metrics.defects},
          {"false_alarms", or_null(metrics.false_alarms)},
          {"misses", or_null(metrics.misses)}};
}

std::vector<std::string> to_row(const Metrics& metrics) {
  const auto percent = [](const std::optional<double>& v) {
    return v ? fixed(*v * 100, 2) : std::string("-");
  };
  const auto count = [](const std::optional<size_t>& v) {
    return v ? std::to_string(*v) : std::string("-");
  };
  const auto range = [](const std::optional<Interval>& v) {
    return v ? fixed(v->low * 100, 1) + "-" + fixed(v->high * 100, 1) : std::string("-");
  };
  return {metrics.name,
          std::to_string(metrics.images),
          std::to_string(metrics.defects),
          percent(metrics.image.auroc),
          range(metrics.intervals.auroc),
          percent(metrics.image.average_precision),
          percent(metrics.image.best_f1),
          percent(metrics.image.calibrated_f1),
          count(metrics.false_alarms),
          count(metrics.misses),
          percent(metrics.pixel_auroc),
          percent(metrics.aupro)};
}

void print_table(const EvaluationResult& result) {
  Table table({"%", "images", "defects", "image AUROC", "95 % of it", "AP", "F1", "F1 calibrated",
               "false alarms", "misses", "pixel AUROC", "AUPRO"});
  for (const Metrics& metrics : result.classes) table.add(to_row(metrics));
  table.add(to_row(result.all));
  table.print(std::cout);
}

void print_json(const EvaluationResult& result) {
  Json object = to_json(result.all), classes = Json::object();
  for (const Metrics& metrics : result.classes) classes[metrics.name] = to_json(metrics);
  object["classes"] = std::move(classes);
  print_indented(std::cout, object);
}

void run(const EvaluateCommand& command) {
  if (!command.report.empty()) check_writable(command.report);
  const Dataset dataset = list_dataset(command.dataset);
  const Ensemble ensemble = open_ensemble(command.bank);

  Gallery gallery(command.gallery, ensemble.calibration());
  EvaluationOptions options{command.bootstrap, parse_pixel_geometry(command.geometry)};
  if (!command.report.empty()) options.gallery = &gallery;
  const EvaluationResult result = Evaluation(ensemble, dataset, options).run();

  for (const std::string& note : result.notes)
    std::cerr << "patchcore: " << quoted(command.dataset) << ": " << note << '\n';
  if (!command.report.empty())
    write_report(command.report,
                 {command.dataset, command.geometry, command.bootstrap, ensemble, result, gallery});
  command.json ? print_json(result) : print_table(result);
  finish_output();
}

void add_metric_options(CLI::App& evaluate, EvaluateCommand& command) {
  evaluate
      .add_option("--pixel-geometry", command.geometry,
                  "mask: pixels of the mask, the map is brought to its size. official: pixels of "
                  "the network's input, masks are resized and truncated as PatchCore's authors do")
      ->check(CLI::IsMember({"mask", "official"}))
      ->type_name("G")
      ->capture_default_str();
  evaluate
      .add_option("--bootstrap", command.bootstrap.resamples,
                  "Resamples for the 95 % intervals, 0: no intervals")
      ->check(CLI::Range(0, 10000).description(""))
      ->type_name("N")
      ->capture_default_str();
  evaluate.add_option("--seed", command.bootstrap.seed, "Of the resamples")
      ->check(CLI::NonNegativeNumber.description(""))
      ->type_name("S")
      ->capture_default_str();
}

void add_report_options(CLI::App& evaluate, EvaluateCommand& command) {
  evaluate.add_flag("--json", command.json,
                    "A JSON object: image_auroc, image_ap, image_f1, image_f1_calibrated, "
                    "pixel_auroc, aupro (0..1, null where undefined), each with its interval "
                    "NAME_ci, images, defects, false_alarms, misses; the same under classes.NAME");
  evaluate
      .add_option("--report", command.report,
                  "Also write a report for a person: one HTML file with all of it, curves and "
                  "pictures of the worst misses and false alarms")
      ->type_name("FILE.html");
  evaluate
      .add_option("--gallery", command.gallery, "Misses and false alarms that the report shows")
      ->check(CLI::Range(0, 1000).description(""))
      ->type_name("N")
      ->capture_default_str();
}

}  // namespace

void add_evaluate(CLI::App& app) {
  auto command = std::make_shared<EvaluateCommand>();
  CLI::App& evaluate =
      *app.add_subcommand("evaluate", "Measure how well a bank tells defects in a labelled folder");
  evaluate
      .add_option("--dataset", command->dataset,
                  "Folder laid out like MVTec AD: test/good, test/CLASS, "
                  "ground_truth/CLASS/NAME_mask.png")
      ->required()
      ->type_name("DIR");
  add_bank_options(evaluate, command->bank);
  add_metric_options(evaluate, *command);
  add_report_options(evaluate, *command);
  evaluate.footer(
      "Each class is compared with the good images. What is undefined is said on standard "
      "error.\n\n"
      "Example:\n"
      "  patchcore evaluate --bank part.safetensors --dataset part/ --report part.html");
  evaluate.callback([command] { run(*command); });
}

}  // namespace patchcore::cli
