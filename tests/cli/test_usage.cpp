// SPDX-License-Identifier: LGPL-2.1-or-later
// Command lines that make no sense end with status 2 and one line that says what is wrong.
#include "workshop.hpp"

using namespace workshop;

namespace {

constexpr int kWrongUsage = 2;

/// A fit that would do, with something added that spoils it.
Run spoiled(const Arguments& options) {
  return run(
      join({"fit", "--images", shared("train"), "--output", shared("none.safetensors")}, options));
}

START_TEST(a_command_must_be_one_that_exists) {
  assert_refused(run({}), kWrongUsage, "patchcore --help");
  assert_refused(run({"paint"}), kWrongUsage, "\"paint\"");
  assert_refused(run({"bank"}), kWrongUsage, "patchcore bank --help");
  assert_refused(run({"bank", "paint"}), kWrongUsage, "\"paint\"");
}
END_TEST

START_TEST(what_a_command_needs_is_named) {
  assert_refused(run({"fit", "--output", "x"}), kWrongUsage, "--images");
  assert_refused(run({"fit", "--images", "x"}), kWrongUsage, "--output");
  assert_refused(run({"score", "--images", "x"}), kWrongUsage, "--bank");
  assert_refused(run({"evaluate", "--bank", "x"}), kWrongUsage, "--dataset");
  assert_refused(run({"bank", "info"}), kWrongUsage, "file");
  assert_refused(run({"bank", "import", "--embeddings", "x"}), kWrongUsage, "--output");
  assert_refused(run({"weights", "fetch"}), kWrongUsage, "backbone");
  assert_refused(run({"weights", "convert", "x.pth"}), kWrongUsage, "--output");
}
END_TEST

START_TEST(an_unknown_option_is_named) {
  assert_refused(spoiled({"--colour", "blue"}), kWrongUsage, "--colour");
}
END_TEST

START_TEST(names_must_be_known) {
  assert_refused(spoiled({"--preset", "mine"}), kWrongUsage, "anomalib");
  assert_refused(spoiled({"--backbone", "mine"}), kWrongUsage, "wide_resnet50_2");
  assert_refused(run({"weights", "fetch", "mine"}), kWrongUsage, "wide_resnet50_2");
  assert_refused(spoiled({"--layers", "mine"}), kWrongUsage, "fine, coarse");
  assert_refused(spoiled({"--device", "abacus"}), kWrongUsage, "abacus");
  assert_refused(spoiled({"--precision", "int3"}), kWrongUsage, "int3");
}
END_TEST

START_TEST(settings_must_be_known_and_make_sense) {
  assert_refused(spoiled({"--set", "patch_size"}), kWrongUsage, "NAME=VALUE");
  assert_refused(spoiled({"--set", "patch_size=4"}), kWrongUsage, "patch_size");
  assert_refused(spoiled({"--set", "patch=5"}), kWrongUsage, "patch_size");
  assert_refused(spoiled({"--set", "preset=paper"}), kWrongUsage, "preset");
}
END_TEST

START_TEST(alarms_an_hour_need_a_frame_rate_and_no_other_rate) {
  assert_refused(spoiled({"--alarms-per-hour", "1"}), kWrongUsage, "--frame-rate");
  assert_refused(spoiled({"--alarms-per-hour", "0", "--frame-rate", "5"}), kWrongUsage,
                 "--alarms-per-hour");
  assert_refused(
      spoiled({"--alarms-per-hour", "1", "--frame-rate", "5", "--false-alarm-rate", "0.1"}),
      kWrongUsage, "--false-alarm-rate");
}
END_TEST

START_TEST(sizes_must_fit_together) {
  assert_refused(spoiled({"--resize", "wide"}), kWrongUsage, "wide");
  assert_refused(spoiled({"--resize", "64x64", "--crop", "96"}), kWrongUsage, "96x96");
  assert_refused(spoiled({"--crop", "100"}), kWrongUsage, "stride");
}
END_TEST

START_TEST(numbers_must_lie_in_their_range) {
  assert_refused(spoiled({"--coreset-ratio", "0"}), kWrongUsage, "ratio");
  assert_refused(spoiled({"--coreset-ratio", "nan"}), kWrongUsage, "ratio");
  assert_refused(spoiled({"--bank-size", "0"}), kWrongUsage, "--bank-size");
  assert_refused(spoiled({"--folds", "1"}), kWrongUsage, "--folds");
  assert_refused(spoiled({"--false-alarm-rate", "1"}), kWrongUsage, "rate");
  assert_refused(spoiled({"--seed", "-1"}), kWrongUsage, "--seed");
  assert_refused(spoiled({"--batch-size", "0"}), kWrongUsage, "--batch-size");
}
END_TEST

START_TEST(a_ratio_and_a_size_exclude_each_other) {
  assert_refused(spoiled({"--coreset-ratio", "0.5", "--bank-size", "3"}), kWrongUsage,
                 "--bank-size");
}
END_TEST

START_TEST(version_is_a_line) {
  const std::string text = output_of({"--version"});
  ck_assert(text.starts_with("patchcore "));
  ck_assert_uint_eq(text.find('\n'), text.size() - 1);
}
END_TEST

START_TEST(every_help_has_an_example) {
  for (const Arguments& command : std::vector<Arguments>{{},
                                                         {"fit"},
                                                         {"score"},
                                                         {"evaluate"},
                                                         {"bank"},
                                                         {"bank", "info"},
                                                         {"bank", "import"},
                                                         {"weights"},
                                                         {"weights", "list"},
                                                         {"weights", "fetch"},
                                                         {"weights", "convert"}})
    ck_assert(output_of(join(command, {"--help"})).find("Example") != std::string::npos);
}
END_TEST

}  // namespace

int main(int argc, char** argv) {
  return run_tests(
      argc, argv, "usage",
      {a_command_must_be_one_that_exists, what_a_command_needs_is_named, an_unknown_option_is_named,
       names_must_be_known, settings_must_be_known_and_make_sense,
       alarms_an_hour_need_a_frame_rate_and_no_other_rate, sizes_must_fit_together,
       numbers_must_lie_in_their_range, a_ratio_and_a_size_exclude_each_other, version_is_a_line,
       every_help_has_an_example});
}
