// SPDX-License-Identifier: LGPL-2.1-or-later
#include "report.hpp"

#include <set>

#include "atomic_file.hpp"
#include "html.hpp"
#include "output.hpp"
#include "plots.hpp"
#include "report_style.hpp"
#include "report_table.hpp"
#include "version.hpp"

namespace patchcore::cli {
namespace {

namespace fs = std::filesystem;

/// The data set's own name, also where a path ends in a slash or is ".".
std::string name_of(const std::string& folder) {
  std::error_code error;
  fs::path path = fs::weakly_canonical(folder, error);
  if (error) path = folder;
  return path.has_filename() ? path.filename().string() : path.parent_path().filename().string();
}

std::string head(const std::string& title) {
  return "<!DOCTYPE html>\n<html xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"en\">\n<head>\n"
         "<meta charset=\"utf-8\"/>\n"
         // Whatever else is in the file, nothing in it may run or ask the network.
         "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
         "img-src data:; style-src 'unsafe-inline'\"/>\n"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
         "<title>" +
         title + "</title>\n<style>" + kReportStyle + "</style>\n</head>\n<body>\n";
}

std::string notes(const std::vector<std::string>& notes) {
  if (notes.empty()) return "";
  std::string list = "<ul class=\"notes\">\n";
  for (const std::string& note : notes) list += "<li>" + html_text(note) + "</li>\n";
  return list + "</ul>\n";
}

std::string scores_section(const ReportContent& content) {
  const EvaluationResult& result = content.result;
  const auto threshold = threshold_of(content.ensemble.calibration());
  std::string section = "<section id=\"scores\">\n<h2>Scores</h2>\n<figure class=\"plot\">\n" +
                        histogram_plot(result.good, result.defective, threshold) + "</figure>\n";
  if (!result.good.empty() && !result.defective.empty()) {
    const auto levels = score_levels(result.good, result.defective);
    section += "<div class=\"curves\">\n<figure>\n" + roc_plot(levels, threshold) +
               "<figcaption>ROC curve</figcaption></figure>\n<figure>\n" +
               precision_recall_plot(levels, threshold) +
               "<figcaption>Precision-recall curve</figcaption></figure>\n</div>\n";
    if (threshold) section += "<p class=\"quiet\">The circle is at the bank's threshold.</p>\n";
  }
  return section + "</section>\n";
}

std::string picture(const std::string& jpeg, const std::string& what) {
  return "<img src=\"" + data_uri("image/jpeg", jpeg) + "\" alt=\"" + what + "\"/>";
}

/// wrong_above: would its score be wrong at or above the threshold, or below it?
std::string exhibit(const Exhibit& exhibit, std::optional<double> threshold, bool wrong_above) {
  const std::string name = html_text(exhibit.name);
  std::string verdict;
  if (threshold) {
    const bool anomalous = exhibit.score >= *threshold;
    verdict = std::string("<span class=\"verdict ") +
              (anomalous == wrong_above ? "wrong" : "right") + "\">" +
              (anomalous ? "anomalous" : "normal") + "</span>";
  }
  return "<figure>\n<div class=\"pair\">" + picture(exhibit.picture, name) +
         picture(exhibit.heatmap, "Heatmap of " + name) + "</div>\n<figcaption>" + verdict +
         "<bdi>" + name + "</bdi><br/>score " + digits(exhibit.score) +
         "</figcaption>\n</figure>\n";
}

std::string gallery_section(const std::string& id, const std::string& heading,
                            const std::string& words, const std::vector<Exhibit>& exhibits,
                            std::optional<double> threshold) {
  if (exhibits.empty()) return "";
  std::string section = "<section id=\"" + id + "\">\n<h2>" + heading +
                        "</h2>\n<p class=\"quiet\">" + words + "</p>\n<div class=\"gallery\">\n";
  for (const Exhibit& shown : exhibits) section += exhibit(shown, threshold, id == "false-alarms");
  return section + "</div>\n</section>\n";
}

std::string galleries(const ReportContent& content) {
  const auto threshold = threshold_of(content.ensemble.calibration());
  const std::string colours =
      threshold ? " Colours: blue is normal, green is at the pixel threshold, red is far above it."
                : " Colours: each map from its least value, blue, to its largest, red.";
  return gallery_section(
             "misses", "Worst misses",
             "Defective images with the lowest scores; the line is around the mask." + colours,
             content.gallery.misses(), threshold) +
         gallery_section("false-alarms", "Worst false alarms",
                         "Good images with the highest scores." + colours,
                         content.gallery.false_alarms(), threshold);
}

std::string fact(const std::string& name, const std::string& value) {
  return "<dt>" + html_text(name) + "</dt><dd>" + html_text(value) + "</dd>\n";
}

std::string facts_of(const MemoryBank& bank) {
  const Calibration& calibration = bank.calibration;
  std::string facts =
      fact("bank", bank.origin) + fact("bank id", bank.id) +
      fact("rows", std::to_string(bank.size()) + " x " + std::to_string(bank.width())) +
      fact("fitted on", bank.frames ? std::to_string(bank.frames) + " images" : "unknown") +
      fact("threshold", calibration.valid() ? digits(calibration.threshold) : "none");
  if (calibration.valid())
    facts += fact("found by", calibration.method) +
             fact("pixel threshold", digits(calibration.pixel_threshold));
  facts += fact("weights", bank.weights_id) + fact("precision", bank.precision);
  for (const auto& [name, value] : bank.settings.to_metadata()) facts += fact(name, value);
  return facts;
}

std::string facts_section(const ReportContent& content) {
  std::string section =
      "<section id=\"bank\">\n<h2>How it was measured</h2>\n<dl class=\"facts\">\n";
  section += fact("data set", content.dataset);
  for (const auto& detector : content.ensemble.detectors()) section += facts_of(detector->bank());
  section +=
      fact("pixel geometry", content.geometry) +
      fact("intervals", content.bootstrap.resamples == 0
                            ? "none"
                            : std::to_string(content.bootstrap.resamples) + " resamples, seed " +
                                  std::to_string(content.bootstrap.seed)) +
      fact("made with", std::string("patchcore ") + kVersion);
  return section + "</dl>\n</section>\n";
}

/// What they were made with, each kind once.
std::string kinds_of(const Ensemble& ensemble) {
  std::set<std::string> kinds;
  for (const auto& detector : ensemble.detectors())
    kinds.insert(detector->settings().backbone + ", preset " + nick(detector->settings().preset));
  const size_t banks = ensemble.detectors().size();
  std::string text = banks > 1 ? std::to_string(banks) + " banks" : "";
  for (const std::string& kind : kinds) text += (text.empty() ? "" : ", ") + kind;
  return text;
}

std::string make_report(const ReportContent& content) {
  const std::string name = html_text(name_of(content.dataset));
  const Metrics& all = content.result.all;
  return head("Anomaly detection on " + name) + "<header>\n<h1>Anomaly detection on <bdi>" + name +
         "</bdi></h1>\n<p class=\"quiet\">" + std::to_string(all.images - all.defects) +
         " good and " + std::to_string(all.defects) + " defective images, " +
         html_text(kinds_of(content.ensemble)) + "</p>\n</header>\n<main>\n" +
         notes(content.result.notes) + key_figures(all) + metrics_section(content.result) +
         scores_section(content) + galleries(content) + facts_section(content) +
         "</main>\n</body>\n</html>\n";
}

}  // namespace

void write_report(const fs::path& file, const ReportContent& content) {
  const std::string text = make_report(content);
  AtomicFile out(file);
  out.write(text.data(), text.size());
  out.commit();
}

}  // namespace patchcore::cli
