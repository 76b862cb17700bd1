// SPDX-License-Identifier: LGPL-2.1-or-later
// Python's pickles (https://github.com/python/cpython/blob/3.11/Lib/pickletools.py), read without
// ever running what they ask for.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace patchcore {

struct PickleValue;
using PickleItems = std::vector<const PickleValue*>;
using PickleEntries = std::vector<std::pair<const PickleValue*, const PickleValue*>>;

/// A class or function by its name; what it is isn't looked at.
struct PickleGlobal {
  std::string module, name;
  std::string text() const { return module + "." + name; }
};

/// What a call would have made: only remembered.
struct PickleObject {
  const PickleValue* maker;      ///< a PickleGlobal
  const PickleValue* arguments;  ///< its items
};

/// Bytes, or an integer beyond 64 bits (little-endian, two's complement).
struct PickleBlob {
  std::string bytes;
};

/// Containers may be filled after they have been put into another, and may hold themselves: whoever
/// walks over values must limit how deep.
struct PickleValue {
  std::variant<std::monostate, bool, int64_t, double, std::string, PickleBlob, PickleGlobal,
               PickleObject, at::Tensor>
      content;            ///< monostate: None, or a container
  PickleItems items;      ///< of a list, tuple or set; also what was appended to an object
  PickleEntries entries;  ///< of a dict; also what was set in an object

  template <typename T>
  const T* as() const {
    return std::get_if<T>(&content);
  }
  /// The last entry with this text as its key, as Python has it; nullptr: none.
  const PickleValue* find(std::string_view key) const;
};

/// What the names in a pickle mean. Each function may throw Error(OpenRead) to refuse the pickle.
class PickleNames {
 public:
  virtual ~PickleNames() = default;

  /// A class or function was named, and may be called later.
  virtual void named(const PickleGlobal& name) = 0;

  /// It was called with these. Empty: the call stays a PickleObject.
  virtual std::optional<PickleValue> called(const PickleGlobal& name,
                                            const PickleItems& arguments) = 0;

  /// The value that an id of these parts stands for.
  virtual PickleValue persistent(const PickleItems& id) = 0;
};

/// One pickle's values, which live as long as this.
class Pickle {
 public:
  /// Reads the pickle at the start of `bytes`. Takes memory of 16 times its size and 200 MB at
  /// most. Throws Error(OpenRead), with the reason alone.
  Pickle(std::span<const char> bytes, PickleNames& names);
  Pickle(const Pickle&) = delete;
  Pickle& operator=(const Pickle&) = delete;

  const PickleValue& root() const { return *root_; }
  /// Bytes that it took.
  size_t size() const { return size_; }

 private:
  friend class PickleMachine;

  std::vector<std::unique_ptr<PickleValue>> values_;  ///< all of them: no value owns another
  const PickleValue* root_ = nullptr;
  size_t size_ = 0;
};

}  // namespace patchcore
