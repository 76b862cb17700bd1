// SPDX-License-Identifier: LGPL-2.1-or-later
// Which banks are the same: by their content the id tells, by their file whether one is shared.

#include <set>

#include "sample_bank.hpp"

using namespace patchcore;

// What docs/bank-format.md says, by coreutils.
START_TEST(the_id_is_the_sha256_of_settings_and_rows) {
  const TemporaryFolder folder;
  const MemoryBank bank = sample();
  const std::string rows(static_cast<const char*>(bank.rows.data_ptr()), bank.rows.nbytes());
  write_file(folder / "content",
             R"({"backbone":"resnet18","bank":"6x4","coreset_start":"first-point","crop":"224",)"
             R"("distance":"l2","embedding_width":"0","image_scoring":"article",)"
             R"("layer_width":"0","layers":"layer1,layer3","map_border":"reflect",)"
             R"("map_sigma":"0.1","map_upsampling":"nearest","merge":"nearest",)"
             R"("neighbourhood":"average-pool","num_neighbours":"3","patch_size":"3",)"
             R"("preset":"article","projection":"sparse-jl","resize":"320",)"
             R"("weights_id":"0123abcd"})" +
                 rows);
  assert_text(bank.identify(), sha256_of(folder / "content").substr(0, 16));
}
END_TEST

START_TEST(a_loaded_bank_has_the_id_of_its_content_whatever_else_the_file_says) {
  const TemporaryFolder folder;
  MemoryBank bank = sample();
  const std::string id = bank.identify();
  bank.calibration = {};
  bank.frames = 5;
  bank.seed = 6;
  bank.weights_location = "elsewhere";
  bank.precision = "fp32";
  bank.save(folder / "f");
  assert_text(MemoryBank::load(folder / "f").id, id);
}
END_TEST

START_TEST(whatever_decides_a_score_changes_the_id) {
  std::vector<MemoryBank> banks(6, sample());
  banks[1].rows = sample().rows.clone();
  banks[1].rows[5][3] += 1e-6f;
  banks[2].rows = sample().rows.reshape({4, 6});
  banks[3].settings.distance = Distance::SquaredL2;
  banks[4].settings.layers = {"layer1", "layer2"};
  banks[5].weights_id = "0123abce";
  std::set<std::string> ids;
  for (const MemoryBank& bank : banks) ids.insert(bank.identify());
  ck_assert_uint_eq(ids.size(), banks.size());
}
END_TEST

START_TEST(an_unchanged_file_is_one_bank_by_all_of_its_names) {
  const TemporaryFolder folder;
  sample().save(folder / "f");
  std::filesystem::create_symlink("f", folder / "link");
  const auto bank = MemoryBank::get(folder / "f");
  ck_assert_ptr_eq(MemoryBank::get(folder / "f").get(), bank.get());
  ck_assert_ptr_eq(MemoryBank::get(folder / "link").get(), bank.get());
  ck_assert(bank->rows.equal(sample().rows));
}
END_TEST

START_TEST(a_file_that_was_replaced_is_another_bank) {
  const TemporaryFolder folder;
  MemoryBank bank = sample();
  bank.save(folder / "f");
  const auto before = MemoryBank::get(folder / "f");
  const auto time = std::filesystem::last_write_time(folder / "f");
  bank.rows = -bank.rows;
  bank.save(folder / "f");
  // As an archive or a copy with its times does it.
  std::filesystem::last_write_time(folder / "f", time);
  const auto after = MemoryBank::get(folder / "f");
  ck_assert(after->rows.equal(bank.rows));
  ck_assert(before->rows.equal(sample().rows));
}
END_TEST

START_TEST(a_file_that_was_changed_in_place_is_another_bank) {
  const TemporaryFolder folder;
  sample().save(folder / "f");
  const auto before = MemoryBank::get(folder / "f");
  MemoryBank bank = sample();
  bank.frames = 321;  // as long as it was
  bank.save(folder / "other");
  // The file system's clock may be coarser than two writes are apart.
  const auto later = std::filesystem::last_write_time(folder / "f") + std::chrono::seconds(1);
  write_file(folder / "f", read_file(folder / "other"));
  std::filesystem::last_write_time(folder / "f", later);
  ck_assert_int_eq(MemoryBank::get(folder / "f")->frames, 321);
}
END_TEST

START_TEST(a_bank_that_nobody_has_is_not_kept) {
  const TemporaryFolder folder;
  sample().save(folder / "f");
  const std::weak_ptr<const MemoryBank> bank = MemoryBank::get(folder / "f");
  ck_assert(bank.expired());
}
END_TEST

START_TEST(a_cancelled_or_failed_load_does_not_stand_in_the_way_of_the_next) {
  const TemporaryFolder folder;
  assert_refused(ErrorCode::NotFound, {(folder / "f").string()}, "missing",
                 [&] { MemoryBank::get(folder / "f"); });
  sample().save(folder / "f");
  assert_refused(ErrorCode::Cancelled, {}, "cancelled", [&] {
    MemoryBank::get(folder / "f", "", {{}, [] { return true; }});
  });
  ck_assert_int_eq(MemoryBank::get(folder / "f")->frames, sample().frames);
}
END_TEST

int main() {
  Suite* suite = suite_create("bank-identity");
  TCase* tests = tcase_create("bank-identity");
  tcase_set_timeout(tests, 20);
  tcase_add_test(tests, the_id_is_the_sha256_of_settings_and_rows);
  tcase_add_test(tests, a_loaded_bank_has_the_id_of_its_content_whatever_else_the_file_says);
  tcase_add_test(tests, whatever_decides_a_score_changes_the_id);
  tcase_add_test(tests, an_unchanged_file_is_one_bank_by_all_of_its_names);
  tcase_add_test(tests, a_file_that_was_replaced_is_another_bank);
  tcase_add_test(tests, a_file_that_was_changed_in_place_is_another_bank);
  tcase_add_test(tests, a_bank_that_nobody_has_is_not_kept);
  tcase_add_test(tests, a_cancelled_or_failed_load_does_not_stand_in_the_way_of_the_next);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
