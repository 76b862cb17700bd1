// SPDX-License-Identifier: LGPL-2.1-or-later
// Pictures over frames: beside GStreamer's own overlay composition where both do the same, and
// beside the definition in fp64 where a picture is stretched.

#include <gst/video/video.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <random>

#include "../../gst-plugin/blender.hpp"
#include "../../gst-plugin/samples.hpp"
#include "../check_main.hpp"

using namespace gstpatchcore;

namespace {

constexpr GstVideoFormat kFormats[] = {
    GST_VIDEO_FORMAT_I420, GST_VIDEO_FORMAT_YV12, GST_VIDEO_FORMAT_NV12, GST_VIDEO_FORMAT_NV21,
    GST_VIDEO_FORMAT_YUY2, GST_VIDEO_FORMAT_UYVY, GST_VIDEO_FORMAT_YVYU, GST_VIDEO_FORMAT_VYUY,
    GST_VIDEO_FORMAT_Y42B, GST_VIDEO_FORMAT_Y444, GST_VIDEO_FORMAT_RGB,  GST_VIDEO_FORMAT_BGR,
    GST_VIDEO_FORMAT_RGBx, GST_VIDEO_FORMAT_BGRx, GST_VIDEO_FORMAT_xRGB, GST_VIDEO_FORMAT_xBGR,
    GST_VIDEO_FORMAT_RGBA, GST_VIDEO_FORMAT_BGRA, GST_VIDEO_FORMAT_ARGB, GST_VIDEO_FORMAT_ABGR,
    GST_VIDEO_FORMAT_AYUV, GST_VIDEO_FORMAT_GBR,  GST_VIDEO_FORMAT_GRAY8};

/// A frame of its own, mapped, filled with noise or a level.
class Frame {
 public:
  Frame(GstVideoFormat format, guint width, guint height, int level = -1,
        const char* colorimetry = nullptr, bool interlaced = false) {
    if (interlaced)
      gst_video_info_set_interlaced_format(&info, format, GST_VIDEO_INTERLACE_MODE_INTERLEAVED,
                                           width, height);
    else
      gst_video_info_set_format(&info, format, width, height);
    if (colorimetry) ck_assert(gst_video_colorimetry_from_string(&info.colorimetry, colorimetry));
    GstBuffer* buffer = gst_buffer_new_allocate(nullptr, info.size, nullptr);
    if (interlaced) GST_BUFFER_FLAG_SET(buffer, GST_VIDEO_BUFFER_FLAG_INTERLACED);
    GstMapInfo map;
    gst_buffer_map(buffer, &map, GST_MAP_WRITE);
    std::mt19937 random(1);
    for (gsize i = 0; i < map.size; ++i)
      map.data[i] = static_cast<guint8>(level < 0 ? random() >> 8 : static_cast<guint>(level));
    gst_buffer_unmap(buffer, &map);
    ck_assert(gst_video_frame_map(&frame, &info, buffer, GST_MAP_READWRITE));
    gst_buffer_unref(buffer);
  }
  Frame(const Frame&) = delete;
  Frame& operator=(const Frame&) = delete;
  ~Frame() { gst_video_frame_unmap(&frame); }

  void blend(const Picture& picture, const Rectangle& where) {
    ck_assert(has_byte_samples(info));
    blend_picture(&frame, info, picture, where);
  }

  /// Where a pixel has four bytes: those of alpha, or of nothing.
  void make_opaque() {
    if (GST_VIDEO_INFO_COMP_PSTRIDE(&info, 0) != 4 || GST_VIDEO_INFO_N_PLANES(&info) != 1) return;
    gint offset = 6;  // 0 + 1 + 2 + 3
    for (guint c = 0; c < 3; ++c) offset -= GST_VIDEO_INFO_COMP_POFFSET(&info, c);
    auto* bytes = static_cast<guint8*>(frame.data[0]);
    for (gsize i = static_cast<gsize>(offset); i < info.size; i += 4) bytes[i] = 255;
  }

  guint samples_across(guint c) const {
    return static_cast<guint>(GST_VIDEO_FRAME_COMP_WIDTH(&frame, c));
  }
  guint samples_down(guint c) const {
    return static_cast<guint>(GST_VIDEO_FRAME_COMP_HEIGHT(&frame, c));
  }
  guint8 at(guint c, guint x, guint y) const {
    const auto* data = static_cast<const guint8*>(GST_VIDEO_FRAME_COMP_DATA(&frame, c));
    return data[y * static_cast<guint>(GST_VIDEO_FRAME_COMP_STRIDE(&frame, c)) +
                x * static_cast<guint>(GST_VIDEO_FRAME_COMP_PSTRIDE(&frame, c))];
  }
  std::string bytes() const { return {static_cast<const char*>(frame.data[0]), info.size}; }

  GstVideoInfo info;
  GstVideoFrame frame;
};

/// Noise of whole blocks, some of them clear and some solid.
Picture noise(guint width, guint height, guint block = 1) {
  std::mt19937 random(2);
  Picture picture{width, height, std::vector<guint32>(gsize{width} * height)};
  for (guint y = 0; y < height; ++y)
    for (guint x = 0; x < width; ++x) {
      guint32& p = picture.pixels[gsize{y} * width + x];
      if (x % block)
        p = (&p)[-1];
      else if (y % block)
        p = picture.pixels[gsize{y - 1} * width + x];
      else {
        p = static_cast<guint32>(random());
        const guint kind = random() % 4;
        if (kind < 2) p = (p & 0xffffff) | (kind ? 0xff000000 : 0);
      }
    }
  return picture;
}

void compose(Frame& frame, const Picture& picture, gint x, gint y) {
  GstBuffer* buffer =
      gst_buffer_new_memdup(picture.pixels.data(), picture.pixels.size() * sizeof(guint32));
  gst_buffer_add_video_meta(buffer, GST_VIDEO_FRAME_FLAG_NONE,
                            GST_VIDEO_OVERLAY_COMPOSITION_FORMAT_RGB, picture.width,
                            picture.height);
  GstVideoOverlayRectangle* rectangle = gst_video_overlay_rectangle_new_raw(
      buffer, x, y, picture.width, picture.height, GST_VIDEO_OVERLAY_FORMAT_FLAG_NONE);
  GstVideoOverlayComposition* composition = gst_video_overlay_composition_new(rectangle);
  ck_assert(gst_video_overlay_composition_blend(composition, &frame.frame));
  gst_video_overlay_composition_unref(composition);
  gst_video_overlay_rectangle_unref(rectangle);
  gst_buffer_unref(buffer);
}

struct Component {
  double value, alpha;  ///< not premultiplied; of 1
};

/// The definition: bilinear between the middles of pixels, in premultiplied values, the edge goes
/// on. of: a component of a pixel.
template <typename Of>
Component stretched(const Picture& picture, const Rectangle& where, double x, double y, Of of) {
  const auto place = [](double at, double begin, double extent, guint count) {
    return std::clamp((at - begin) / extent * count - 0.5, 0.0, count - 1.0);
  };
  const double u = place(x, where.x, where.w, picture.width),
               v = place(y, where.y, where.h, picture.height);
  double value = 0, alpha = 0;
  for (const guint row : {0u, 1u})
    for (const guint column : {0u, 1u}) {
      const double weight = (column ? u - std::floor(u) : 1 - (u - std::floor(u))) *
                            (row ? v - std::floor(v) : 1 - (v - std::floor(v)));
      if (weight == 0) continue;
      const guint32 p = picture.pixels[(static_cast<guint>(v) + row) * gsize{picture.width} +
                                       static_cast<guint>(u) + column];
      alpha += weight * (p >> 24) / 255;
      value += weight * (p >> 24) / 255 * of(p);
    }
  return {value, alpha};
}

double channel(guint32 p, guint c) { return p >> (16 - 8 * c) & 255; }

}  // namespace

START_TEST(in_every_format_the_result_is_that_of_gstreamers_composition) {
  // At even places, of blocks of two by two: how each takes chroma from less is its own matter.
  const Picture picture = noise(24, 20, 2);
  for (const GstVideoFormat format : kFormats)
    for (const bool odd : {false, true}) {
      // Theirs has the matrix of BT.709 for all, grey included, whatever the frame says.
      const bool rgb = GST_VIDEO_FORMAT_INFO_IS_RGB(gst_video_format_get_info(format));
      const char* colorimetry = rgb ? nullptr : "bt709";
      Frame ours(format, odd ? 63 : 64, odd ? 35 : 48, -1, colorimetry),
          theirs(format, odd ? 63 : 64, odd ? 35 : 48, -1, colorimetry);
      // Where there is something behind the frame, each blends as it likes.
      for (Frame* frame : {&ours, &theirs}) frame->make_opaque();
      const std::string before = ours.bytes();
      ours.blend(picture, {10, 6, 24, 20});
      compose(theirs, picture, 10, 6);
      ck_assert(ours.bytes() != before);
      for (guint c = 0; c < GST_VIDEO_INFO_N_COMPONENTS(&ours.info); ++c)
        for (guint y = 0; y < ours.samples_down(c); ++y)
          for (guint x = 0; x < ours.samples_across(c); ++x)
            ck_assert_msg(std::abs(ours.at(c, x, y) - theirs.at(c, x, y)) <= 3,
                          "%s, component %u at %u, %u: %u and %u",
                          gst_video_format_to_string(format), c, x, y, ours.at(c, x, y),
                          theirs.at(c, x, y));
    }
}
END_TEST

START_TEST(a_picture_is_stretched_in_premultiplied_colours_and_cut_off_at_the_frame) {
  const Picture picture = noise(7, 5);
  for (const Rectangle& where :
       {Rectangle{10.3, 5.7, 70.2, 40.1}, Rectangle{-20.5, -8, 60, 33.3},
        Rectangle{60, 41, 100, 100}, Rectangle{0, 0, 97, 61}, Rectangle{30, 20, 3, 2}}) {
    const Frame before(GST_VIDEO_FORMAT_RGB, 97, 61);
    Frame after(GST_VIDEO_FORMAT_RGB, 97, 61);
    after.blend(picture, where);
    for (guint c = 0; c < 3; ++c)
      for (guint y = 0; y < 61; ++y)
        for (guint x = 0; x < 97; ++x) {
          const double u = x + 0.5, v = y + 0.5;
          double expected = before.at(c, x, y);
          if (u >= where.x && u < where.x + where.w && v >= where.y && v < where.y + where.h) {
            const auto over =
                stretched(picture, where, u, v, [c](guint32 p) { return channel(p, c); });
            expected = expected * (1 - over.alpha) + over.value;
          }
          ck_assert_msg(std::abs(after.at(c, x, y) - expected) <= 3, "%u at %u, %u: %u, %f", c, x,
                        y, after.at(c, x, y), expected);
        }
  }
}
END_TEST

START_TEST(nothing_but_what_shows_the_picture_is_touched) {
  Picture clear = noise(24, 20);
  for (guint32& p : clear.pixels) p &= 0xffffff;
  for (const GstVideoFormat format : kFormats) {
    Frame frame(format, 63, 35);
    const std::string before = frame.bytes();
    frame.blend(clear, {10, 6, 24, 20});
    frame.blend(noise(4, 4), {63, 0, 10, 10});
    frame.blend(noise(4, 4), {-10, -10, 10, 10});
    frame.blend(noise(4, 4), {1e9, 1e9, 1e9, 1e9});
    ck_assert_msg(frame.bytes() == before, "%s", gst_video_format_to_string(format));
  }
  // What lies beside the pixels: the fourth byte, and the ends of rows.
  Picture solid = noise(63, 35);
  for (guint32& p : solid.pixels) p |= 0xff000000;
  Frame before(GST_VIDEO_FORMAT_RGBx, 63, 35), after(GST_VIDEO_FORMAT_RGBx, 63, 35);
  after.blend(solid, {0, 0, 63, 35});
  const std::string a = before.bytes(), b = after.bytes();
  for (size_t i = 3; i < a.size(); i += 4) ck_assert(a[i] == b[i]);
  Frame grey_before(GST_VIDEO_FORMAT_GRAY8, 61, 8), grey(GST_VIDEO_FORMAT_GRAY8, 61, 8);
  grey.blend(solid, {0, 0, 61, 8});
  const std::string c = grey_before.bytes(), d = grey.bytes();
  for (size_t i = 0; i < c.size(); ++i)
    if (i % 64 >= 61) ck_assert(c[i] == d[i]);
}
END_TEST

START_TEST(colours_follow_the_frames_colorimetry) {
  for (const char* colorimetry : {"bt601", "bt709", "bt2020", "1:4:0:0", "1:3:0:0"})
    for (const Colour colour : {Colour{255, 48, 48}, {20, 200, 90}, {255, 255, 255}, {0, 0, 255}}) {
      Frame frame(GST_VIDEO_FORMAT_NV12, 32, 32, -1, colorimetry);
      frame.blend({1, 1, {pixel(colour, 255)}}, {0, 0, 32, 32});
      Frame shown(GST_VIDEO_FORMAT_RGB, 32, 32);
      shown.info.colorimetry.primaries = frame.info.colorimetry.primaries;
      shown.info.colorimetry.transfer = frame.info.colorimetry.transfer;
      GstVideoConverter* converter = gst_video_converter_new(&frame.info, &shown.info, nullptr);
      gst_video_converter_frame(converter, &frame.frame, &shown.frame);
      gst_video_converter_free(converter);
      const guint8 expected[] = {colour.r, colour.g, colour.b};
      for (guint c = 0; c < 3; ++c)
        ck_assert_msg(std::abs(shown.at(c, 9, 9) - expected[c]) <= 4, "%s: %u is %u, not %u",
                      colorimetry, c, shown.at(c, 9, 9), expected[c]);
    }
}
END_TEST

START_TEST(a_sample_of_chroma_lies_in_the_middle_of_its_pixels_of_its_own_field) {
  // From green to red, downwards: the red difference says how far down a sample is.
  Picture ramp{1, 64, {}};
  for (guint y = 0; y < 64; ++y)
    ramp.pixels.push_back(pixel({static_cast<guint8>(4 * y), 128, 0}, 255));
  for (const bool interlaced : {false, true}) {
    Frame frame(GST_VIDEO_FORMAT_I420, 16, 64, -1, "bt601", interlaced);
    frame.blend(ramp, {0, 0, 16, 64});
    for (guint row = 0; row < 32; ++row) {
      // Field 0 has the rows 0 and 2 of four, field 1 has 1 and 3.
      const double middle = interlaced ? 4 * (row / 2) + row % 2 + 1.5 : 2 * row + 1;
      const auto over = stretched(ramp, {0, 0, 16, 64}, 8, middle, [](guint32 p) {
        const double y = 0.299 * channel(p, 0) + 0.587 * channel(p, 1) + 0.114 * channel(p, 2);
        return 128 + (channel(p, 0) - y) / 1.402 * 224 / 255;
      });
      ck_assert_double_eq_tol(frame.at(2, 3, row), over.value, 1);
    }
  }
}
END_TEST

START_TEST(formats_that_are_not_of_bytes_are_left_to_others) {
  for (const GstVideoFormat format :
       {GST_VIDEO_FORMAT_I420_10LE, GST_VIDEO_FORMAT_P010_10LE, GST_VIDEO_FORMAT_RGB16,
        GST_VIDEO_FORMAT_v210, GST_VIDEO_FORMAT_GRAY16_LE, GST_VIDEO_FORMAT_RGB8P,
        GST_VIDEO_FORMAT_NV12_64Z32, GST_VIDEO_FORMAT_AYUV64, GST_VIDEO_FORMAT_IYU1}) {
    GstVideoInfo info;
    gst_video_info_set_format(&info, format, 64, 48);
    ck_assert_msg(!has_byte_samples(info), "%s", gst_video_format_to_string(format));
  }
}
END_TEST

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  Suite* suite = suite_create("blender");
  TCase* tests = tcase_create("blender");
  tcase_set_timeout(tests, 60);
  tcase_add_test(tests, in_every_format_the_result_is_that_of_gstreamers_composition);
  tcase_add_test(tests, a_picture_is_stretched_in_premultiplied_colours_and_cut_off_at_the_frame);
  tcase_add_test(tests, nothing_but_what_shows_the_picture_is_touched);
  tcase_add_test(tests, colours_follow_the_frames_colorimetry);
  tcase_add_test(tests, a_sample_of_chroma_lies_in_the_middle_of_its_pixels_of_its_own_field);
  tcase_add_test(tests, formats_that_are_not_of_bytes_are_left_to_others);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
