// SPDX-License-Identifier: LGPL-2.1-or-later
// The C API for tests in C++: who owns what, errors, and a station that draws and fits.
#pragma once

#include <patchcore-cuda.h>

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "../check_main.hpp"
#include "../files.hpp"

namespace c_api {

template <auto unref>
struct Unref {
  template <typename Object>
  void operator()(Object* object) const {
    unref(object);
  }
};
using Backbone = std::unique_ptr<PatchcoreBackbone, Unref<patchcore_backbone_unref>>;
using Bank = std::unique_ptr<PatchcoreBank, Unref<patchcore_bank_unref>>;
using Fit = std::unique_ptr<PatchcoreFit, Unref<patchcore_fit_unref>>;
using Detector = std::unique_ptr<PatchcoreDetector, Unref<patchcore_detector_unref>>;
using Bytes = std::unique_ptr<GBytes, Unref<g_bytes_unref>>;
using Cancellable = std::unique_ptr<GCancellable, Unref<g_object_unref>>;

/// Where a function puts its error.
class ErrorPtr {
 public:
  ErrorPtr() = default;
  ~ErrorPtr() { g_clear_error(&error_); }
  ErrorPtr(const ErrorPtr&) = delete;
  ErrorPtr& operator=(const ErrorPtr&) = delete;

  GError** out() {
    g_clear_error(&error_);
    return &error_;
  }

  /// Fails the test unless the error is of this code and its message names `part`.
  void assert_is(PatchcoreError code, const char* part = "") const {
    const std::string message = error_ ? error_->message : "no error";
    ck_assert_msg(g_error_matches(error_, PATCHCORE_ERROR, code), "%s", message.c_str());
    ck_assert_msg(message.find(part) != std::string::npos, "\"%s\" doesn't name %s",
                  message.c_str(), part);
  }

  /// Fails the test, with the message, where there is an error.
  void assert_none() const { ck_assert_msg(!error_, "%s", error_->message); }

 private:
  GError* error_ = nullptr;
};

inline constexpr guint kSide = 64;

/// A normal frame: stripes whose phase depends on `serial`; as RGB of the network's input.
inline std::vector<guint8> stripes(int serial) {
  std::vector<guint8> rgb;
  for (guint y = 0; y < kSide; ++y)
    for (guint x = 0; x < kSide; ++x)
      for (const int channel : {0, 1, 2})
        rgb.push_back(
            static_cast<guint8>(128 + 60 * std::sin(0.7 * x + 0.3 * y + serial) + channel * 10));
  return rgb;
}

inline PatchcoreBackboneOptions on_cpu(const gchar* const* layers) {
  PatchcoreBackboneOptions options{};
  options.device = "cpu";
  options.layers = layers;
  return options;
}

inline Backbone builtin(const gchar* const* layers = nullptr) {
  ErrorPtr error;
  const PatchcoreBackboneOptions options = on_cpu(layers);
  Backbone backbone(patchcore_backbone_get(&options, error.out()));
  error.assert_none();
  return backbone;
}

inline Fit new_fit(const PatchcoreFitOptions& options, const Backbone& backbone = builtin()) {
  ErrorPtr error;
  Fit fit(patchcore_fit_new(backbone.get(), &options, error.out()));
  error.assert_none();
  return fit;
}

inline PatchcoreFitOptions small() {
  PatchcoreFitOptions options{};
  options.resize_width = options.resize_height = kSide;
  return options;
}

/// Adds four frames.
inline void learn(const Fit& fit, const Backbone& backbone) {
  ErrorPtr error;
  for (int i = 0; i < 4; ++i) {
    const auto rgb = stripes(i);
    PatchcoreRequest request{};
    request.rgb = rgb.data();
    request.fit = fit.get();
    patchcore_infer(backbone.get(), kSide, kSide, &request, 1, error.out());
    error.assert_none();
  }
}

/// A bank of four frames.
inline Bank built(const PatchcoreFitOptions& options = small(),
                  const Backbone& backbone = builtin()) {
  ErrorPtr error;
  const Fit fit = new_fit(options, backbone);
  learn(fit, backbone);
  Bank bank(patchcore_fit_build(fit.get(), nullptr, nullptr, nullptr, error.out()));
  error.assert_none();
  return bank;
}

inline Bank loaded(const std::string& file) {
  ErrorPtr error;
  Bank bank(patchcore_bank_load(file.c_str(), nullptr, nullptr, error.out()));
  error.assert_none();
  return bank;
}

inline PatchcoreBankInfo info_of(const Bank& bank) {
  PatchcoreBankInfo info;
  patchcore_bank_get_info(bank.get(), &info);
  return info;
}

inline std::string id_of(const Bank& bank) { return patchcore_bank_get_id(bank.get()); }

}  // namespace c_api
