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

/// Who wants the images.
struct Viewer {
  const Backbone& backbone;
  const Preprocess& preprocess;
  Request pattern;

  Viewer(const Detector& detector, const MaskPtr& mask)
      : backbone(detector.backbone()), preprocess(detector.preprocess()) {
    pattern.detector = &detector;
    pattern.mask = mask.get();
  }
  Viewer(Fit& fit, const MaskPtr& mask) : backbone(fit.backbone()), preprocess(fit.preprocess()) {
    pattern.fit = &fit;
    pattern.mask = mask.get();
  }
};

/// An image brought to a viewer's input.
struct Input {
  InputGeometry geometry;
  std::vector<uint8_t> rgb;  ///< one of the two
  std::vector<float> rgb_floats;

  Input(const Preprocess& preprocess, const ImageView& view, const InputGeometry& its)
      : geometry(its) {
    const auto resize = [&](auto& values) {
      values.resize(size_t{3} * static_cast<size_t>(its.input.width) *
                    static_cast<size_t>(its.input.height));
      preprocess.resize(view, values.data());
    };
    preprocess.wants_floats() ? resize(rgb_floats) : resize(rgb);
  }
};

class Batch {
 public:
  Batch(std::vector<Viewer> viewers, const SinkOfSeveral& sink, int size, int preview_side = 0)
      : viewers_(std::move(viewers)),
        sink_(sink),
        size_(static_cast<size_t>(size)),
        preview_side_(preview_side) {}

  void run(std::span<const ImageFile> files) {
    for (const ImageFile& file : files) {
      Waiting next = prepare(file);
      if (!waiting_.empty() && !waiting_.front().has_sizes_of(next)) flush();
      waiting_.push_back(std::move(next));
      if (waiting_.size() == size_) flush();
    }
    flush();
  }

 private:
  struct Waiting {
    const ImageFile* file;
    Size size;
    cv::Mat preview;
    std::vector<Input> inputs;  ///< a viewer each

    bool has_sizes_of(const Waiting& other) const {
      return std::equal(
          inputs.begin(), inputs.end(), other.inputs.begin(),
          [](const Input& a, const Input& b) { return a.geometry.input == b.geometry.input; });
    }
  };

  Waiting prepare(const ImageFile& file) const {
    const cv::Mat image = read_rgb(file.path);
    const Size size{image.cols, image.rows};
    const ImageView view{image.data, image.cols, image.rows,
                         static_cast<std::ptrdiff_t>(image.step)};
    Waiting next{&file, size, make_preview(image, preview_side_), {}};
    for (const Viewer& viewer : viewers_)
      next.inputs.emplace_back(viewer.preprocess, view, geometry(viewer, file, size));
    return next;
  }

  static InputGeometry geometry(const Viewer& viewer, const ImageFile& file, Size size) {
    try {
      if (viewer.pattern.mask) viewer.pattern.mask->check(size);
      return viewer.preprocess.geometry(size);
    } catch (const Error& error) {
      // Of this image, not of the command line: others may fit.
      throw Error(ErrorCode::Failed, "\"" + file.path.string() + "\": " + error.what());
    }
  }

  /// What a viewer makes of those that wait.
  std::vector<Request> infer_for(size_t viewer) const {
    std::vector<Request> requests(waiting_.size(), viewers_[viewer].pattern);
    for (size_t i = 0; i < requests.size(); ++i) {
      const Input& one = waiting_[i].inputs[viewer];
      requests[i].rgb = one.rgb.empty() ? nullptr : one.rgb.data();
      requests[i].rgb_floats = one.rgb_floats.empty() ? nullptr : one.rgb_floats.data();
      requests[i].region = one.geometry.region;
    }
    infer(viewers_[viewer].backbone, waiting_.front().inputs[viewer].geometry.input, requests);
    return requests;
  }

  void flush() {
    if (waiting_.empty()) return;
    std::vector<std::vector<Request>> done;
    for (size_t v = 0; v < viewers_.size(); ++v) done.push_back(infer_for(v));
    for (size_t i = 0; i < waiting_.size(); ++i) {
      const Waiting& image = waiting_[i];
      std::vector<Processed> seen;
      for (size_t v = 0; v < viewers_.size(); ++v)
        seen.push_back({*image.file, image.size, image.inputs[v].geometry,
                        std::move(done[v][i].result), image.preview, &viewers_[v].preprocess});
      sink_(seen);
    }
    waiting_.clear();
  }

  const std::vector<Viewer> viewers_;
  const SinkOfSeveral& sink_;
  const size_t size_;
  const int preview_side_;
  std::vector<Waiting> waiting_;
};

}  // namespace

void score_images(std::span<const std::unique_ptr<const Detector>> detectors, const MaskPtr& mask,
                  std::span<const ImageFile> files, const SinkOfSeveral& sink, int batch_size,
                  int preview_side) {
  std::vector<Viewer> viewers;
  for (const auto& detector : detectors) viewers.emplace_back(*detector, mask);
  Batch(std::move(viewers), sink, batch_size, preview_side).run(files);
}

void fit_images(Fit& fit, const MaskPtr& mask, std::span<const ImageFile> files, const Sink& sink,
                int batch_size) {
  const SinkOfSeveral only = [&](std::span<Processed> seen) { sink(seen.front()); };
  Batch({Viewer(fit, mask)}, only, batch_size).run(files);
}

}  // namespace patchcore::cli
