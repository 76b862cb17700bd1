// SPDX-License-Identifier: LGPL-2.1-or-later
#include "pickle.hpp"

#include <algorithm>
#include <charconv>
#include <unordered_map>

#include "pickle_bytes.hpp"
#include "pickle_opcodes.hpp"

namespace patchcore {
namespace {

// A byte of a file may ask for a hundred of memory. A checkpoint of 1000 parameters has some 20,000
// values.
constexpr size_t kMostValues = 1 << 18;
constexpr size_t kLongestName = 256;
constexpr int kNewestProtocol = 5;

template <typename T>
T parsed(const std::string& text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size())
    refuse_pickle("\"" + text.substr(0, 40) + "\" is no number");
  return value;
}

}  // namespace

/// The stack machine that a pickle is a program of.
class PickleMachine {
 public:
  PickleMachine(Pickle& pickle, std::span<const char> bytes, PickleNames& names)
      : pickle_(pickle), bytes_(bytes), names_(names) {}

  void run() {
    for (;;) {
      const auto opcode = bytes_.number<uint8_t>();
      if (opcode == kStop) break;
      if (!number(opcode) && !text(opcode) && !sequence(opcode) && !dictionary(opcode) &&
          !memo(opcode) && !object(opcode) && !stack(opcode))
        refuse_pickle("its opcode " + std::to_string(opcode) + " isn't known here");
    }
    pickle_.root_ = pop();
    pickle_.size_ = bytes_.position();
  }

 private:
  using Values = std::vector<PickleValue*>;

  bool push(PickleValue value) {
    if (pickle_.values_.size() == kMostValues) refuse_pickle("it holds too many values");
    pickle_.values_.push_back(std::make_unique<PickleValue>(std::move(value)));
    stack_.push_back(pickle_.values_.back().get());
    return true;
  }
  template <typename T>
  bool push_content(T content) {
    PickleValue value;
    value.content = std::move(content);
    return push(std::move(value));
  }
  bool push_items(const Values& items) {
    PickleValue value;
    value.items.assign(items.begin(), items.end());
    return push(std::move(value));
  }

  PickleValue* pop() {
    if (stack_.size() <= (marks_.empty() ? 0 : marks_.back())) refuse_pickle("its stack is empty");
    PickleValue* value = stack_.back();
    stack_.pop_back();
    return value;
  }
  Values pop_count(size_t count) {
    Values values(count);
    while (count > 0) values[--count] = pop();
    return values;
  }
  Values pop_to_mark() {
    if (marks_.empty()) refuse_pickle("a mark is missing");
    const auto mark = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
    Values values(mark, stack_.end());
    stack_.erase(mark, stack_.end());
    marks_.pop_back();
    return values;
  }
  PickleValue* top() {
    PickleValue* value = pop();
    stack_.push_back(value);
    return value;
  }

  bool number(uint8_t opcode) {
    switch (opcode) {
      case kNone: return push({});
      case kNewTrue: return push_content(true);
      case kNewFalse: return push_content(false);
      case kBinInt: return push_content<int64_t>(bytes_.number<int32_t>());
      case kBinInt1: return push_content<int64_t>(bytes_.number<uint8_t>());
      case kBinInt2: return push_content<int64_t>(bytes_.number<uint16_t>());
      case kLong1: return push_long(bytes_.take(bytes_.number<uint8_t>()));
      case kLong4: return push_long(bytes_.take(bytes_.number<uint32_t>()));
      case kBinFloat: return push_content(bytes_.big_endian_double());
      case kFloat: return push_content(parsed<double>(bytes_.line()));
      case kInt: {
        const std::string line = bytes_.line();
        if (line == "00" || line == "01") return push_content(line == "01");
        return push_content(parsed<int64_t>(line));
      }
      case kLong: {
        std::string line = bytes_.line();
        if (line.ends_with('L')) line.pop_back();
        return push_content(parsed<int64_t>(line));
      }
      default: return false;
    }
  }

  bool push_long(std::string bytes) {
    if (bytes.size() > sizeof(int64_t)) return push_content(PickleBlob{std::move(bytes)});
    const bool negative = !bytes.empty() && (static_cast<uint8_t>(bytes.back()) & 0x80) != 0;
    bytes.resize(sizeof(int64_t), negative ? '\xff' : '\0');
    int64_t value;
    std::memcpy(&value, bytes.data(), sizeof value);
    return push_content(value);
  }

  bool text(uint8_t opcode) {
    switch (opcode) {
      case kBinUnicode:
      case kBinString: return push_content(bytes_.text(bytes_.number<uint32_t>()));
      case kShortBinUnicode:
      case kShortBinString: return push_content(bytes_.text(bytes_.number<uint8_t>()));
      case kBinUnicode8: return push_content(bytes_.text(bytes_.number<uint64_t>()));
      case kShortBinBytes: return push_content(PickleBlob{bytes_.take(bytes_.number<uint8_t>())});
      case kBinBytes: return push_content(PickleBlob{bytes_.take(bytes_.number<uint32_t>())});
      case kBinBytes8: return push_content(PickleBlob{bytes_.take(bytes_.number<uint64_t>())});
      default: return false;
    }
  }

  bool sequence(uint8_t opcode) {
    switch (opcode) {
      case kEmptyTuple:
      case kEmptyList:
      case kEmptySet: return push({});
      case kTuple1: return push_items(pop_count(1));
      case kTuple2: return push_items(pop_count(2));
      case kTuple3: return push_items(pop_count(3));
      case kTuple:
      case kList:
      case kFrozenSet: return push_items(pop_to_mark());
      case kAppend: return append(pop_count(1));
      case kAppends:
      case kAddItems: return append(pop_to_mark());
      default: return false;
    }
  }

  bool append(const Values& values) {
    PickleItems& items = top()->items;
    items.insert(items.end(), values.begin(), values.end());
    return true;
  }

  bool dictionary(uint8_t opcode) {
    switch (opcode) {
      case kEmptyDict: return push({});
      case kDict: {
        const Values entries = pop_to_mark();
        return push({}) && set(entries);
      }
      case kSetItem: return set(pop_count(2));
      case kSetItems: return set(pop_to_mark());
      default: return false;
    }
  }

  bool set(const Values& values) {
    if (values.size() % 2) refuse_pickle("a key has no value");
    PickleEntries& entries = top()->entries;
    for (size_t i = 0; i < values.size(); i += 2) entries.emplace_back(values[i], values[i + 1]);
    return true;
  }

  bool memo(uint8_t opcode) {
    switch (opcode) {
      case kPut: return memorize(parsed<uint64_t>(bytes_.line()));
      case kBinPut: return memorize(bytes_.number<uint8_t>());
      case kLongBinPut: return memorize(bytes_.number<uint32_t>());
      case kMemoize: return memorize(memo_.size());
      case kGet: return recall(parsed<uint64_t>(bytes_.line()));
      case kBinGet: return recall(bytes_.number<uint8_t>());
      case kLongBinGet: return recall(bytes_.number<uint32_t>());
      default: return false;
    }
  }

  bool memorize(uint64_t key) {
    memo_[key] = top();
    if (memo_.size() > kMostValues) refuse_pickle("it holds too many values");
    return true;
  }

  bool recall(uint64_t key) {
    const auto found = memo_.find(key);
    if (found == memo_.end()) refuse_pickle("it refers to what it doesn't have");
    stack_.push_back(found->second);
    return true;
  }

  bool object(uint8_t opcode) {
    switch (opcode) {
      case kGlobal: {
        std::string module = bytes_.line();
        return name(std::move(module), bytes_.line());
      }
      case kStackGlobal: {
        const Values names = pop_count(2);
        const auto *module = names[0]->as<std::string>(), *last = names[1]->as<std::string>();
        if (!module || !last) refuse_pickle("a name is no text");
        return name(*module, *last);
      }
      case kInst: {
        std::string module = bytes_.line();
        name(std::move(module), bytes_.line());
        const PickleValue* maker = pop();
        push_items(pop_to_mark());
        return call(maker, pop());
      }
      case kObj: {
        Values values = pop_to_mark();
        if (values.empty()) refuse_pickle("an object has no class");
        const PickleValue* maker = values.front();
        values.erase(values.begin());
        push_items(values);
        return call(maker, pop());
      }
      case kNewObjEx: pop(); [[fallthrough]];  // keywords
      case kReduce:
      case kNewObj: {
        const PickleValue* arguments = pop();
        return call(pop(), arguments);
      }
      case kExt1:
      case kExt2:
      case kExt4: refuse_pickle("it asks for an extension by its number");
      case kBinPersId: return push(names_.persistent(pop()->items));
      case kPersId: refuse_pickle("a persistent id is text");
      case kBuild: pop(); return true;  // the state that __setstate__ would have been given
      default: return false;
    }
  }

  bool name(std::string module, std::string last) {
    if (module.size() > kLongestName || last.size() > kLongestName)
      refuse_pickle("a name is too long");
    const PickleGlobal global{std::move(module), std::move(last)};
    names_.named(global);
    return push_content(global);
  }

  bool call(const PickleValue* maker, const PickleValue* arguments) {
    const auto* global = maker->as<PickleGlobal>();
    if (!global) refuse_pickle("what is called has no name");
    if (auto value = names_.called(*global, arguments->items)) return push(std::move(*value));
    return push_content(PickleObject{maker, arguments});
  }

  bool stack(uint8_t opcode) {
    switch (opcode) {
      case kProto:
        if (bytes_.number<uint8_t>() > kNewestProtocol) refuse_pickle("its protocol is newer");
        return true;
      case kFrame: bytes_.number<uint64_t>(); return true;
      case kMark: marks_.push_back(stack_.size()); return true;
      case kPop: pop(); return true;
      case kPopMark: pop_to_mark(); return true;
      case kDup: stack_.push_back(top()); return true;
      default: return false;
    }
  }

  Pickle& pickle_;
  PickleBytes bytes_;
  PickleNames& names_;
  Values stack_;
  std::vector<size_t> marks_;  ///< heights of the stack
  std::unordered_map<uint64_t, PickleValue*> memo_;
};

const PickleValue* PickleValue::find(std::string_view key) const {
  const auto found = std::find_if(entries.rbegin(), entries.rend(), [key](const auto& entry) {
    const auto* text = entry.first->template as<std::string>();
    return text && *text == key;
  });
  return found == entries.rend() ? nullptr : found->second;
}

Pickle::Pickle(std::span<const char> bytes, PickleNames& names) {
  PickleMachine(*this, bytes, names).run();
}

}  // namespace patchcore
