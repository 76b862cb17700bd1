// SPDX-License-Identifier: LGPL-2.1-or-later
#include "torch_tensors.hpp"

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "error.hpp"

namespace patchcore {
namespace {

[[noreturn]] void refuse(const std::string& why) { throw Error(ErrorCode::OpenRead, why); }

constexpr size_t kMostDimensions = 8;

constexpr std::array<std::pair<std::string_view, at::ScalarType>, 10> kStorages{{
    {"torch.FloatStorage", at::kFloat},
    {"torch.DoubleStorage", at::kDouble},
    {"torch.HalfStorage", at::kHalf},
    {"torch.BFloat16Storage", at::kBFloat16},
    {"torch.LongStorage", at::kLong},
    {"torch.IntStorage", at::kInt},
    {"torch.ShortStorage", at::kShort},
    {"torch.CharStorage", at::kChar},
    {"torch.ByteStorage", at::kByte},
    {"torch.BoolStorage", at::kBool},
}};

std::optional<at::ScalarType> type_of_storage(const std::string& name) {
  for (const auto& [known, type] : kStorages)
    if (name == known) return type;
  return std::nullopt;
}

constexpr std::string_view kTensor = "torch._utils._rebuild_tensor_v2";
constexpr std::string_view kOldTensor = "torch._utils._rebuild_tensor";
constexpr std::string_view kParameter = "torch._utils._rebuild_parameter";
constexpr std::string_view kOrderedDict = "collections.OrderedDict";
constexpr std::string_view kSize = "torch.Size";  // of no use, and in the way of nobody

bool is_needed(const std::string& name) {
  return type_of_storage(name) || name == kTensor || name == kOldTensor || name == kParameter ||
         name == kOrderedDict || name == kSize;
}

/// Modules of what nobody's data needs: who names it wants it to be called.
bool runs_code(const std::string& module) {
  constexpr std::array kModules{
      "os",     "posix",  "nt",   "sys",        "subprocess",     "builtins", "__builtin__",
      "runpy",  "pty",    "code", "commands",   "importlib",      "imp",      "socket",
      "shutil", "ctypes", "pip",  "webbrowser", "multiprocessing"};
  const std::string package = module.substr(0, module.find('.'));
  return std::find(kModules.begin(), kModules.end(), package) != kModules.end();
}

/// Found in data, though among builtins that aren't. Python 3.11 writes enums with getattr.
bool is_plain(const PickleGlobal& name) {
  constexpr std::array kPlain{"set",     "frozenset", "slice", "range", "bytearray",
                              "complex", "object",    "int",   "float", "str",
                              "bool",    "list",      "tuple", "dict",  "getattr"};
  return (name.module == "builtins" || name.module == "__builtin__") &&
         std::find(kPlain.begin(), kPlain.end(), name.name) != kPlain.end();
}

int64_t whole_number(const PickleValue& value, const char* of) {
  const auto* number = value.as<int64_t>();
  if (!number || *number < 0) refuse(std::string("a tensor's ") + of + " is no size");
  return *number;
}

std::vector<int64_t> whole_numbers(const PickleValue& tuple, const char* of) {
  if (tuple.items.size() > kMostDimensions) refuse("a tensor has too many dimensions");
  std::vector<int64_t> numbers;
  for (const PickleValue* item : tuple.items) numbers.push_back(whole_number(*item, of));
  return numbers;
}

/// A view into a storage (a tensor of one dimension), which may not leave it.
at::Tensor view_of(const at::Tensor& storage, int64_t offset, const std::vector<int64_t>& sizes,
                   const std::vector<int64_t>& strides) {
  if (sizes.size() != strides.size()) refuse("a tensor has other strides than sides");
  int64_t count = 1, last = offset;
  bool overflow = false, empty = false;
  for (size_t i = 0; i < sizes.size(); ++i) {
    const int64_t side = std::max<int64_t>(sizes[i], 1);
    int64_t reach = 0;
    overflow |= __builtin_mul_overflow(count, side, &count);
    overflow |= __builtin_mul_overflow(side - 1, strides[i], &reach);
    overflow |= __builtin_add_overflow(last, reach, &last);
    empty |= sizes[i] == 0;
  }
  if (!overflow && empty) return at::empty(sizes, storage.options());
  // More values than the storage has are a view that repeats some; a small file could ask for any.
  if (overflow || last >= storage.numel() || count > storage.numel())
    refuse("a tensor is larger than its storage");
  return storage.as_strided(sizes, strides, offset);
}

/// (storage, offset, sizes, strides, ...)
at::Tensor rebuilt(const PickleItems& arguments) {
  const at::Tensor* storage = arguments.size() < 4 ? nullptr : arguments[0]->as<at::Tensor>();
  if (!storage) refuse("a tensor has no storage");
  return view_of(*storage, whole_number(*arguments[1], "offset"),
                 whole_numbers(*arguments[2], "side"), whole_numbers(*arguments[3], "stride"));
}

PickleValue wrapped(at::Tensor tensor) {
  PickleValue value;
  value.content = std::move(tensor);
  return value;
}

}  // namespace

void TorchTensors::named(const PickleGlobal& name) {
  const std::string text = name.text();
  const bool refused =
      ignore_unknown_ ? runs_code(name.module) && !is_plain(name) : !is_needed(text);
  if (refused) refuse("it asks for " + text + ", and only tensors are read");
}

std::optional<PickleValue> TorchTensors::called(const PickleGlobal& name,
                                                const PickleItems& arguments) {
  const std::string text = name.text();
  if (text == kTensor || text == kOldTensor) return wrapped(rebuilt(arguments));
  if (text == kParameter) {
    const at::Tensor* data = arguments.empty() ? nullptr : arguments[0]->as<at::Tensor>();
    if (!data) refuse("a parameter has no tensor");
    return wrapped(*data);
  }
  if (text == kOrderedDict) return PickleValue();
  return std::nullopt;
}

/// ("storage", its class, key, device, number of values, ...)
PickleValue TorchTensors::persistent(const PickleItems& id) {
  const auto* kind = id.size() < 5 ? nullptr : id[1]->as<PickleGlobal>();
  const auto* key = kind ? id[2]->as<std::string>() : nullptr;
  if (!key) refuse("a storage has no name");
  if (id.size() > 5 && !id[5]->as<std::monostate>()) refuse("a storage is a part of another");
  const auto type = type_of_storage(kind->text());
  if (!type) refuse("it has values of " + kind->text());
  const int64_t count = whole_number(*id[4], "number of values");
  const uint64_t size = c10::elementSize(*type);
  auto known = storages_.find(*key);
  if (known == storages_.end()) {
    // Members of an archive may lie on one another: their sum counts.
    if (static_cast<uint64_t>(count) > (file_size_ - bytes_) / size)
      refuse("its tensors are larger than the file");
    bytes_ += static_cast<uint64_t>(count) * size;
    known = storages_.emplace(*key, at::zeros({count}, *type)).first;
  }
  if (known->second.scalar_type() != *type) refuse("a storage has two types");
  return wrapped(known->second);
}

}  // namespace patchcore
