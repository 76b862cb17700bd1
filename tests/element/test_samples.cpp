// SPDX-License-Identifier: LGPL-2.1-or-later
// Where the samples of frames are said to lie, beside what GStreamer's own unpacking reads; and
// what they are of red, green and blue, beside the codes of colour bars.

#include <cmath>
#include <set>
#include <vector>

#include "../../gst-plugin/colorimetry.hpp"
#include "../../gst-plugin/samples.hpp"
#include "../check_main.hpp"

using namespace gstpatchcore;

namespace {

constexpr guint kWidth = 38, kHeight = 22;

std::vector<GstVideoFormat> formats_with_samples() {
  std::vector<GstVideoFormat> formats;
  guint count = 0;
  const GstVideoFormat* all = gst_video_formats_raw(&count);
  for (guint i = 0; i < count; ++i) {
    GstVideoInfo info;
    gst_video_info_set_format(&info, all[i], kWidth, kHeight);
    if (has_samples(info)) formats.push_back(all[i]);
  }
  return formats;
}

/// A mapped frame of noise.
class Frame {
 public:
  explicit Frame(GstVideoFormat format, bool interlaced = false, bool top = true) {
    gst_video_info_set_interlaced_format(
        &info, format,
        interlaced ? GST_VIDEO_INTERLACE_MODE_INTERLEAVED : GST_VIDEO_INTERLACE_MODE_PROGRESSIVE,
        kWidth, kHeight);
    GstBuffer* buffer = gst_buffer_new_allocate(nullptr, info.size, nullptr);
    GstMapInfo map;
    gst_buffer_map(buffer, &map, GST_MAP_WRITE);
    guint32 random = 1;
    for (gsize i = 0; i < map.size; ++i) {
      random = random * 1664525 + 1013904223;
      map.data[i] = static_cast<guint8>(random >> 24);
    }
    gst_buffer_unmap(buffer, &map);
    if (interlaced) GST_BUFFER_FLAG_SET(buffer, GST_VIDEO_BUFFER_FLAG_INTERLACED);
    if (interlaced && top) GST_BUFFER_FLAG_SET(buffer, GST_VIDEO_BUFFER_FLAG_TFF);
    ck_assert(gst_video_frame_map(&frame, &info, buffer, GST_MAP_READ));
    gst_buffer_unref(buffer);
  }
  ~Frame() { gst_video_frame_unmap(&frame); }
  Frame(const Frame&) = delete;
  Frame& operator=(const Frame&) = delete;

  PatchcoreSampledImage image(const Area& area) const {
    return sampled_image(frame, info, view_of(frame, info), area);
  }

  GstVideoInfo info;
  GstVideoFrame frame;
};

/// A row as GStreamer unpacks it: four values of 8 or 16 bits a pixel, the first of them alpha.
class Unpacked {
 public:
  Unpacked(const Frame& frame, guint row)
      : bits_(gst_video_format_get_info(frame.info.finfo->unpack_format)->depth[0]),
        values_(gsize{kWidth} * 4) {
    frame.info.finfo->unpack_func(frame.info.finfo, GST_VIDEO_PACK_FLAG_TRUNCATE_RANGE,
                                  values_.data(), frame.frame.data, frame.frame.info.stride, 0,
                                  static_cast<gint>(row), kWidth);
  }

  guint at(guint x, guint component, guint depth) const {
    const gsize i = gsize{4} * x + 1 + component;
    const guint value =
        bits_ == 8 ? reinterpret_cast<const guint8*>(values_.data())[i] : values_[i];
    return value >> (static_cast<guint>(bits_) - depth);
  }

 private:
  guint bits_;
  std::vector<guint16> values_;
};

guint sample(const PatchcoreSamples& s, guint column, guint row) {
  const auto* at = static_cast<const guint8*>(s.data) + gssize{row} * s.stride + column * s.step;
  const guint bits = s.bytes == 2 ? at[0] | at[1] << 8 : at[0];
  return bits >> s.shift & ((1u << s.depth) - 1);
}

/// Red, green and blue of three levels.
std::array<int, 3> rgb_of(const char* colorimetry, std::array<gdouble, 3> levels) {
  GstVideoInfo info;
  gst_video_info_set_format(&info, GST_VIDEO_FORMAT_NV12, 16, 16);
  ck_assert(gst_video_colorimetry_from_string(&info.colorimetry, colorimetry));
  std::array<int, 3> rgb{};
  const auto weights = rgb_weights_of(info);
  for (size_t i = 0; i < 3; ++i)
    rgb[i] = static_cast<int>(std::lround(weights[i][0] * levels[0] + weights[i][1] * levels[1] +
                                          weights[i][2] * levels[2] + weights[i][3]));
  return rgb;
}

}  // namespace

START_TEST(the_usual_formats_are_read_as_they_are) {
  std::set<GstVideoFormat> found;
  for (const GstVideoFormat format : formats_with_samples()) found.insert(format);
  for (const GstVideoFormat format :
       {GST_VIDEO_FORMAT_I420, GST_VIDEO_FORMAT_YV12, GST_VIDEO_FORMAT_NV12, GST_VIDEO_FORMAT_YUY2,
        GST_VIDEO_FORMAT_UYVY, GST_VIDEO_FORMAT_Y42B, GST_VIDEO_FORMAT_Y444, GST_VIDEO_FORMAT_RGB,
        GST_VIDEO_FORMAT_BGR, GST_VIDEO_FORMAT_RGBx, GST_VIDEO_FORMAT_GRAY8,
        GST_VIDEO_FORMAT_P010_10LE, GST_VIDEO_FORMAT_I420_10LE, GST_VIDEO_FORMAT_GRAY16_LE})
    ck_assert_msg(found.count(format), "%s", gst_video_format_to_string(format));
  for (const GstVideoFormat format :
       {GST_VIDEO_FORMAT_RGB16, GST_VIDEO_FORMAT_RGB8P, GST_VIDEO_FORMAT_NV12_64Z32,
        GST_VIDEO_FORMAT_P010_10BE, GST_VIDEO_FORMAT_v210, GST_VIDEO_FORMAT_RGB10A2_LE})
    ck_assert_msg(!found.count(format), "%s", gst_video_format_to_string(format));
}
END_TEST

START_TEST(samples_are_those_that_gstreamer_unpacks) {
  for (const GstVideoFormat format : formats_with_samples()) {
    const Frame frame(format);
    const PatchcoreSampledImage image = frame.image({0, 0, kWidth, kHeight});
    const GstVideoFormatInfo* f = frame.info.finfo;
    for (guint y = 0; y < kHeight; ++y) {
      const Unpacked row(frame, y);
      for (guint c = 0; c < 3; ++c) {
        const bool grey = GST_VIDEO_INFO_IS_GRAY(&frame.info);
        const guint component = grey ? 0 : c;
        for (guint x = 0; x < kWidth; ++x) {
          const guint ours =
              sample(image.components[c], x >> f->w_sub[component], y >> f->h_sub[component]);
          const guint expected = row.at(x, component, f->depth[component]);
          ck_assert_msg(ours == expected, "%s, component %u at %u, %u: %u, not %u",
                        gst_video_format_to_string(format), c, x, y, ours, expected);
        }
      }
    }
  }
}
END_TEST

START_TEST(a_part_begins_and_ends_with_whole_samples) {
  const Frame frame(GST_VIDEO_FORMAT_NV12);
  const View view = view_of(frame.frame, frame.info);
  const Area area = aligned({5, 3, 12, 9}, view, frame.info);
  ck_assert(area.x == 4 && area.y == 2 && area.width == 14 && area.height == 10);
  const PatchcoreSampledImage part = frame.image(area),
                              whole = frame.image({0, 0, kWidth, kHeight});
  ck_assert_uint_eq(part.components[0].columns, 14);
  ck_assert_uint_eq(part.components[2].columns, 7);
  ck_assert_uint_eq(part.components[2].rows, 5);
  ck_assert_uint_eq(sample(part.components[0], 3, 4), sample(whole.components[0], 7, 6));
  ck_assert_uint_eq(sample(part.components[2], 3, 4), sample(whole.components[2], 5, 5));
  // The last column of an odd frame has a sample of its own.
  const Area edge = aligned({37, 21, 1, 1}, view, frame.info);
  ck_assert(edge.x == 36 && edge.y == 20 && edge.width == 2 && edge.height == 2);
}
END_TEST

START_TEST(a_field_has_every_other_row_of_each_component) {
  for (const bool top : {true, false}) {
    const Frame frame(GST_VIDEO_FORMAT_NV12, /*interlaced=*/true, top);
    const View view = view_of(frame.frame, frame.info);
    ck_assert_uint_eq(view.height, kHeight / 2);
    ck_assert_double_eq(view.pixel_aspect, 0.5);
    const PatchcoreSampledImage field = frame.image({0, 0, view.width, view.height});
    ck_assert_uint_eq(field.components[0].rows, 11);
    ck_assert_uint_eq(field.components[1].rows, top ? 6 : 5);  // of eleven
    for (guint c = 0; c < 3; ++c) {
      const PatchcoreSamples all = samples_of(frame.frame, frame.info, c);
      for (guint row = 0; row < field.components[c].rows; ++row)
        ck_assert_uint_eq(sample(field.components[c], 5, row), sample(all, 5, 2 * row + !top));
    }
  }
}
END_TEST

START_TEST(yuv_is_the_rgb_of_the_standards_colour_bars) {
  // ITU-R BT.601 and BT.709, 100 % bars, codes of 8 bits; the same as JPEG has them in full range.
  const std::array<int, 3> red{255, 0, 0}, green{0, 255, 0}, blue{0, 0, 255}, white{255, 255, 255},
      black{0, 0, 0};
  const auto near = [](std::array<int, 3> ours, std::array<int, 3> expected) {
    for (size_t i = 0; i < 3; ++i)
      if (std::abs(ours[i] - expected[i]) > 2) return false;
    return true;
  };
  ck_assert(near(rgb_of("bt601", {81, 90, 240}), red));
  ck_assert(near(rgb_of("bt601", {145, 54, 34}), green));
  ck_assert(near(rgb_of("bt601", {41, 240, 110}), blue));
  ck_assert(near(rgb_of("bt709", {63, 102, 240}), red));
  ck_assert(near(rgb_of("bt709", {173, 42, 26}), green));
  ck_assert(near(rgb_of("bt709", {32, 240, 118}), blue));
  ck_assert(near(rgb_of("bt709", {235, 128, 128}), white));
  ck_assert(near(rgb_of("bt709", {16, 128, 128}), black));
  ck_assert(near(rgb_of("1:4:0:0", {76, 85, 255}), red));
  ck_assert(near(rgb_of("1:4:0:0", {150, 44, 21}), green));
  ck_assert(near(rgb_of("1:4:0:0", {29, 255, 107}), blue));
}
END_TEST

START_TEST(the_way_to_samples_and_back_ends_where_it_began) {
  for (const GstVideoFormat format : formats_with_samples()) {
    GstVideoInfo info;
    gst_video_info_set_format(&info, format, 16, 16);
    if (GST_VIDEO_INFO_IS_GRAY(&info)) continue;
    const auto back = rgb_weights_of(info);
    const gdouble rgb[3] = {10, 200, 77};
    gdouble levels[3];
    for (guint c = 0; c < 3; ++c) {
      const Weights w = weights_of(info, c);
      levels[c] = w[0] * rgb[0] + w[1] * rgb[1] + w[2] * rgb[2] + w[3];
    }
    for (guint c = 0; c < 3; ++c)
      ck_assert_double_eq_tol(
          back[c][0] * levels[0] + back[c][1] * levels[1] + back[c][2] * levels[2] + back[c][3],
          rgb[c], 1e-9);
  }
}
END_TEST

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  Suite* suite = suite_create("samples");
  TCase* tests = tcase_create("samples");
  tcase_add_test(tests, the_usual_formats_are_read_as_they_are);
  tcase_add_test(tests, samples_are_those_that_gstreamer_unpacks);
  tcase_add_test(tests, a_part_begins_and_ends_with_whole_samples);
  tcase_add_test(tests, a_field_has_every_other_row_of_each_component);
  tcase_add_test(tests, yuv_is_the_rgb_of_the_standards_colour_bars);
  tcase_add_test(tests, the_way_to_samples_and_back_ends_where_it_began);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
