// SPDX-License-Identifier: LGPL-2.1-or-later
#include "batch.hpp"

#include <algorithm>
#include <opencv2/imgproc.hpp>

#include "inference.hpp"

namespace patchcore::cli {
namespace {

/// `side`: pixels of the longer side; 0: nothing is made.
cv::Mat make_preview(const cv::Mat& image, int side) {
  if (side == 0) return {};
  const double scale = static_cast<double>(side) / std::max(image.cols, image.rows);
  const auto scaled = [&](int length) { return std::max(1, cvRound(length * scale)); };
  cv::Mat preview;
  cv::resize(image, preview, {scaled(image.cols), scaled(image.rows)}, 0, 0,
             scale < 1 ? cv::INTER_AREA : cv::INTER_LINEAR);
  return preview;
}

class Batch {
 public:
  /// `pattern`: who wants the images.
  Batch(const Backbone& backbone, const Preprocess& preprocess, Request pattern, const Sink& sink,
        int size, int preview_side = 0)
      : backbone_(backbone),
        preprocess_(preprocess),
        pattern_(std::move(pattern)),
        sink_(sink),
        size_(static_cast<size_t>(size)),
        preview_side_(preview_side) {}

  void run(std::span<const ImageFile> files) {
    for (const ImageFile& file : files) {
      Waiting next = prepare(file);
      if (!waiting_.empty() && waiting_.front().geometry.input != next.geometry.input) flush();
      waiting_.push_back(std::move(next));
      if (waiting_.size() == size_) flush();
    }
    flush();
  }

 private:
  struct Waiting {
    const ImageFile* file;
    Size size;
    InputGeometry geometry;
    std::vector<uint8_t> rgb;  ///< one of the two
    std::vector<float> rgb_floats;
    cv::Mat preview;
  };

  Waiting prepare(const ImageFile& file) const {
    const cv::Mat image = read_rgb(file.path);
    Waiting next{
        &file, {image.cols, image.rows},          geometry(file, {image.cols, image.rows}), {},
        {},    make_preview(image, preview_side_)};
    const Size input = next.geometry.input;
    const ImageView view{image.data, image.cols, image.rows,
                         static_cast<std::ptrdiff_t>(image.step)};
    const auto resize = [&](auto& values) {
      values.resize(size_t{3} * static_cast<size_t>(input.width) *
                    static_cast<size_t>(input.height));
      preprocess_.resize(view, values.data());
    };
    preprocess_.wants_floats() ? resize(next.rgb_floats) : resize(next.rgb);
    return next;
  }

  InputGeometry geometry(const ImageFile& file, Size size) const {
    try {
      if (pattern_.mask) pattern_.mask->check(size);
      return preprocess_.geometry(size);
    } catch (const Error& error) {
      // Of this image, not of the command line: others may fit.
      throw Error(ErrorCode::Failed, "\"" + file.path.string() + "\": " + error.what());
    }
  }

  void flush() {
    if (waiting_.empty()) return;
    std::vector<Request> requests(waiting_.size(), pattern_);
    for (size_t i = 0; i < requests.size(); ++i) {
      const Waiting& one = waiting_[i];
      requests[i].rgb = one.rgb.empty() ? nullptr : one.rgb.data();
      requests[i].rgb_floats = one.rgb_floats.empty() ? nullptr : one.rgb_floats.data();
      requests[i].region = one.geometry.region;
    }
    infer(backbone_, waiting_.front().geometry.input, requests);
    for (size_t i = 0; i < requests.size(); ++i)
      sink_({*waiting_[i].file, waiting_[i].size, waiting_[i].geometry,
             std::move(requests[i].result), std::move(waiting_[i].preview)});
    waiting_.clear();
  }

  const Backbone& backbone_;
  const Preprocess& preprocess_;
  const Request pattern_;
  const Sink& sink_;
  const size_t size_;
  const int preview_side_;
  std::vector<Waiting> waiting_;
};

}  // namespace

void score_images(const Detector& detector, const MaskPtr& mask, std::span<const ImageFile> files,
                  const Sink& sink, int batch_size, int preview_side) {
  Request pattern;
  pattern.mask = mask.get();
  pattern.detector = &detector;
  Batch(detector.backbone(), detector.preprocess(), pattern, sink, batch_size, preview_side)
      .run(files);
}

void fit_images(Fit& fit, const MaskPtr& mask, std::span<const ImageFile> files, const Sink& sink,
                int batch_size) {
  Request pattern;
  pattern.mask = mask.get();
  pattern.fit = &fit;
  Batch(fit.backbone(), fit.preprocess(), pattern, sink, batch_size).run(files);
}

}  // namespace patchcore::cli
