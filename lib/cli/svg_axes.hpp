// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <vector>

namespace patchcore::cli {

struct Span {
  double first, last;
  double length() const { return last - first; }
};

struct Point {
  double x, y;
};

/// An SVG element with two axes and what is drawn between them, in the units of the axes.
class SvgAxes {
 public:
  struct Labels {
    std::string title, x, y;
  };

  /// width, height: of the whole in pixels. x, y: not empty, finite.
  SvgAxes(int width, int height, Span x, Span y, const Labels& labels);

  void bar(Span x, double height, const std::string& kind);
  void mark(Point at, const std::string& kind);
  void vertical(double x, const std::string& label, const std::string& kind);

  /// Points nearer to each other than can be seen are left out.
  void line(const std::vector<Point>& points, const std::string& kind);

  /// A coloured square and its meaning, below each other at the right.
  void legend(const std::string& label, const std::string& kind);

  std::string finish() const { return svg_ + "</svg>\n"; }

 private:
  double left(double x) const;
  double top(double y) const;
  void text(Point at, const std::string& words, const std::string& attributes);
  void ticks();

  int width_, height_;
  Span x_, y_;
  int legends_ = 0;
  std::string svg_;
};

}  // namespace patchcore::cli
