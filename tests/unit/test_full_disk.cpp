// SPDX-License-Identifier: LGPL-2.1-or-later
// What a disk that runs full while it is written to leaves behind. The disk is real: a file system
// of 1 MiB, in a mount namespace that only the test sees.

#include <cstring>

#include "../small_disk.hpp"
#include "memory_bank.hpp"
#include "nearest_neighbour.hpp"
#include "safetensors.hpp"
#include "support.hpp"

using namespace patchcore;

namespace {

const at::Tensor& too_much() {
  static const at::Tensor values = at::zeros({1 << 20});  // 4 MiB
  return values;
}

/// A bank whose file has about 4 * rows * 100 bytes.
MemoryBank bank_of(int64_t rows) {
  MemoryBank bank;
  bank.rows = float_noise("rows", {rows, 100});
  bank.neighbours = NearestNeighbour(bank.rows).own_neighbours(9);
  bank.settings.layers = {"fine"};
  return bank;
}

/// The write must fail for want of room, name the file and leave the folder as it is.
template <typename Write>
void assert_no_space(const TemporaryFolder& folder, Write write) {
  const auto names = folder.names();
  const std::string before = read_file(folder / "f");
  assert_refused(ErrorCode::NoSpace, {folder.file("f")}, "a full disk", write);
  ck_assert(folder.names() == names);
  ck_assert(read_file(folder / "f") == before);
}

}  // namespace

START_TEST(a_disk_that_runs_full_keeps_the_old_file_and_no_part_of_the_new) {
  const TemporaryFolder folder;
  const SmallDisk disk(folder);
  write_safetensors(folder / "f", {}, {{"a", at::ones({1000})}});
  assert_no_space(folder, [&] { write_safetensors(folder / "f", {}, {{"a", too_much()}}); });
  ck_assert(SafetensorsReader(folder / "f").tensor("a").equal(at::ones({1000})));
}
END_TEST

START_TEST(a_disk_that_runs_full_keeps_no_part_of_a_first_file) {
  const TemporaryFolder folder;
  const SmallDisk disk(folder);
  assert_refused(ErrorCode::NoSpace, {folder.file("f")}, "a full disk", [&] {
    write_safetensors(folder / "f", {}, {{"a", too_much()}});
  });
  ck_assert(folder.names().empty());
}
END_TEST

START_TEST(a_disk_without_room_for_another_name_keeps_the_old_file) {
  const TemporaryFolder folder;
  const SmallDisk disk(folder, "size=1m,nr_inodes=2");  // the folder's own, and one file's
  write_safetensors(folder / "f", {}, {{"a", at::ones({10})}});
  assert_no_space(folder, [&] { write_safetensors(folder / "f", {}, {{"a", at::ones({20})}}); });
}
END_TEST

START_TEST(a_bank_is_kept_whole_and_saved_once_there_is_room) {
  const TemporaryFolder folder;
  const SmallDisk disk(folder);
  const MemoryBank old = bank_of(200), larger = bank_of(1600);  // 0.1 and 0.8 MB
  old.save(folder / "f");
  write_file(folder / "ballast", std::string(300000, 'x'));
  assert_no_space(folder, [&] { larger.save(folder / "f"); });
  ck_assert(MemoryBank::load(folder / "f").rows.equal(old.rows));
  std::filesystem::remove(folder / "ballast");
  larger.save(folder / "f");
  ck_assert(MemoryBank::load(folder / "f").rows.equal(larger.rows));
  ck_assert(folder.names() == std::vector<std::string>{"f"});
}
END_TEST

int main() {
  if (const int reason = why_no_disk())
    return skip_suite(
        (std::string("no file system can be mounted here: ") + std::strerror(reason)).c_str());
  Suite* suite = suite_create("full-disk");
  TCase* tests = tcase_create("full-disk");
  tcase_set_timeout(tests, 20);
  tcase_add_test(tests, a_disk_that_runs_full_keeps_the_old_file_and_no_part_of_the_new);
  tcase_add_test(tests, a_disk_that_runs_full_keeps_no_part_of_a_first_file);
  tcase_add_test(tests, a_disk_without_room_for_another_name_keeps_the_old_file);
  tcase_add_test(tests, a_bank_is_kept_whole_and_saved_once_there_is_room);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
