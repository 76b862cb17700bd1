// SPDX-License-Identifier: LGPL-2.1-or-later
// The presets as the table of the design has them, and settings as text.

#include "settings.hpp"
#include "support.hpp"

using namespace patchcore;

namespace {

constexpr Preset kPublished[] = {Preset::Paper, Preset::Official, Preset::Anomalib,
                                 Preset::Article};
constexpr Preset kPresets[] = {Preset::Paper, Preset::Official, Preset::Anomalib, Preset::Article,
                               Preset::Inspect};

}  // namespace

START_TEST(paper_and_official_see_224_out_of_256_on_the_shorter_side) {
  for (const Preset preset : {Preset::Paper, Preset::Official}) {
    const Settings s = Settings::from_preset(preset);
    ck_assert(s.resize == (ResizeTarget{256, 0}));
    ck_assert_int_eq(s.crop, 224);
  }
}
END_TEST

START_TEST(anomalib_sees_all_of_256x256_and_article_224_of_it) {
  ck_assert(Settings::from_preset(Preset::Anomalib).resize == (ResizeTarget{256, 256}));
  ck_assert_int_eq(Settings::from_preset(Preset::Anomalib).crop, 0);
  ck_assert(Settings::from_preset(Preset::Article).resize == (ResizeTarget{256, 256}));
  ck_assert_int_eq(Settings::from_preset(Preset::Article).crop, 224);
}
END_TEST

START_TEST(paper_and_official_pool_neighbourhoods_of_3_adaptively_to_1024) {
  for (const Preset preset : {Preset::Paper, Preset::Official}) {
    const Settings s = Settings::from_preset(preset);
    ck_assert(s.neighbourhood == Neighbourhood::AdaptivePool);
    ck_assert_int_eq(s.patch_size, 3);
    ck_assert_int_eq(s.layer_width, 1024);
    ck_assert_int_eq(s.embedding_width, 1024);
    ck_assert(s.merge == Interpolation::Bilinear);
  }
}
END_TEST

START_TEST(anomalib_and_article_average_neighbourhoods_of_3_and_merge_differently) {
  for (const Preset preset : {Preset::Anomalib, Preset::Article}) {
    const Settings s = Settings::from_preset(preset);
    ck_assert(s.neighbourhood == Neighbourhood::AveragePool);
    ck_assert_int_eq(s.patch_size, 3);
  }
  ck_assert(Settings::from_preset(Preset::Anomalib).merge == Interpolation::Bilinear);
  ck_assert(Settings::from_preset(Preset::Article).merge == Interpolation::Nearest);
}
END_TEST

START_TEST(each_preset_thins_its_bank_as_its_source_does) {
  for (const Preset preset : {Preset::Paper, Preset::Official}) {
    const Settings s = Settings::from_preset(preset);
    ck_assert(s.projection == Projection::Dense128);
    ck_assert(s.coreset_start == CoresetStart::MeanOfTen);
  }
  const Settings anomalib = Settings::from_preset(Preset::Anomalib);
  ck_assert(anomalib.projection == Projection::SparseJohnsonLindenstrauss);
  ck_assert(anomalib.coreset_start == CoresetStart::RandomPoint);
  const Settings article = Settings::from_preset(Preset::Article);
  ck_assert(article.projection == Projection::SparseJohnsonLindenstrauss);
  ck_assert(article.coreset_start == CoresetStart::FirstPoint);
}
END_TEST

START_TEST(each_preset_scores_images_as_its_source_does) {
  const auto scoring = [](Preset p) { return Settings::from_preset(p).image_scoring; };
  ck_assert(scoring(Preset::Paper) == ImageScoring::Reweighted);
  ck_assert(scoring(Preset::Official) == ImageScoring::Maximum);
  ck_assert(scoring(Preset::Anomalib) == ImageScoring::Reweighted);
  ck_assert(scoring(Preset::Article) == ImageScoring::Article);
  for (const Preset preset : kPresets) {
    const Settings s = Settings::from_preset(preset);
    ck_assert_int_eq(s.neighbours, 9);
    ck_assert(s.distance == (preset == Preset::Official ? Distance::SquaredL2 : Distance::L2));
  }
}
END_TEST

START_TEST(each_preset_makes_maps_as_its_source_does) {
  for (const Preset preset : kPublished) {
    const Settings s = Settings::from_preset(preset);
    const bool official = preset == Preset::Paper || preset == Preset::Official;
    ck_assert(s.map_upsampling == (official ? Interpolation::Bilinear : Interpolation::Nearest));
    ck_assert(s.map_border == (official ? Border::Symmetric : Border::Reflect));
    ck_assert(s.map_sigma == 4.0);
  }
}
END_TEST

/// The table of docs/accuracy.md that the choices were made by.
START_TEST(inspect_is_anomalib_but_for_what_was_chosen) {
  Settings expected = Settings::from_preset(Preset::Anomalib);
  expected.preset = Preset::Inspect;
  expected.resize = {224, 224};
  expected.image_scoring = ImageScoring::MapMaximum;
  expected.map_upsampling = Interpolation::Bilinear;
  expected.map_sigma = 6;
  ck_assert(Settings::from_preset(Preset::Inspect) == expected);
}
END_TEST

START_TEST(every_preset_knows_its_name) {
  for (const Preset preset : kPresets) {
    ck_assert(Settings::from_preset(preset).preset == preset);
    ck_assert(parse_preset(nick(preset)) == preset);
  }
  assert_text(nick(Preset::Paper), "paper");
  assert_text(nick(Preset::Official), "official");
  assert_text(nick(Preset::Anomalib), "anomalib");
  assert_text(nick(Preset::Article), "article");
  assert_text(nick(Preset::Inspect), "inspect");
}
END_TEST

START_TEST(an_unknown_preset_is_refused_with_the_known_ones) {
  for (const char* text : {"", "Paper", "best", "paper "})
    assert_refused(ErrorCode::InvalidArgument, {"paper, official, anomalib, article, inspect"},
                   text, [&] { parse_preset(text); });
}
END_TEST

START_TEST(settings_come_back_from_their_metadata) {
  for (const Preset preset : kPresets) {
    Settings s = Settings::from_preset(preset);
    s.backbone = "wide_resnet50_2";
    s.layers = {"layer1", "layer2", "layer3"};
    s.resize = {320, 256};
    s.crop = 32;
    s.patch_size = 5;
    s.neighbours = 3;
    s.map_sigma = 0.1;  // no finite binary fraction
    s.patch_neighbours = 2;
    s.resize_values = ResizeValues::Floats;
    s.top_patches = 20;
    s.augmentation = {Augmentation::Shift, Augmentation::FlipX};
    ck_assert(Settings::from_metadata(s.to_metadata()) == s);
  }
}
END_TEST

START_TEST(settings_without_layers_come_back_without) {
  const Settings s;
  ck_assert(Settings::from_metadata(s.to_metadata()) == s);
}
END_TEST

START_TEST(a_missing_or_empty_entry_is_named) {
  const auto whole = Settings::from_preset(Preset::Paper).to_metadata();
  for (const auto& [key, value] : whole) {
    auto metadata = whole;
    metadata.erase(key);
    assert_refused(ErrorCode::OpenRead, {"\"" + key + "\""}, key,
                   [&] { Settings::from_metadata(metadata); });
    if (key == "backbone" || key == "layers") continue;
    metadata[key] = "";
    assert_refused(ErrorCode::OpenRead, {"\"" + key + "\""}, key,
                   [&] { Settings::from_metadata(metadata); });
  }
}
END_TEST

START_TEST(banks_of_before_a_setting_was_there_are_as_they_were) {
  const auto metadata = Settings::from_preset(Preset::Paper).to_metadata();
  // The entries of format 1's first banks, whose identity is a hash over these.
  ck_assert_uint_eq(metadata.size(), 18);
  for (const char* later : {"patch_neighbours", "top_patches", "augmentation", "resize_values"})
    ck_assert(!metadata.contains(later));
}
END_TEST

START_TEST(a_setting_is_set_by_its_entrys_name) {
  Settings s = Settings::from_preset(Preset::Paper);
  s.set("patch_size", "5");
  s.set("image_scoring", "top-mean");
  s.set("augmentation", "flip-y,brightness");
  Settings expected = Settings::from_preset(Preset::Paper);
  expected.patch_size = 5;
  expected.image_scoring = ImageScoring::TopMean;
  expected.augmentation = {Augmentation::FlipY, Augmentation::Brightness};
  ck_assert(s == expected);
  s.set("augmentation", "");
  ck_assert(s.augmentation.empty());
}
END_TEST

START_TEST(a_setting_that_can_not_be_set_is_refused_and_changes_nothing) {
  const std::vector<std::pair<const char*, const char*>> wrong{
      {"patch_size", "4"},      {"patch_size", "17"},    {"patch_size", ""},
      {"patch_size", "x"},      {"distance", "cosine"},  {"map_sigma", "nan"},
      {"top_patches", "0"},     {"augmentation", "mix"}, {"augmentation", "shift,shift"},
      {"patch_neighbours", "0"}};
  for (const auto& [name, value] : wrong) {
    Settings s;
    assert_refused(ErrorCode::InvalidArgument, {std::string("\"") + name + "\""}, value,
                   [&, name = name, value = value] { s.set(name, value); });
    ck_assert(s == Settings());
  }
  for (const char* name : {"backbone", "layers", "preset", "resize", "crop", "seed", ""}) {
    Settings s;
    assert_refused(ErrorCode::InvalidArgument, {std::string("\"") + name + "\"", "patch_size"},
                   name, [&] { s.set(name, "1"); });
  }
}
END_TEST

START_TEST(a_resize_is_a_shorter_side_or_width_and_height) {
  ck_assert(parse_resize("256") == (ResizeTarget{256, 0}));
  ck_assert(parse_resize("16") == (ResizeTarget{16, 0}));
  ck_assert(parse_resize("8192") == (ResizeTarget{8192, 0}));
  ck_assert(parse_resize("320x240") == (ResizeTarget{320, 240}));
  for (const char* text : {"256", "320x240", "16x8192"})
    assert_text(to_string(parse_resize(text)), text);
}
END_TEST

START_TEST(any_other_resize_is_refused) {
  for (const char* text :
       {"",      "x",      "256x",        "x256",      "15",    "8193",    "-256",
        "+256",  " 256",   "256 ",        "256x224x3", "0x100", "256X224", "1e3",
        "256x0", "256x15", "99999999999", "256,224",   "256.0", "two"})
    assert_refused(ErrorCode::InvalidArgument, {}, text, [&] { parse_resize(text); });
}
END_TEST

int main() {
  Suite* suite = suite_create("settings");
  TCase* tests = tcase_create("settings");
  tcase_add_test(tests, paper_and_official_see_224_out_of_256_on_the_shorter_side);
  tcase_add_test(tests, anomalib_sees_all_of_256x256_and_article_224_of_it);
  tcase_add_test(tests, paper_and_official_pool_neighbourhoods_of_3_adaptively_to_1024);
  tcase_add_test(tests, anomalib_and_article_average_neighbourhoods_of_3_and_merge_differently);
  tcase_add_test(tests, each_preset_thins_its_bank_as_its_source_does);
  tcase_add_test(tests, each_preset_scores_images_as_its_source_does);
  tcase_add_test(tests, each_preset_makes_maps_as_its_source_does);
  tcase_add_test(tests, inspect_is_anomalib_but_for_what_was_chosen);
  tcase_add_test(tests, every_preset_knows_its_name);
  tcase_add_test(tests, an_unknown_preset_is_refused_with_the_known_ones);
  tcase_add_test(tests, settings_come_back_from_their_metadata);
  tcase_add_test(tests, settings_without_layers_come_back_without);
  tcase_add_test(tests, a_missing_or_empty_entry_is_named);
  tcase_add_test(tests, banks_of_before_a_setting_was_there_are_as_they_were);
  tcase_add_test(tests, a_setting_is_set_by_its_entrys_name);
  tcase_add_test(tests, a_setting_that_can_not_be_set_is_refused_and_changes_nothing);
  tcase_add_test(tests, a_resize_is_a_shorter_side_or_width_and_height);
  tcase_add_test(tests, any_other_resize_is_refused);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
