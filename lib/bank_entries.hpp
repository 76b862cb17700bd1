// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <filesystem>
#include <string>

#include "bank_file.hpp"
#include "memory_bank.hpp"

namespace patchcore {

/// Reads one bank of a file and checks all that docs/bank-format.md asks a loader to check. name:
/// empty: the file is that of one bank. Without its id. Throws what MemoryBank::load() throws.
MemoryBank read_bank(const std::filesystem::path& path, const std::string& name,
                     const Monitor& monitor = {});

/// What a file holds of a bank.
BankEntries entries_of(const MemoryBank& bank);

/// A grid as an entry has it, "28x20": width and height.
std::string shown_grid(Size grid);

/// What messages call a bank: its file, with a # and its name behind where it has one.
std::string shown_bank(const std::filesystem::path& path, const std::string& name);

}  // namespace patchcore
