// SPDX-License-Identifier: LGPL-2.1-or-later
#include "memory_bank.hpp"

#include <ATen/ATen.h>

#include <nlohmann/json.hpp>

#include "bank_entries.hpp"
#include "blocks.hpp"
#include "file_identity.hpp"
#include "sha256.hpp"
#include "weak_cache.hpp"

namespace patchcore {

MemoryBank MemoryBank::load(const std::filesystem::path& path, const std::string& name,
                            const Monitor& monitor) {
  MemoryBank bank = read_bank(path, name, monitor);
  bank.id = bank.identify(monitor);
  return bank;
}

std::shared_ptr<const MemoryBank> MemoryBank::get(const std::filesystem::path& path,
                                                  const std::string& name, const Monitor& monitor) {
  static auto& cache = *new WeakCache<std::pair<std::string, std::string>, MemoryBank>;
  const auto make = [&] { return std::make_shared<const MemoryBank>(load(path, name, monitor)); };
  return cache.get({file_identity(path), name}, make, monitor);
}

std::string MemoryBank::identify(const Monitor& monitor) const {
  constexpr size_t kDigits = 16;
  // As JSON, no text of one entry can pass for another's. Its keys are in alphabetical order.
  nlohmann::json entries = settings.to_metadata();
  entries["weights_id"] = weights_id;
  entries["bank"] = std::to_string(size()) + "x" + std::to_string(width());
  if (positions.defined()) entries["positions"] = shown_grid(positions.grid);
  const std::string text = entries.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  Sha256 sum;
  sum.update(text.data(), text.size());
  for (const at::Tensor& part : blocks(rows)) {
    monitor.check();
    const at::Tensor values = part.contiguous();
    sum.update(values.data_ptr(), values.nbytes());
  }
  if (positions.defined()) sum.update(positions.bits.data_ptr(), positions.bits.nbytes());
  return sum.hex().substr(0, kDigits);
}

void MemoryBank::save(const std::filesystem::path& path, const std::string& name,
                      const Monitor& monitor) const {
  add_banks(path, {{name, entries_of(*this)}}, monitor);
}

}  // namespace patchcore
