// SPDX-License-Identifier: LGPL-2.1-or-later
// What is painted on frames. The network's input is as large as the frame here, so a pixel of the
// map is a pixel of the frame; where regions lie is taken from their metadata, which is tested with
// the regions.

#include <gst/video/video.h>

#include <algorithm>
#include <array>

#include "../check_main.hpp"
#include "../element_test.hpp"

namespace {

constexpr guint kSide = 128;

using Pixel = std::array<guint8, 3>;
constexpr Pixel kRed{255, 48, 48};

struct Rectangle {
  guint x, y, w, h;
  bool holds(guint px, guint py) const { return px >= x && px < x + w && py >= y && py < y + h; }
};

/// A frame of RGB as it left, and what its regions say.
struct Painted {
  std::string bytes;
  std::vector<Rectangle> regions;
  guint peak_x = 0, peak_y = 0;  ///< of the worst region, pixels
  double peak = 0;               ///< normalized

  Pixel at(guint x, guint y) const {
    const size_t i = size_t{3} * (y * kSide + x);
    return {static_cast<guint8>(bytes[i]), static_cast<guint8>(bytes[i + 1]),
            static_cast<guint8>(bytes[i + 2])};
  }
  Pixel at_peak() const { return at(peak_x, peak_y); }
};

void read_regions(GstBuffer* buffer, Painted* painted) {
  gpointer state = nullptr;
  while (GstMeta* meta = gst_buffer_iterate_meta_filtered(
             buffer, &state, GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE)) {
    const auto* roi = reinterpret_cast<GstVideoRegionOfInterestMeta*>(meta);
    if (painted->regions.empty()) {
      const GstStructure* about = gst_video_region_of_interest_meta_get_param(
          const_cast<GstVideoRegionOfInterestMeta*>(roi), "patchcore-region");
      painted->peak = number(about, "normalized-score");
      painted->peak_x = static_cast<guint>(number(about, "peak-x") * kSide);
      painted->peak_y = static_cast<guint>(number(about, "peak-y") * kSide);
    }
    painted->regions.push_back({roi->x, roi->y, roi->w, roi->h});
  }
}

/// A black picture with a white ball, which is nothing like what the bank was fitted on.
Painted paint(const FittedBank& bank, const std::string& properties) {
  Painted painted;
  const Look look = [&](GstBuffer*& buffer) {
    painted.bytes = pixels(buffer);
    read_regions(buffer, &painted);
  };
  assert_text(run_pipeline("videotestsrc pattern=ball num-buffers=1 ! video/x-raw,format=RGB,"
                           "width=128,height=128 ! patchcoredetect region-meta=roi opacity=1 " +
                               bank.detect + properties + " ! fakesink name=end",
                           nullptr, {{"end.sink", look}}),
              "");
  ck_assert_uint_eq(painted.bytes.size(), size_t{3} * kSide * kSide);
  ck_assert(!painted.regions.empty());
  return painted;
}

bool near(const Pixel& a, const Pixel& b) {
  for (size_t i = 0; i < 3; ++i)
    if (std::abs(a[i] - b[i]) > 1) return false;
  return true;
}

std::string passed(ElementHarness& h, guint index, bool defect) {
  h.push(index, defect);
  return pixels(h.pull().get());
}

/// The part that differs between two grey pictures: right and lower end, 0 where nothing does.
std::pair<guint, guint> extent_of_change(const std::string& a, const std::string& b) {
  std::pair<guint, guint> extent{0, 0};
  for (guint i = 0; i < a.size(); ++i)
    if (a[i] != b[i])
      extent = {std::max(extent.first, i % kSide + 1), std::max(extent.second, i / kSide + 1)};
  return extent;
}

}  // namespace

START_TEST(the_heatmap_has_the_colour_of_the_maps_normalized_value) {
  const FittedBank bank;
  const Painted grey = paint(bank, "colormap=grey");
  const auto level = static_cast<guint8>(255 * grey.peak + 0.5);
  ck_assert(near(grey.at_peak(), {level, level, level}));
  std::vector<Pixel> colours{grey.at_peak()};
  for (const char* map : {"turbo", "inferno", "viridis", "jet"}) {
    const Pixel colour = paint(bank, std::string("colormap=") + map).at_peak();
    ck_assert_msg(std::find(colours.begin(), colours.end(), colour) == colours.end(),
                  "%s looks like another one", map);
    colours.push_back(colour);
  }
  ck_assert(paint(bank, "").at_peak() == colours[1]);  // turbo
}
END_TEST

START_TEST(regions_are_outlined_and_their_inside_is_left_clear) {
  const FittedBank bank;
  const Painted clear = paint(bank, "overlay=none"), outlined = paint(bank, "overlay=regions");
  std::vector<bool> left(clear.regions.size()), right(left), top(left), bottom(left);
  for (guint y = 0; y < kSide; ++y)
    for (guint x = 0; x < kSide; ++x) {
      if (outlined.at(x, y) == clear.at(x, y)) continue;
      ck_assert(near(outlined.at(x, y), kRed));
      bool within = false;
      for (size_t i = 0; i < clear.regions.size(); ++i) {
        const Rectangle& r = clear.regions[i];
        if (!r.holds(x, y)) continue;
        within = true;
        left[i] = left[i] || x == r.x;
        right[i] = right[i] || x == r.x + r.w - 1;
        top[i] = top[i] || y == r.y;
        bottom[i] = bottom[i] || y == r.y + r.h - 1;
      }
      ck_assert_msg(within, "%u, %u is in no region", x, y);
    }
  for (const auto* side : {&left, &right, &top, &bottom})
    ck_assert(std::find(side->begin(), side->end(), false) == side->end());
  ck_assert(outlined.at_peak() == clear.at_peak());
}
END_TEST

START_TEST(both_are_the_heatmap_with_outlines_on_it) {
  const FittedBank bank;
  const Painted clear = paint(bank, "overlay=none"), heat = paint(bank, "overlay=heatmap"),
                rims = paint(bank, "overlay=regions"), both = paint(bank, "overlay=both");
  for (guint y = 0; y < kSide; ++y)
    for (guint x = 0; x < kSide; ++x) {
      const bool rim = !(rims.at(x, y) == clear.at(x, y));
      ck_assert(both.at(x, y) == (rim ? rims : heat).at(x, y));
    }
}
END_TEST

START_TEST(grey_frames_have_a_grey_ramp_and_white_outlines) {
  const FittedBank bank;
  ElementHarness turbo(bank.detect + "opacity=1"), grey(bank.detect + "opacity=1 colormap=grey"),
      rims(bank.detect + "overlay=regions");
  ck_assert(passed(turbo, 20, true) == passed(grey, 20, true));
  const std::string before = original(20, true), after = passed(rims, 20, true);
  size_t changed = 0;
  for (size_t i = 0; i < before.size(); ++i) {
    if (before[i] == after[i]) continue;
    ck_assert_int_eq(static_cast<guint8>(after[i]), 255);  // grey has the full range by default
    ++changed;
  }
  ck_assert_uint_gt(changed, 0);
}
END_TEST

START_TEST(a_label_is_written_in_the_corner_of_normal_and_anomalous_frames) {
  const FittedBank bank;
  ElementHarness h(bank.detect + "overlay=none label=true");
  for (const bool defect : {false, true}) {
    const auto [right, bottom] = extent_of_change(original(20, defect), passed(h, 20, defect));
    // Four characters of eight pixels' height with a border around them.
    ck_assert_uint_ge(right, 20);
    ck_assert_uint_le(right, 60);
    ck_assert_uint_ge(bottom, 8);
    ck_assert_uint_le(bottom, 24);
  }
}
END_TEST

START_TEST(a_label_says_the_score) {
  const FittedBank bank;
  ElementHarness h(bank.detect + "overlay=none label=true");
  const auto label = [&](guint index, bool defect) {
    std::string corner;
    const std::string picture = passed(h, index, defect);
    for (guint y = 0; y < 24; ++y) corner += picture.substr(y * kSide, 60);
    return corner;
  };
  const std::string normal = label(20, false);
  ck_assert(label(20, false) == normal);
  // The corner itself is the same in both.
  ck_assert(label(20, true) != normal);
}
END_TEST

START_TEST(a_label_is_red_where_the_frame_is_anomalous) {
  const FittedBank bank;
  const auto reddish = [&](const std::string& properties) {
    const Painted painted = paint(bank, "overlay=none label=true " + properties);
    size_t count = 0;
    for (guint y = 0; y < 24; ++y)
      for (guint x = 0; x < 60; ++x) count += painted.at(x, y)[0] > painted.at(x, y)[1] + 100;
    return count;
  };
  ck_assert_uint_gt(reddish(""), 10);
  // Of a normal frame nothing has a colour.
  ElementHarness h(bank.detect + "overlay=none label=true");
  gst_harness_set_src_caps_str(h.get(),
                               "video/x-raw,format=RGB,width=128,height=128,framerate=25/1");
  GstBuffer* grey = gst_buffer_new_allocate(nullptr, size_t{3} * kSide * kSide, nullptr);
  const std::string normal = original(20, false);
  for (size_t i = 0; i < normal.size(); ++i) gst_buffer_memset(grey, 3 * i, normal[i], 3);
  GST_BUFFER_PTS(grey) = 0;
  ck_assert_int_eq(gst_harness_push(h.get(), grey), GST_FLOW_OK);
  const auto frame = h.pull();
  ck_assert(!anomalous(frame));
  const std::string bytes = pixels(frame.get());
  for (size_t i = 0; i < bytes.size(); i += 3) {
    ck_assert_int_eq(bytes[i], bytes[i + 1]);
    ck_assert_int_eq(bytes[i], bytes[i + 2]);
  }
}
END_TEST

START_TEST(a_region_of_interest_has_its_label_at_its_own_corner) {
  const FittedBank bank;
  ElementHarness h(bank.detect + "overlay=none label=true inference-region=roi");
  GstBuffer* frame = make_frame(20, false);
  gst_buffer_add_video_region_of_interest_meta(frame, "part", 64, 32, 64, 64);
  ck_assert_int_eq(gst_harness_push(h.get(), frame), GST_FLOW_OK);
  const std::string before = original(20, false), after = pixels(h.pull().get());
  ck_assert(after != before);
  for (guint i = 0; i < after.size(); ++i)
    if (after[i] != before[i]) ck_assert(i % kSide >= 64 && i / kSide >= 32 && i / kSide < 60);
}
END_TEST

START_TEST(without_a_calibration_the_label_is_there_and_outlines_are_not) {
  TemporaryFolder folder;
  const std::string bank = folder.file("bank");
  fit_bank(bank, 1);
  const std::string detect = "bank-location=" + bank + " ";
  ElementHarness label(detect + "overlay=none label=true"), rims(detect + "overlay=regions"),
      heat(detect + "overlay=heatmap");
  ck_assert(passed(label, 20, true) != original(20, true));
  ck_assert(passed(rims, 20, true) == original(20, true));
  ck_assert(passed(heat, 20, true) != original(20, true));
}
END_TEST

/// What is painted in one format, as RGB.
std::string painted_as(const FittedBank& bank, const std::string& format) {
  std::string bytes;
  const Look look = [&](GstBuffer*& buffer) { bytes = pixels(buffer); };
  assert_text(
      run_pipeline("videotestsrc pattern=ball num-buffers=1 ! video/x-raw,format=RGB,"
                   "width=128,height=128 ! videoconvert ! video/x-raw,format=" +
                       format + " ! patchcoredetect overlay=both label=true " + bank.detect +
                       " ! videoconvert ! video/x-raw,format=RGB ! fakesink name=end",
                   nullptr, {{"end.sink", look}}),
      "");
  return bytes;
}

START_TEST(in_every_format_the_overlay_looks_the_same) {
  const FittedBank bank;
  const std::string rgb = painted_as(bank, "RGB");
  ck_assert_uint_eq(rgb.size(), size_t{3} * kSide * kSide);
  for (const char* format : {"I420", "NV12", "YUY2", "Y444", "BGR", "RGBx", "BGRx", "xRGB", "xBGR",
                             "BGRA", "I420_10LE", "RGB16"}) {
    const std::string other = painted_as(bank, format);
    ck_assert_uint_eq(other.size(), rgb.size());
    double difference = 0;
    for (size_t i = 0; i < rgb.size(); ++i)
      difference += std::abs(static_cast<guint8>(rgb[i]) - static_cast<guint8>(other[i]));
    // Colours between an outline and what is beside it: half of them are lost with the chroma.
    ck_assert_msg(difference / static_cast<double>(rgb.size()) < 5, "%s: %f", format,
                  difference / static_cast<double>(rgb.size()));
  }
}
END_TEST

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  Suite* suite = suite_create("overlay");
  TCase* tests = tcase_create("overlay");
  tcase_set_timeout(tests, 120);
  tcase_add_test(tests, the_heatmap_has_the_colour_of_the_maps_normalized_value);
  tcase_add_test(tests, regions_are_outlined_and_their_inside_is_left_clear);
  tcase_add_test(tests, both_are_the_heatmap_with_outlines_on_it);
  tcase_add_test(tests, grey_frames_have_a_grey_ramp_and_white_outlines);
  tcase_add_test(tests, a_label_is_written_in_the_corner_of_normal_and_anomalous_frames);
  tcase_add_test(tests, a_label_says_the_score);
  tcase_add_test(tests, a_label_is_red_where_the_frame_is_anomalous);
  tcase_add_test(tests, a_region_of_interest_has_its_label_at_its_own_corner);
  tcase_add_test(tests, without_a_calibration_the_label_is_there_and_outlines_are_not);
  tcase_add_test(tests, in_every_format_the_overlay_looks_the_same);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
