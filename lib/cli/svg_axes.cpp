// SPDX-License-Identifier: LGPL-2.1-or-later
#include "svg_axes.hpp"

#include <cmath>

#include "html.hpp"
#include "output.hpp"

namespace patchcore::cli {
namespace {

constexpr int kLeft = 56, kRight = 16, kTop = 14, kBottom = 46;  // pixels around the axes

/// A round step that parts a length into four to ten.
double step_of(double length) {
  const double raw = length / 5;
  const double power = std::pow(10, std::floor(std::log10(raw)));
  const double factor = raw / power;
  return power * (factor < 1.5 ? 1 : factor < 3.5 ? 2 : factor < 7.5 ? 5 : 10);
}

std::vector<double> tick_values(Span span) {
  const double step = step_of(span.length());
  std::vector<double> values;
  const double first = std::ceil(span.first / step - 1e-9),
               last = std::floor(span.last / step + 1e-9);
  for (double i = first; i <= last; ++i) values.push_back(i * step + 0.0);  // makes -0 a 0
  return values;
}

std::string attribute(const char* name, double value) {
  return " " + std::string(name) + "=\"" + fixed(value, 1) + "\"";
}

}  // namespace

SvgAxes::SvgAxes(int width, int height, Span x, Span y, const Labels& labels)
    : width_(width), height_(height), x_(x), y_(y) {
  const std::string size = std::to_string(width) + " " + std::to_string(height);
  svg_ = "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" viewBox=\"0 0 " + size +
         "\">\n<title>" + html_text(labels.title) + "</title>\n";
  ticks();
  const double middle = (kLeft + width_ - kRight) / 2.0;
  text({middle, height_ - 8.0}, labels.x, " text-anchor=\"middle\"");
  const std::string place = "translate(14 " + fixed((kTop + height_ - kBottom) / 2.0, 1) + ")";
  text({0, 0}, labels.y, " text-anchor=\"middle\" transform=\"" + place + " rotate(-90)\"");
}

double SvgAxes::left(double x) const {
  return kLeft + (x - x_.first) / x_.length() * (width_ - kLeft - kRight);
}

double SvgAxes::top(double y) const {
  return height_ - kBottom - (y - y_.first) / y_.length() * (height_ - kTop - kBottom);
}

void SvgAxes::text(Point at, const std::string& words, const std::string& attributes) {
  svg_ += "<text" + attribute("x", at.x) + attribute("y", at.y) + attributes + ">" +
          html_text(words) + "</text>\n";
}

void SvgAxes::ticks() {
  const double bottom = top(y_.first), right = left(x_.last);
  for (const double x : tick_values(x_)) {
    line({{x, y_.first}, {x, y_.last}}, "grid");
    text({left(x), bottom + 16}, digits(x), " text-anchor=\"middle\"");
  }
  for (const double y : tick_values(y_)) {
    line({{x_.first, y}, {x_.last, y}}, "grid");
    text({kLeft - 6.0, top(y) + 4}, digits(y), " text-anchor=\"end\"");
  }
  svg_ += "<path class=\"axis\" d=\"M" + fixed(kLeft, 1) + " " + fixed(kTop, 1) + "V" +
          fixed(bottom, 1) + "H" + fixed(right, 1) + "\"/>\n";
}

void SvgAxes::bar(Span x, double height, const std::string& kind) {
  const double x1 = left(x.first), y1 = top(height);
  svg_ += "<rect class=\"" + kind + "\"" + attribute("x", x1) + attribute("y", y1) +
          attribute("width", left(x.last) - x1) + attribute("height", top(y_.first) - y1) + "/>\n";
}

void SvgAxes::mark(Point at, const std::string& kind) {
  svg_ += "<circle class=\"" + kind + "\"" + attribute("cx", left(at.x)) +
          attribute("cy", top(at.y)) + " r=\"5\"/>\n";
}

void SvgAxes::vertical(double x, const std::string& label, const std::string& kind) {
  line({{x, y_.first}, {x, y_.last}}, kind);
  const bool room = left(x) < width_ * 0.6;
  text({left(x) + (room ? 6 : -6), kTop + 12.0}, label, room ? "" : " text-anchor=\"end\"");
}

void SvgAxes::line(const std::vector<Point>& points, const std::string& kind) {
  constexpr double kVisible = 0.25;  // pixels
  std::string path;
  Point drawn{};
  for (size_t i = 0; i < points.size(); ++i) {
    const Point at{left(points[i].x), top(points[i].y)};
    const bool near = std::abs(at.x - drawn.x) < kVisible && std::abs(at.y - drawn.y) < kVisible;
    if (i > 0 && i + 1 < points.size() && near) continue;
    path += (i == 0 ? "M" : "L") + fixed(at.x, 1) + " " + fixed(at.y, 1);
    drawn = at;
  }
  svg_ += "<path class=\"" + kind + "\" d=\"" + path + "\"/>\n";
}

void SvgAxes::legend(const std::string& label, const std::string& kind) {
  const double x = width_ - kRight - 150.0, y = kTop + 4.0 + 18 * legends_++;
  svg_ += "<rect class=\"" + kind + "\"" + attribute("x", x) + attribute("y", y) +
          " width=\"12\" height=\"12\"/>\n";
  text({x + 18, y + 10}, label, "");
}

}  // namespace patchcore::cli
