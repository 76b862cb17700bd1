// SPDX-License-Identifier: LGPL-2.1-or-later
#include "report_table.hpp"

#include "html.hpp"
#include "output.hpp"

namespace patchcore::cli {
namespace {

constexpr const char* kUndefined = "<span title=\"undefined\">–</span>";

std::string percent(double fraction, int decimals) {
  return "<data value=\"" + Json(fraction).dump() + "\">" + fixed(fraction * 100, decimals) +
         "</data>";
}

std::string metric(const std::optional<double>& fraction,
                   const std::optional<Interval>& interval = {}) {
  if (!fraction) return kUndefined;
  std::string text = percent(*fraction, 2);
  if (interval)
    text +=
        " <small>" + percent(interval->low, 1) + " to " + percent(interval->high, 1) + "</small>";
  return text;
}

std::string count(const std::optional<size_t>& number, size_t of) {
  if (!number) return kUndefined;
  return std::to_string(*number) + " <small>of " + std::to_string(of) + "</small>";
}

std::string figure(const std::string& name, const std::string& value) {
  return "<div><dt>" + name + "</dt><dd>" + value + "</dd></div>\n";
}

std::string row(const Metrics& metrics) {
  const ImageMetrics& image = metrics.image;
  const ImageIntervals& intervals = metrics.intervals;
  std::string cells = "<tr><th scope=\"row\"><bdi>" + html_text(metrics.name) + "</bdi></th>";
  for (const std::string& cell :
       {std::to_string(metrics.defects), metric(image.auroc, intervals.auroc),
        metric(image.average_precision, intervals.average_precision),
        metric(image.best_f1, intervals.best_f1),
        metric(image.calibrated_f1, intervals.calibrated_f1),
        count(metrics.misses, metrics.defects),
        metric(metrics.pixel_auroc, metrics.pixel_intervals.auroc),
        metric(metrics.aupro, metrics.pixel_intervals.aupro)})
    cells += "<td>" + cell + "</td>";
  return cells + "</tr>\n";
}

}  // namespace

std::string key_figures(const Metrics& all) {
  return "<dl class=\"figures\">\n" +
         figure("Image AUROC, %", metric(all.image.auroc, all.intervals.auroc)) +
         figure("F1 at threshold, %",
                metric(all.image.calibrated_f1, all.intervals.calibrated_f1)) +
         figure("False alarms", count(all.false_alarms, all.images - all.defects)) +
         figure("Misses", count(all.misses, all.defects)) +
         figure("Pixel AUROC, %", metric(all.pixel_auroc, all.pixel_intervals.auroc)) +
         figure("AUPRO, %", metric(all.aupro, all.pixel_intervals.aupro)) + "</dl>\n";
}

std::string metrics_section(const EvaluationResult& result) {
  std::string section =
      "<section id=\"metrics\">\n<h2>Metrics</h2>\n<p class=\"quiet\">In per cent. Each class is "
      "compared with the good images. Small: the interval that holds 95 % of the resamples of the "
      "images. AUPRO is integrated to a false positive rate of 30 %.</p>\n"
      "<div class=\"wide\"><table>\n<thead><tr>";
  for (const char* heading : {"Class", "Defects", "Image AUROC", "AP", "Best F1",
                              "F1 at the threshold", "Misses", "Pixel AUROC", "AUPRO"})
    section += std::string("<th scope=\"col\">") + heading + "</th>";
  section += "</tr></thead>\n<tbody>\n";
  for (const Metrics& metrics : result.classes) section += row(metrics);
  return section + row(result.all) + "</tbody>\n</table></div>\n</section>\n";
}

}  // namespace patchcore::cli
