// SPDX-License-Identifier: LGPL-2.1-or-later
// patchcoredetect in real pipelines, on videos of the scene generator.

#include <algorithm>
#include <fstream>
#include <sstream>

#include "../check_main.hpp"
#include "../element_test.hpp"

namespace {

/// Runs a command; its standard output and error together. Fails the test where it fails.
std::string run(const std::string& command) {
  gchar *out = nullptr, *err = nullptr;
  gint status = -1;
  GError* error = nullptr;
  ck_assert_msg(g_spawn_command_line_sync(command.c_str(), &out, &err, &status, &error), "%s: %s",
                command.c_str(), error ? error->message : "");
  const std::string said = std::string(out) + err;
  g_free(out);
  g_free(err);
  ck_assert_msg(status == 0, "%s ended with %d:\n%s", command.c_str(), status, said.c_str());
  return said;
}

/// A short video of the scene, and for each frame whether it shows a defect.
struct Video {
  Video(const TemporaryFolder& folder, const char* name, int frames, int seed, double defects)
      : location(folder.file(name)) {
    const std::string truth = location + ".csv";
    std::ostringstream command;
    command << g_getenv("PATCHCORE_SCENE") << " video --output " << location << " --truth " << truth
            << " --frames " << frames << " --seed " << seed << " --defects " << defects;
    run(command.str());
    std::ifstream lines(truth);
    std::string line;
    std::getline(lines, line);
    while (std::getline(lines, line)) {
      const auto comma = line.find(',');
      anomalous.push_back(line.at(comma + 1) == '1');
    }
    ck_assert_uint_eq(anomalous.size(), static_cast<size_t>(frames));
    source = "filesrc location=" + location + " ! avidemux ! jpegdec ! ";
  }

  std::string location, source;
  std::vector<bool> anomalous;
};

/// What all tests share: a bank of the scene's good parts.
std::unique_ptr<TemporaryFolder> shared_folder;

std::string shared_bank() { return shared_folder->file("bank.safetensors"); }

/// Made by a gst-launch-1.0 line: its own process leaves no threads in this one, which forks for
/// each test.
void learn_the_scene() {
  shared_folder = std::make_unique<TemporaryFolder>();
  const Video normal(*shared_folder, "normal.avi", 160, 1, 0);
  run("gst-launch-1.0 -q " + normal.source +
      "patchcoredetect mode=fit coreset-ratio=0.01 bank-location=" + shared_bank() + " ! fakesink");
}

void forget_the_scene() { shared_folder.reset(); }

/// What a test needs: the bank, and a folder of its own.
struct Scene {
  std::string detect(const char* more = "") const {
    return "patchcoredetect bank-location=" + shared_bank() + " " + more + " ! ";
  }

  TemporaryFolder folder;
};

struct Scores {
  std::vector<double> score;
  std::vector<bool> anomalous;
};

Scores scores_of(const std::vector<std::shared_ptr<GstMessage>>& messages) {
  Scores scores;
  for (const auto& message : messages) {
    const GstStructure* s = gst_message_get_structure(message.get());
    double score = 0;
    gboolean anomalous = FALSE;
    ck_assert(gst_structure_get_double(s, "score", &score));
    ck_assert(gst_structure_get_boolean(s, "anomalous", &anomalous));
    scores.score.push_back(score);
    scores.anomalous.push_back(anomalous);
  }
  return scores;
}

/// The share of pairs of a defective and a normal frame in which the defective one scores higher.
double auroc(const std::vector<double>& scores, const std::vector<bool>& anomalous) {
  double pairs = 0, won = 0;
  for (size_t i = 0; i < scores.size(); ++i)
    for (size_t j = 0; j < scores.size(); ++j)
      if (anomalous[i] && !anomalous[j]) {
        pairs += 1;
        won += scores[i] > scores[j] ? 1 : scores[i] == scores[j] ? 0.5 : 0;
      }
  return won / pairs;
}

/// Runs a pipeline with an element named `probe` and calls `look` with each buffer that it takes.
void watch(const std::string& description, void (*look)(GstBuffer*, void*), void* data) {
  struct Call {
    void (*look)(GstBuffer*, void*);
    void* data;
  } call{look, data};
  GstElement* pipeline = gst_parse_launch(description.c_str(), nullptr);
  ck_assert_ptr_nonnull(pipeline);
  GstElement* probe = gst_bin_get_by_name(GST_BIN(pipeline), "probe");
  GstPad* pad = gst_element_get_static_pad(probe, "sink");
  gst_pad_add_probe(
      pad, GST_PAD_PROBE_TYPE_BUFFER,
      [](GstPad*, GstPadProbeInfo* info, gpointer p) {
        auto* c = static_cast<Call*>(p);
        c->look(GST_PAD_PROBE_INFO_BUFFER(info), c->data);
        return GST_PAD_PROBE_OK;
      },
      &call, nullptr);
  GstBus* bus = gst_element_get_bus(pipeline);
  gst_element_set_state(pipeline, GST_STATE_PLAYING);
  const auto ends = static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  GstMessage* message = gst_bus_timed_pop_filtered(bus, 120 * GST_SECOND, ends);
  ck_assert(message && GST_MESSAGE_TYPE(message) == GST_MESSAGE_EOS);
  gst_message_unref(message);
  gst_element_set_state(pipeline, GST_STATE_NULL);
  gst_object_unref(bus);
  gst_object_unref(pad);
  gst_object_unref(probe);
  gst_object_unref(pipeline);
}

}  // namespace

START_TEST(one_pipeline_learns_the_scene_and_the_next_finds_its_defects) {
  const Scene scene;
  const Video today(scene.folder, "today.avi", 120, 2, 0.6);
  std::vector<std::shared_ptr<GstMessage>> messages;
  const std::string error = run_pipeline(today.source + scene.detect() + "fakesink", &messages);
  assert_text(error, "");
  const Scores scores = scores_of(messages);
  ck_assert_uint_eq(scores.score.size(), 120);

  // The scene's own truth. Not every defect is large enough for the built-in network, but a
  // defective frame is far more suspicious than a good one, and alarms are right.
  ck_assert_double_ge(auroc(scores.score, today.anomalous), 0.8);
  size_t false_alarms = 0, alarms = 0;
  for (size_t i = 0; i < scores.anomalous.size(); ++i) {
    alarms += scores.anomalous[i];
    false_alarms += scores.anomalous[i] && !today.anomalous[i];
  }
  ck_assert_uint_ge(alarms, 10);
  ck_assert_uint_le(false_alarms * 20, alarms);
}
END_TEST

START_TEST(gst_launch_prints_a_result_for_each_frame) {
  const Scene scene;
  const Video today(scene.folder, "today.avi", 12, 2, 1);
  const std::string said = run("gst-launch-1.0 -m " + today.source + scene.detect() + "fakesink");
  size_t results = 0;
  for (auto at = said.find("patchcore, version"); at != std::string::npos;
       at = said.find("patchcore, version", at + 1))
    ++results;
  ck_assert_uint_eq(results, 12);
}
END_TEST

START_TEST(the_annotated_video_plays_again_with_all_its_frames) {
  const Scene scene;
  const Video today(scene.folder, "today.avi", 30, 2, 1);
  const std::string annotated = scene.folder.file("annotated.webm");
  assert_text(
      run_pipeline(today.source + scene.detect() +
                   "vp8enc deadline=1 cpu-used=8 ! webmmux ! filesink location=" + annotated),
      "");
  guint frames = 0;
  watch(
      "filesrc location=" + annotated + " ! matroskademux ! vp8dec ! fakesink name=probe",
      [](GstBuffer*, void* count) { ++*static_cast<guint*>(count); }, &frames);
  ck_assert_uint_eq(frames, 30);
}
END_TEST

START_TEST(metadata_survives_conversion_and_scaling) {
  const Scene scene;
  const Video today(scene.folder, "today.avi", 8, 2, 1);
  guint found = 0;
  watch(
      today.source + scene.detect() +
          "videoconvert ! videoscale ! video/x-raw,format=RGB,width=100,height=60 ! "
          "fakesink name=probe",
      [](GstBuffer* buffer, void* count) {
        *static_cast<guint*>(count) += gst_patchcore_meta_get_n_results(buffer);
      },
      &found);
  ck_assert_uint_eq(found, 8);
}
END_TEST

START_TEST(two_elements_in_a_row_leave_two_results) {
  const Scene scene;
  const Video today(scene.folder, "today.avi", 8, 2, 1);
  guint found = 0;
  watch(
      today.source + scene.detect("camera-id=first overlay=none") +
          scene.detect("camera-id=second") + "fakesink name=probe",
      [](GstBuffer* buffer, void* count) {
        const GstStructure* first = gst_patchcore_meta_get_result(buffer, 0);
        const GstStructure* second = gst_patchcore_meta_get_result(buffer, 1);
        double one = 0, two = 0;
        if (first && second && gst_structure_get_double(first, "score", &one) &&
            gst_structure_get_double(second, "score", &two) && one == two &&
            g_str_equal(gst_structure_get_string(first, "camera-id"), "first") &&
            g_str_equal(gst_structure_get_string(second, "camera-id"), "second"))
          ++*static_cast<guint*>(count);
      },
      &found);
  ck_assert_uint_eq(found, 8);
}
END_TEST

START_TEST(a_score_is_the_same_in_every_order_of_red_green_and_blue) {
  const Scene scene;
  const Video today(scene.folder, "today.avi", 4, 2, 1);
  std::vector<double> expected;
  for (const char* format :
       {"RGB", "BGR", "RGBx", "RGBA", "BGRx", "BGRA", "xRGB", "ARGB", "xBGR", "ABGR", "GBR"}) {
    std::vector<std::shared_ptr<GstMessage>> messages;
    const std::string error =
        run_pipeline(today.source + "videoconvert ! video/x-raw,format=RGB ! videoconvert ! " +
                         "video/x-raw,format=" + format + " ! " + scene.detect() + "fakesink",
                     &messages);
    assert_text(error, "");
    const auto scores = scores_of(messages).score;
    ck_assert_uint_eq(scores.size(), 4);
    if (expected.empty()) expected = scores;
    for (size_t i = 0; i < scores.size(); ++i)
      ck_assert_double_eq_tol(scores[i], expected[i], 1e-5 * expected[i]);
  }
}
END_TEST

START_TEST(every_format_of_cameras_and_decoders_is_scored_and_painted) {
  const Scene scene;
  const Video today(scene.folder, "today.avi", 3, 2, 1);
  for (const char* format : {"NV12", "I420", "YUY2", "UYVY", "GRAY8", "P010_10LE", "ARGB"}) {
    std::vector<std::shared_ptr<GstMessage>> messages;
    const std::string error =
        run_pipeline(today.source + "videoconvert ! video/x-raw,format=" + format + " ! " +
                         scene.detect("threshold=0") + "fakesink",
                     &messages);
    ck_assert_msg(error.empty(), "%s: %s", format, error.c_str());
    ck_assert_uint_eq(scores_of(messages).score.size(), 3);
  }
}
END_TEST

START_TEST(fitting_and_detecting_leak_nothing) {
  const Scene scene;
  const Video today(scene.folder, "today.avi", 6, 2, 1);
  for (const std::string& element :
       {"patchcoredetect mode=fit bank-location=" + scene.folder.file("again") + " ! ",
        scene.detect()}) {
    const std::string said =
        run("env GST_TRACERS=leaks GST_DEBUG=GST_TRACER:7 GST_DEBUG_NO_COLOR=1 gst-launch-1.0 -q " +
            today.source + element + "fakesink");
    // The tracer first says what its lines look like, then one for each object that is alive.
    ck_assert(said.find("object-alive, type-name=(string)%s") != std::string::npos);
    const auto alive = said.find("object-alive, type-name=(string)Gst");
    ck_assert_msg(alive == std::string::npos, "%s", said.substr(alive).c_str());
  }
}
END_TEST

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  Suite* suite = suite_create("pipelines");
  TCase* tests = tcase_create("pipelines");
  tcase_set_timeout(tests, 240);
  tcase_add_unchecked_fixture(tests, learn_the_scene, forget_the_scene);
  tcase_add_test(tests, one_pipeline_learns_the_scene_and_the_next_finds_its_defects);
  tcase_add_test(tests, gst_launch_prints_a_result_for_each_frame);
  tcase_add_test(tests, the_annotated_video_plays_again_with_all_its_frames);
  tcase_add_test(tests, metadata_survives_conversion_and_scaling);
  tcase_add_test(tests, two_elements_in_a_row_leave_two_results);
  tcase_add_test(tests, a_score_is_the_same_in_every_order_of_red_green_and_blue);
  tcase_add_test(tests, every_format_of_cameras_and_decoders_is_scored_and_painted);
  tcase_add_test(tests, fitting_and_detecting_leak_nothing);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
