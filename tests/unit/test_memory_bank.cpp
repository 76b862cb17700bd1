// SPDX-License-Identifier: LGPL-2.1-or-later
// The bank file: all of it comes back, and what is not a bank is refused by the file's name.

#include "safetensors.hpp"
#include "sample_bank.hpp"

using namespace patchcore;

namespace {

struct Content {
  std::map<std::string, std::string> metadata;
  std::map<std::string, at::Tensor> tensors;
};

Content content_of(const std::filesystem::path& path) {
  SafetensorsReader reader(path);
  Content content{reader.metadata(), {}};
  for (const auto& name : reader.names()) content.tensors[name] = reader.tensor(name);
  return content;
}

Content sample_content() {
  const TemporaryFolder folder;
  sample().save(folder / "f");
  return content_of(folder / "f");
}

/// The sample's file with one thing changed must be refused with the file's name and `parts`.
template <typename Change>
void assert_changed_refused(const std::string& what, std::vector<std::string> parts,
                            Change change) {
  const TemporaryFolder folder;
  const auto path = folder / "changed.bank";
  Content content = sample_content();
  change(content);
  write_safetensors(path, content.metadata, content.tensors);
  parts.push_back(path.string());
  assert_refused(ErrorCode::OpenRead, parts, what, [&] { MemoryBank::load(path); });
}

void assert_tensor_refused(const std::string& what, const std::string& name,
                           const at::Tensor& value) {
  assert_changed_refused(what, {}, [&](Content& c) { c.tensors[name] = value; });
}

void assert_entry_refused(const std::string& key, const std::string& value) {
  assert_changed_refused(key + "=" + value, {}, [&](Content& c) { c.metadata.at(key) = value; });
}

}  // namespace

START_TEST(everything_that_was_saved_is_loaded) {
  const TemporaryFolder folder;
  const MemoryBank saved = sample();
  saved.save(folder / "f");
  const MemoryBank loaded = MemoryBank::load(folder / "f");
  ck_assert(loaded.rows.equal(saved.rows));
  ck_assert(loaded.neighbours.equal(saved.neighbours));
  ck_assert(loaded.settings == saved.settings);
  assert_text(loaded.weights_id, saved.weights_id.c_str());
  assert_text(loaded.weights_location, saved.weights_location.c_str());
  assert_text(loaded.precision, saved.precision.c_str());
  ck_assert_uint_eq(loaded.seed, saved.seed);
  ck_assert_int_eq(loaded.frames, saved.frames);
}
END_TEST

START_TEST(the_calibration_comes_back_to_the_last_bit) {
  const TemporaryFolder folder;
  MemoryBank bank = sample();
  bank.calibration.threshold = 0.1;  // no float, and no short binary fraction
  bank.save(folder / "f");
  const Calibration loaded = MemoryBank::load(folder / "f").calibration;
  ck_assert(loaded.scores == bank.calibration.scores);
  ck_assert(loaded.map_peaks == bank.calibration.map_peaks);
  ck_assert(loaded.threshold == 0.1);
  ck_assert(loaded.pixel_threshold == bank.calibration.pixel_threshold);
  ck_assert(loaded.median == bank.calibration.median);
  ck_assert(loaded.pixel_median == bank.calibration.pixel_median);
  assert_text(loaded.method, "3 folds");
}
END_TEST

START_TEST(thresholds_without_scores_come_back) {
  const TemporaryFolder folder;
  MemoryBank bank = sample();
  bank.calibration.scores.clear();  // as those of an imported bank
  bank.calibration.map_peaks.clear();
  bank.save(folder / "f");
  const Calibration loaded = MemoryBank::load(folder / "f").calibration;
  ck_assert(loaded.valid() && loaded.scores.empty());
  ck_assert(loaded.threshold == bank.calibration.threshold);
  ck_assert(loaded.pixel_median == bank.calibration.pixel_median);
}
END_TEST

START_TEST(a_bank_without_calibration_comes_back_without) {
  const TemporaryFolder folder;
  MemoryBank bank = sample();
  bank.calibration = {};
  bank.save(folder / "f");
  ck_assert(!MemoryBank::load(folder / "f").calibration.valid());
}
END_TEST

START_TEST(a_bank_of_one_row_is_a_bank) {
  const TemporaryFolder folder;
  MemoryBank bank = sample();
  bank.rows = at::ones({1, 4});
  bank.neighbours = at::zeros({1, 1}, at::kLong);
  bank.save(folder / "f");
  ck_assert_int_eq(MemoryBank::load(folder / "f").size(), 1);
}
END_TEST

START_TEST(rows_that_are_not_finite_are_refused) {
  for (const float value : {NAN, INFINITY, -INFINITY}) {
    at::Tensor rows = sample().rows.clone();
    rows[5][3] = value;
    assert_tensor_refused(std::to_string(value), "bank", rows);
  }
}
END_TEST

START_TEST(a_bank_of_another_type_or_shape_is_refused) {
  const at::Tensor rows = sample().rows;
  assert_tensor_refused("fp64", "bank", rows.to(at::kDouble));
  assert_tensor_refused("fp16", "bank", rows.to(at::kHalf));
  assert_tensor_refused("bytes", "bank", rows.to(at::kByte));
  assert_tensor_refused("one dimension", "bank", rows.flatten());
  assert_tensor_refused("three dimensions", "bank", rows.unsqueeze(0));
  assert_tensor_refused("no row", "bank", at::empty({0, 4}));
  assert_tensor_refused("no column", "bank", at::empty({6, 0}));
}
END_TEST

START_TEST(neighbours_that_are_not_rows_of_the_bank_are_refused) {
  const at::Tensor neighbours = sample().neighbours;
  const auto with = [&](int64_t value) {
    at::Tensor changed = neighbours.clone();
    changed[3][1] = value;
    return changed;
  };
  assert_tensor_refused("-1", "neighbours", with(-1));
  assert_tensor_refused("K", "neighbours", with(6));
  assert_tensor_refused("2^62", "neighbours", with(int64_t{1} << 62));
  assert_tensor_refused("int32", "neighbours", neighbours.to(at::kInt));
  assert_tensor_refused("float", "neighbours", neighbours.to(at::kFloat));
  assert_tensor_refused("a row less", "neighbours", neighbours.slice(0, 0, 5));
  assert_tensor_refused("a column less", "neighbours", neighbours.slice(1, 0, 2));
  assert_tensor_refused("more than rows", "neighbours", at::zeros({6, 7}, at::kLong));
  assert_tensor_refused("none", "neighbours", at::zeros({6, 0}, at::kLong));
  assert_tensor_refused("one dimension", "neighbours", neighbours.flatten());
}
END_TEST

// Eq. 7 takes the first for m* itself.
START_TEST(neighbours_that_do_not_begin_with_the_row_itself_are_refused) {
  assert_tensor_refused("turned round", "neighbours", sample().neighbours.flip(1));
}
END_TEST

START_TEST(every_entry_that_is_missing_is_named) {
  for (const auto& [key, value] : sample_content().metadata) {
    if (key == "library_version") continue;  // for a person
    assert_changed_refused(key, {"\"" + key + "\""},
                           [&key = key](Content& c) { c.metadata.erase(key); });
  }
}
END_TEST

START_TEST(every_tensor_that_is_missing_is_named) {
  for (const char* name : {"bank", "neighbours", "calibration_map_peaks"})
    assert_changed_refused(name, {name}, [&](Content& c) { c.tensors.erase(name); });
}
END_TEST

START_TEST(another_format_version_is_refused_with_both_versions) {
  for (const char* version : {"3", "0", "", "1 ", "1.0", "one"})
    assert_changed_refused(version, {"\"" + std::string(version) + "\"", "\"1\""},
                           [&](Content& c) { c.metadata["patchcore_format"] = version; });
}
END_TEST

START_TEST(a_safetensors_file_that_is_no_bank_is_refused) {
  const TemporaryFolder folder;
  write_safetensors(folder / "f", {}, {{"conv1.weight", at::ones({2, 2})}});
  assert_refused(ErrorCode::OpenRead, {(folder / "f").string(), "patchcore_format"}, "weights",
                 [&] { MemoryBank::load(folder / "f"); });
}
END_TEST

START_TEST(settings_out_of_range_are_refused) {
  const std::vector<std::pair<const char*, const char*>> entries{
      {"preset", "best"},        {"resize", "8"},
      {"resize", "256x256x256"}, {"crop", "-1"},
      {"crop", "1000000"},       {"patch_size", "0"},
      {"patch_size", "99"},      {"neighbourhood", "none"},
      {"layer_width", "-1"},     {"embedding_width", "x"},
      {"merge", "bicubic"},      {"num_neighbours", "0"},
      {"num_neighbours", "1e9"}, {"map_sigma", "-1"},
      {"map_sigma", "nan"},      {"map_sigma", "inf"},
      {"map_sigma", "1e9"},      {"map_border", ""},
      {"distance", "L2"},        {"image_scoring", "max"}};
  for (const auto& [key, value] : entries)
    assert_changed_refused(std::string(key) + "=" + value, {key},
                           [&key = key, &value = value](Content& c) { c.metadata[key] = value; });
}
END_TEST

START_TEST(settings_that_contradict_each_other_are_refused) {
  assert_entry_refused("patch_size", "4");                 // has no centre
  assert_entry_refused("neighbourhood", "adaptive-pool");  // to a width of 0
}
END_TEST

START_TEST(numbers_that_are_none_are_refused) {
  const std::vector<std::pair<const char*, const char*>> entries{{"seed", "-1"},
                                                                 {"seed", "18446744073709551616"},
                                                                 {"seed", ""},
                                                                 {"seed", "1.5"},
                                                                 {"frames", "-1"},
                                                                 {"frames", "many"},
                                                                 {"threshold", "nan"},
                                                                 {"threshold", "inf"},
                                                                 {"pixel_threshold", "-inf"},
                                                                 {"median", "1,5"},
                                                                 {"pixel_median", ""},
                                                                 {"precision", "fp8"}};
  for (const auto& [key, value] : entries) assert_entry_refused(key, value);
}
END_TEST

START_TEST(a_calibration_that_is_not_in_order_or_not_finite_is_refused) {
  for (const char* name : {"calibration_scores", "calibration_map_peaks"}) {
    assert_tensor_refused("falling", name, at::tensor({2.0f, 1.0f}));
    assert_tensor_refused("NaN", name, at::tensor({1.0f, NAN}));
    assert_tensor_refused("infinite", name, at::tensor({1.0f, INFINITY}));
    assert_tensor_refused("empty", name, at::empty({0}));
    assert_tensor_refused("fp64", name, at::ones({2}, at::kDouble));
    assert_tensor_refused("two dimensions", name, at::ones({1, 2}));
  }
}
END_TEST

START_TEST(a_missing_bank_is_not_found) {
  const TemporaryFolder folder;
  assert_refused(ErrorCode::NotFound, {(folder / "f").string()}, "missing",
                 [&] { MemoryBank::load(folder / "f"); });
}
END_TEST

START_TEST(loading_is_cancelled_at_whatever_moment) {
  const TemporaryFolder folder;
  MemoryBank bank = sample();
  bank.save(folder / "small");
  bank.rows = at::zeros({10 << 10, 1 << 10});  // 40 MiB
  bank.neighbours = at::arange(bank.size()).unsqueeze(1).expand({bank.size(), 3}).contiguous();
  bank.save(folder / "f");
  int small = 0, looks = 0;
  MemoryBank::load(folder / "small", "", {{}, [&] { return ++small < 0; }});
  MemoryBank::load(folder / "f", "", {{}, [&] { return ++looks < 0; }});
  ck_assert_int_ge(looks - small, 3 * 9);  // blocks that are read, checked and hashed
  for (const int moment : {1, 2, looks / 2, looks - 1, looks}) {
    int seen = 0;
    assert_refused(ErrorCode::Cancelled, {}, "load", [&] {
      MemoryBank::load(folder / "f", "", {{}, [&] { return ++seen == moment; }});
    });
    ck_assert_int_eq(seen, moment);
  }
}
END_TEST

START_TEST(a_cancelled_save_leaves_the_old_bank) {
  const TemporaryFolder folder;
  sample().save(folder / "f");
  const std::string before = read_file(folder / "f");
  Monitor monitor;
  monitor.cancelled = [] { return true; };
  assert_refused(ErrorCode::Cancelled, {}, "cancelled",
                 [&] { sample().save(folder / "f", "", monitor); });
  ck_assert(read_file(folder / "f") == before);
  ck_assert_uint_eq(folder.names().size(), 1);
}
END_TEST

int main() {
  Suite* suite = suite_create("memory-bank");
  TCase* tests = tcase_create("memory-bank");
  tcase_set_timeout(tests, 20);
  tcase_add_test(tests, everything_that_was_saved_is_loaded);
  tcase_add_test(tests, the_calibration_comes_back_to_the_last_bit);
  tcase_add_test(tests, a_bank_without_calibration_comes_back_without);
  tcase_add_test(tests, thresholds_without_scores_come_back);
  tcase_add_test(tests, a_bank_of_one_row_is_a_bank);
  tcase_add_test(tests, rows_that_are_not_finite_are_refused);
  tcase_add_test(tests, a_bank_of_another_type_or_shape_is_refused);
  tcase_add_test(tests, neighbours_that_are_not_rows_of_the_bank_are_refused);
  tcase_add_test(tests, neighbours_that_do_not_begin_with_the_row_itself_are_refused);
  tcase_add_test(tests, every_entry_that_is_missing_is_named);
  tcase_add_test(tests, every_tensor_that_is_missing_is_named);
  tcase_add_test(tests, another_format_version_is_refused_with_both_versions);
  tcase_add_test(tests, a_safetensors_file_that_is_no_bank_is_refused);
  tcase_add_test(tests, settings_out_of_range_are_refused);
  tcase_add_test(tests, settings_that_contradict_each_other_are_refused);
  tcase_add_test(tests, numbers_that_are_none_are_refused);
  tcase_add_test(tests, a_calibration_that_is_not_in_order_or_not_finite_is_refused);
  tcase_add_test(tests, a_missing_bank_is_not_found);
  tcase_add_test(tests, loading_is_cancelled_at_whatever_moment);
  tcase_add_test(tests, a_cancelled_save_leaves_the_old_bank);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
