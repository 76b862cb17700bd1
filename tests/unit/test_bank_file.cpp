// SPDX-License-Identifier: LGPL-2.1-or-later
// Banks of several products in one file: each is what it was alone, whoever else comes and goes.
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "bank_entries.hpp"
#include "bank_file.hpp"
#include "folder_lock.hpp"
#include "sample_bank.hpp"

using namespace patchcore;

namespace {

/// The sample with this many frames, to tell it from others.
MemoryBank with_frames(int64_t frames) {
  MemoryBank bank = sample();
  bank.frames = frames;
  bank.rows = float_noise("bank " + std::to_string(frames), {6, 4});
  return bank;
}

using Names = std::vector<std::string>;

/// A file of the banks "bottle" and "cap".
std::filesystem::path two_banks(const TemporaryFolder& folder) {
  const auto file = folder / "products.safetensors";
  with_frames(1).save(file, "cap");
  with_frames(2).save(file, "bottle");
  return file;
}

/// A file of two banks with its header's entries changed must be refused.
template <typename Change>
void assert_changed_refused(const std::string& what, Change change) {
  const TemporaryFolder folder;
  const auto file = two_banks(folder);
  SafetensorsReader reader(file);
  auto metadata = reader.metadata();
  std::map<std::string, at::Tensor> tensors;
  for (const auto& name : reader.names()) tensors[name] = reader.tensor(name);
  change(metadata, tensors);
  write_safetensors(file, metadata, tensors);
  assert_refused(ErrorCode::OpenRead, {file.string()}, what,
                 [&] { MemoryBank::load(file, "cap"); });
}

}  // namespace

START_TEST(banks_of_a_file_are_what_they_were_alone) {
  const TemporaryFolder folder;
  const auto file = two_banks(folder);
  ck_assert(BankFile(file).names() == (Names{"bottle", "cap"}));
  for (const auto& [name, frames] : {std::pair{"cap", 1}, {"bottle", 2}}) {
    const MemoryBank alone = with_frames(frames), loaded = MemoryBank::load(file, name);
    ck_assert(loaded.rows.equal(alone.rows));
    ck_assert(loaded.settings == alone.settings);
    ck_assert(loaded.calibration.scores == alone.calibration.scores);
    ck_assert_int_eq(loaded.frames, frames);
    assert_text(loaded.id, alone.identify().c_str());
  }
}
END_TEST

START_TEST(a_bank_takes_the_place_of_the_one_that_has_its_name) {
  const TemporaryFolder folder;
  const auto file = two_banks(folder);
  with_frames(3).save(file, "cap");
  ck_assert(BankFile(file).names() == (Names{"bottle", "cap"}));
  ck_assert_int_eq(MemoryBank::load(file, "cap").frames, 3);
  ck_assert_int_eq(MemoryBank::load(file, "bottle").frames, 2);
}
END_TEST

// So that a newer program's entries outlive an older program's fit.
START_TEST(what_is_not_known_of_another_bank_stays) {
  const TemporaryFolder folder;
  const auto file = folder / "f";
  BankEntries newer = entries_of(sample());
  newer.metadata["later"] = "entry";
  newer.tensors["later"] = at::ones({3}, at::kByte);
  add_banks(file, {{"cap", newer}});
  sample().save(file, "bottle");
  BankFile content(file);
  assert_text(content.metadata("cap").at("later"), "entry");
  ck_assert(content.tensor("cap", "later").equal(at::ones({3}, at::kByte)));
  ck_assert(!content.contains("bottle", "later"));
}
END_TEST

START_TEST(a_name_that_is_not_there_is_not_found_and_those_that_are_get_named) {
  const TemporaryFolder folder;
  const auto file = two_banks(folder), one = folder / "one";
  sample().save(one);
  for (const std::string& name : Names{"", "can", "ca", "capp"})
    assert_refused(ErrorCode::NotFound, {file.string(), name, "bottle,cap"}, name,
                   [&] { MemoryBank::load(file, name); });
  assert_refused(ErrorCode::NotFound, {one.string(), "cap", "without a name"}, "one",
                 [&] { MemoryBank::load(one, "cap"); });
}
END_TEST

START_TEST(a_bank_with_a_name_and_one_without_never_share_a_file) {
  const TemporaryFolder folder;
  const auto file = two_banks(folder), one = folder / "one";
  sample().save(one);
  const std::string before = read_file(file), before_one = read_file(one);
  assert_refused(ErrorCode::InvalidArgument, {file.string(), "bottle,cap"}, "without",
                 [&] { sample().save(file); });
  assert_refused(ErrorCode::InvalidArgument, {one.string(), "cap"}, "with",
                 [&] { sample().save(one, "cap"); });
  ck_assert(read_file(file) == before && read_file(one) == before_one);
}
END_TEST

START_TEST(what_is_no_bank_is_not_written_over_by_one_with_a_name) {
  const TemporaryFolder folder;
  write_file(folder / "f", "somebody's notes");
  assert_refused(ErrorCode::OpenRead, {(folder / "f").string()}, "notes",
                 [&] { sample().save(folder / "f", "cap"); });
  ck_assert(read_file(folder / "f") == "somebody's notes");
}
END_TEST

START_TEST(names_that_could_be_paths_or_lists_are_refused) {
  const TemporaryFolder folder;
  for (const std::string& name : Names{"a/b", "..", ".a", "a,b", "a b", "-a", "\xc3\x9f",
                                       std::string("a\0b", 3), std::string(65, 'a')})
    assert_refused(ErrorCode::InvalidArgument, {"called"}, name,
                   [&] { sample().save(folder / "f", name); });
  ck_assert(folder.names().empty());
  const std::string longest(64, 'a');
  for (const std::string& name : Names{"0", "A.b-c_9", longest}) {
    sample().save(folder / "f", name);
    ck_assert(BankFile(folder / "f").holds(name));
  }
}
END_TEST

START_TEST(a_broken_list_of_names_is_refused) {
  for (const char* list : {"", ",", "cap,,bottle", "cap,cap", "cap, bottle", "../cap", "cap/x"})
    assert_changed_refused(list,
                           [&](auto& metadata, auto&) { metadata["patchcore_banks"] = list; });
  assert_changed_refused("none", [](auto& metadata, auto&) { metadata.erase("patchcore_banks"); });
}
END_TEST

START_TEST(what_is_missing_of_one_bank_is_not_taken_from_another) {
  assert_changed_refused("rows", [](auto&, auto& tensors) { tensors.erase("cap/bank"); });
  assert_changed_refused("entry", [](auto& metadata, auto&) { metadata.erase("cap/weights_id"); });
  assert_changed_refused("from outside", [](auto& metadata, auto&) {
    metadata.erase("cap/weights_id");
    metadata["weights_id"] = "0123abcd";
  });
}
END_TEST

START_TEST(a_bank_that_is_removed_is_gone_and_the_others_stay) {
  const TemporaryFolder folder;
  const auto file = two_banks(folder);
  assert_refused(ErrorCode::NotFound, {"can"}, "absent", [&] { remove_bank(file, "can"); });
  remove_bank(file, "cap");
  ck_assert(BankFile(file).names() == Names{"bottle"});
  ck_assert_int_eq(MemoryBank::load(file, "bottle").frames, 2);
  assert_refused(ErrorCode::InvalidArgument, {"bottle", file.string()}, "the last",
                 [&] { remove_bank(file, "bottle"); });
}
END_TEST

START_TEST(existence_is_that_of_the_name) {
  const TemporaryFolder folder;
  const auto file = two_banks(folder);
  ck_assert(bank_exists(file, "cap"));
  ck_assert(!bank_exists(file, "can"));
  ck_assert(bank_exists(file, ""));  // a file that can't be made
  ck_assert(!bank_exists(folder / "none", "cap"));
  write_file(folder / "broken", "no bank");
  ck_assert(bank_exists(folder / "broken", "cap"));
}
END_TEST

// Without the lock, who reads the file before another's rename writes it without that one's bank.
START_TEST(processes_and_threads_that_write_at_a_time_lose_no_bank) {
  const TemporaryFolder folder;
  const auto file = folder / "f";
  constexpr int kEach = 12;
  const auto write = [&](const std::string& who) {
    for (int i = 0; i < kEach; ++i) sample().save(file, who + std::to_string(i));
  };
  const pid_t child = fork();
  if (child == 0) {
    write("child");
    _exit(0);
  }
  std::thread first([&] { write("first"); }), second([&] { write("second"); });
  first.join();
  second.join();
  int status = -1;
  waitpid(child, &status, 0);
  ck_assert_int_eq(status, 0);
  ck_assert_uint_eq(BankFile(file).names().size(), 3 * kEach);
}
END_TEST

START_TEST(a_write_that_waits_for_another_is_cancelled) {
  const TemporaryFolder folder;
  const FolderLock lock(folder / "f", {});
  int looks = 0;
  assert_refused(ErrorCode::Cancelled, {}, "waiting", [&] {
    sample().save(folder / "f", "cap", {{}, [&] { return ++looks == 3; }});
  });
  ck_assert_int_eq(looks, 3);
  ck_assert(folder.names().empty());
}
END_TEST

START_TEST(the_process_has_one_bank_of_a_name_in_a_file) {
  const TemporaryFolder folder;
  const auto file = two_banks(folder);
  const auto cap = MemoryBank::get(file, "cap");
  ck_assert_ptr_eq(MemoryBank::get(file, "cap").get(), cap.get());
  ck_assert_ptr_ne(MemoryBank::get(file, "bottle").get(), cap.get());
}
END_TEST

int main() {
  Suite* suite = suite_create("bank-file");
  TCase* tests = tcase_create("bank-file");
  tcase_add_test(tests, banks_of_a_file_are_what_they_were_alone);
  tcase_add_test(tests, a_bank_takes_the_place_of_the_one_that_has_its_name);
  tcase_add_test(tests, what_is_not_known_of_another_bank_stays);
  tcase_add_test(tests, a_name_that_is_not_there_is_not_found_and_those_that_are_get_named);
  tcase_add_test(tests, a_bank_with_a_name_and_one_without_never_share_a_file);
  tcase_add_test(tests, what_is_no_bank_is_not_written_over_by_one_with_a_name);
  tcase_add_test(tests, names_that_could_be_paths_or_lists_are_refused);
  tcase_add_test(tests, a_broken_list_of_names_is_refused);
  tcase_add_test(tests, what_is_missing_of_one_bank_is_not_taken_from_another);
  tcase_add_test(tests, a_bank_that_is_removed_is_gone_and_the_others_stay);
  tcase_add_test(tests, existence_is_that_of_the_name);
  tcase_add_test(tests, processes_and_threads_that_write_at_a_time_lose_no_bank);
  tcase_add_test(tests, a_write_that_waits_for_another_is_cancelled);
  tcase_add_test(tests, the_process_has_one_bank_of_a_name_in_a_file);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
