// SPDX-License-Identifier: LGPL-2.1-or-later
#include <CLI/CLI.hpp>
#include <cstdio>
#include <iostream>

#include "batch.hpp"
#include "commands.hpp"
#include "dataset.hpp"
#include "metrics.hpp"
#include "options.hpp"
#include "output.hpp"
#include "pixels.hpp"
#include "progress.hpp"

namespace patchcore::cli {
namespace {

struct EvaluateCommand {
  BankOptions bank;
  std::string dataset;
  bool json = false;
};

/// What was seen of one kind of images.
struct Tally {
  std::vector<double> scores;
  PixelHistogram pixels;

  void add(const Tally& other) {
    scores.insert(scores.end(), other.scores.begin(), other.scores.end());
    pixels.add(other.pixels);
  }
};

struct Metrics {
  ImageMetrics image;
  std::optional<double> pixel_auroc;
  size_t images = 0;
  size_t defects = 0;
};

class Evaluation {
 public:
  Evaluation(const Detector& detector, const Dataset& dataset)
      : detector_(detector),
        dataset_(dataset),
        total_(static_cast<double>(dataset.good.images.size() + dataset.defects())) {
    seen(dataset.good, good_);
  }

  /// A class against the good images.
  Metrics of(const TestGroup& group) {
    Tally tally;
    seen(group, tally);
    defective_.add(tally);
    return compare(tally);
  }

  /// All classes that of() was called for against the good images.
  Metrics of_all() const { return compare(defective_); }

 private:
  void seen(const TestGroup& group, Tally& tally) {
    size_t index = 0;
    const auto count = [&](const Processed& image) {
      tally.scores.push_back(image.result.score);
      if (dataset_.has_masks) {
        const cv::Mat none(image.size.height, image.size.width, CV_8U, cv::Scalar(0));
        count_pixels(image, group.masks.empty() ? none : read_grey(group.masks[index]),
                     tally.pixels);
      }
      ++index;
      progress_.show("Scoring", ++done_ / total_);
    };
    score_images(detector_, group.images, count);
  }

  Metrics compare(const Tally& defective) const {
    Metrics metrics;
    metrics.image = image_metrics(good_.scores, defective.scores);
    PixelHistogram pixels;
    pixels.add(good_.pixels);
    pixels.add(defective.pixels);
    metrics.pixel_auroc = pixels.auroc();
    metrics.defects = defective.scores.size();
    metrics.images = good_.scores.size() + metrics.defects;
    return metrics;
  }

  const Detector& detector_;
  const Dataset& dataset_;
  Progress progress_;
  double total_;
  double done_ = 0;
  Tally good_, defective_;
};

Json to_json(const Metrics& metrics) {
  const auto value = [](const std::optional<double>& v) { return v ? Json(*v) : Json(nullptr); };
  return {{"image_auroc", value(metrics.image.auroc)},
          {"image_ap", value(metrics.image.average_precision)},
          {"image_f1", value(metrics.image.best_f1)},
          {"pixel_auroc", value(metrics.pixel_auroc)},
          {"images", metrics.images},
          {"defects", metrics.defects}};
}

std::vector<std::string> to_row(const std::string& name, const Metrics& metrics) {
  const auto percent = [](const std::optional<double>& v) -> std::string {
    std::array<char, 16> text{"-"};
    if (v) std::snprintf(text.data(), text.size(), "%.2f", *v * 100);
    return text.data();
  };
  return {name,
          std::to_string(metrics.images),
          std::to_string(metrics.defects),
          percent(metrics.image.auroc),
          percent(metrics.image.average_precision),
          percent(metrics.image.best_f1),
          percent(metrics.pixel_auroc)};
}

/// Says what can't be computed and why, before the reader wonders.
void warn(const Dataset& dataset, const std::string& folder) {
  const auto say = [&](const char* what) {
    std::cerr << "patchcore: " << quoted(folder) << " has " << what << '\n';
  };
  if (dataset.good.images.empty()) say("no good images: the image AUROC, AP and F1 are undefined.");
  if (dataset.classes.empty()) say("no defective images: no AUROC, AP or F1 is defined.");
  if (!dataset.has_masks) say("no folder ground_truth: the pixel AUROC is undefined.");
}

void run(const EvaluateCommand& command) {
  const Dataset dataset = list_dataset(command.dataset);
  const auto detector = open_detector(command.bank);
  warn(dataset, command.dataset);

  Json classes = Json::object();
  Table table({"%", "images", "defects", "image AUROC", "AP", "F1", "pixel AUROC"});
  Evaluation evaluation(*detector, dataset);
  for (const TestGroup& group : dataset.classes) {
    const Metrics metrics = evaluation.of(group);
    classes[group.name] = to_json(metrics);
    table.add(to_row(group.name, metrics));
  }
  const Metrics all = evaluation.of_all();
  if (command.json) {
    Json result = to_json(all);
    result["classes"] = std::move(classes);
    print_indented(std::cout, result);
  } else {
    table.add(to_row("all", all));
    table.print(std::cout);
  }
  finish_output();
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
  evaluate.add_flag("--json", command->json,
                    "A JSON object: image_auroc, image_ap, image_f1, pixel_auroc (0..1, null where "
                    "undefined), images, defects; the same under classes.NAME");
  evaluate.footer(
      "Each class is compared with the good images. Pixel metrics compare the anomaly map, "
      "brought\n"
      "to the mask's size, with the mask.\n\n"
      "Example:\n"
      "  patchcore evaluate --bank part.safetensors --dataset part/");
  evaluate.callback([command] { run(*command); });
}

}  // namespace patchcore::cli
