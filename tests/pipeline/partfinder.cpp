// SPDX-License-Identifier: LGPL-2.1-or-later
// An object detector for the drawn conveyor, in place of a trained one: marks each part that lies
// whole in the frame, which is brighter than the belt, by a GstVideoRegionOfInterestMeta "part".
#include <gst/video/gstvideofilter.h>

#include <vector>

namespace {

constexpr guint kBright =
    100;  // the belt is at 60 at most, a part at 140 and more, its holes aside

struct Span {
  guint begin, end;
};

/// The runs of lines (columns or rows) that are bright in some of their pixels.
std::vector<Span> runs(const std::vector<guint>& bright, guint least) {
  std::vector<Span> found;
  for (guint i = 0; i < bright.size(); ++i) {
    if (bright[i] < least) continue;
    if (!found.empty() && found.back().end == i)
      ++found.back().end;
    else
      found.push_back({i, i + 1});
  }
  return found;
}

void mark_parts(GstVideoFrame* frame) {
  const auto width = static_cast<guint>(GST_VIDEO_FRAME_WIDTH(frame)),
             height = static_cast<guint>(GST_VIDEO_FRAME_HEIGHT(frame));
  const auto stride = static_cast<gsize>(GST_VIDEO_FRAME_PLANE_STRIDE(frame, 0));
  const auto* luma = static_cast<const guint8*>(GST_VIDEO_FRAME_PLANE_DATA(frame, 0));
  std::vector<guint> columns(width);
  for (guint y = 0; y < height; ++y)
    for (guint x = 0; x < width; ++x) columns[x] += luma[y * stride + x] > kBright;
  for (const Span& across : runs(columns, height / 4)) {
    if (across.begin == 0 || across.end == width || across.end - across.begin < width / 8) continue;
    std::vector<guint> rows(height);
    for (guint y = 0; y < height; ++y)
      for (guint x = across.begin; x < across.end; ++x) rows[y] += luma[y * stride + x] > kBright;
    const auto down = runs(rows, (across.end - across.begin) / 4);
    if (!down.empty())
      gst_buffer_add_video_region_of_interest_meta(frame->buffer, "part", across.begin,
                                                   down.front().begin, across.end - across.begin,
                                                   down.back().end - down.front().begin);
  }
}

}  // namespace

struct PartFinder {
  GstVideoFilter parent;
};
struct PartFinderClass {
  GstVideoFilterClass parent_class;
};
G_DEFINE_TYPE(PartFinder, part_finder, GST_TYPE_VIDEO_FILTER)

static void part_finder_class_init(PartFinderClass* klass) {
  auto* element_class = GST_ELEMENT_CLASS(klass);
  GstCaps* caps = gst_caps_from_string(GST_VIDEO_CAPS_MAKE("{ I420, Y42B, Y444 }"));
  for (const GstPadDirection direction : {GST_PAD_SINK, GST_PAD_SRC})
    gst_element_class_add_pad_template(
        element_class, gst_pad_template_new(direction == GST_PAD_SINK ? "sink" : "src", direction,
                                            GST_PAD_ALWAYS, caps));
  gst_caps_unref(caps);
  gst_element_class_set_static_metadata(element_class, "Part finder", "Filter/Analyzer/Video",
                                        "Marks the parts of the drawn conveyor", "patchcore");
  GST_VIDEO_FILTER_CLASS(klass)->transform_frame_ip = [](GstVideoFilter*, GstVideoFrame* frame) {
    mark_parts(frame);
    return GST_FLOW_OK;
  };
}

static void part_finder_init(PartFinder*) {}

static gboolean plugin_init(GstPlugin* plugin) {
  return gst_element_register(plugin, "partfinder", GST_RANK_NONE, part_finder_get_type());
}

#define PACKAGE "patchcore-tests"
GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, partfinder,
                  "Stand-in for an object detector", plugin_init, "1", "LGPL", "patchcore",
                  "https://gstreamer.freedesktop.org")
