// SPDX-License-Identifier: LGPL-2.1-or-later
#include "emulator.hpp"

#include <setjmp.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <numeric>
#include <vector>

#include "cuda/arithmetic.hpp"

namespace patchcore::cuda::emulated {
namespace {

constexpr size_t kLanes = 32;
constexpr size_t kStack = 256 << 10;
constexpr size_t kMostExchanged = 32;  // bytes a lane

/// Stacks that are kept from kernel to kernel; the system gives memory to what is touched alone.
class Stacks {
 public:
  char* get(size_t index) {
    while (stacks_.size() <= index) {
      void* stack = ::mmap(nullptr, kStack, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
      if (stack == MAP_FAILED) std::abort();
      stacks_.push_back(static_cast<char*>(stack));
    }
    return stacks_[index];
  }

 private:
  std::vector<char*> stacks_;
};

/// Counts who has come. The generation ends with the last of them.
struct Barrier {
  unsigned expected = 0, arrived = 0, generation = 0;
};

struct Warp {
  Barrier barrier;
  // By turns: one is read while the other is written.
  alignas(16) unsigned char values[2][kLanes * kMostExchanged];
};

struct Block {
  unsigned index;
  Barrier barrier;
  std::vector<Warp> warps;
  std::vector<unsigned char> shared;
};

struct Copy {
  void* to;
  const void* from;
  bool wanted;
};

struct Fiber {
  ucontext_t entry;  ///< where it begins
  jmp_buf place;     ///< where it waits: ucontext alone would ask the kernel at every switch
  bool begun = false;
  Block* block;
  unsigned thread;
  const Barrier* waits_for = nullptr;
  unsigned generation = 0;
  bool ended = false;
  std::vector<std::vector<Copy>> copies{1};  ///< a list a commit, the last still open

  bool can_run() const { return !ended && !(waits_for && waits_for->generation == generation); }
};

class Machine {
 public:
  void run(const std::function<void()>& kernel, unsigned blocks, unsigned threads, bool together) {
    if (threads % kLanes != 0) std::abort();
    blockDim = {threads};
    gridDim = {blocks};
    kernel_ = &kernel;
    const unsigned at_once = together ? blocks : 1;
    for (unsigned first = 0; first < blocks; first += at_once) {
      grid_ = {at_once * threads, 0, 0};
      begin(first, at_once, threads);
      left_ = fibers_.size();
      finish();
    }
  }

  void wait(Barrier& barrier) {
    Fiber& fiber = *current_;
    fiber.waits_for = &barrier;
    fiber.generation = barrier.generation;
    if (++barrier.arrived == barrier.expected) {
      barrier.arrived = 0;
      ++barrier.generation;
    }
    if (_setjmp(fiber.place) == 0) _longjmp(scheduler_, 1);
  }

  /// Numbers that are the same in every run.
  uint64_t random() {
    random_ = random_ * 6364136223846793005u + 1442695040888963407u;
    return random_ >> 33;
  }

  Fiber& current() { return *current_; }
  Warp& warp() { return current_->block->warps[current_->thread / kLanes]; }
  Barrier& grid() { return grid_; }

 private:
  void begin(unsigned first, unsigned blocks, unsigned threads) {
    blocks_.clear();
    fibers_.clear();
    for (unsigned b = 0; b < blocks; ++b) {
      blocks_.push_back(std::make_unique<Block>());
      Block& block = *blocks_.back();
      block.index = first + b;
      block.barrier.expected = threads;
      block.warps.resize(threads / kLanes);
      for (Warp& w : block.warps) w.barrier.expected = kLanes;
      for (unsigned t = 0; t < threads; ++t) add(block, t);
    }
  }

  void add(Block& block, unsigned thread) {
    fibers_.push_back(std::make_unique<Fiber>());
    Fiber& fiber = *fibers_.back();
    fiber.block = &block;
    fiber.thread = thread;
    getcontext(&fiber.entry);
    fiber.entry.uc_stack = {stacks_.get(fibers_.size() - 1), 0, kStack};
    fiber.entry.uc_link = nullptr;
    makecontext(&fiber.entry, &Machine::start, 0);
  }

  static void start();

  void finish() {
    while (left_ > 0) {
      bool any = false;
      // One warp or one block as far as it gets, while all others stay behind; or all together.
      const std::array<size_t, 3> sizes{kLanes, blockDim.x, fibers_.size()};
      const size_t size = sizes[random() % sizes.size()], parts = fibers_.size() / size;
      const size_t first = random() % parts;
      for (size_t i = 0; i < parts && !any; ++i)
        while (advance((first + i) % parts * size, size)) {
          any = true;
          if (parts == 1) break;
        }
      if (any) continue;
      std::fprintf(stderr, "emulator: threads wait at a barrier that others never reach\n");
      std::abort();
    }
  }

  /// Runs each of some fibers until it waits, in any order. Returns whether one could run.
  bool advance(size_t first, size_t count) {
    bool any = false;
    // A step without a common divisor visits each once.
    size_t step = random() % count + 1;
    while (std::gcd(step, count) != 1) ++step;
    size_t at = random() % count;
    for (size_t i = 0; i < count; ++i, at = (at + step) % count) {
      Fiber& fiber = *fibers_[first + at];
      if (!fiber.can_run()) continue;
      any = true;
      resume(fiber);
      if (fiber.ended) --left_;
    }
    return any;
  }

  void resume(Fiber& fiber) {
    current_ = &fiber;
    threadIdx = {fiber.thread};
    blockIdx = {fiber.block->index};
    if (_setjmp(scheduler_) != 0) return;
    if (fiber.begun) _longjmp(fiber.place, 1);
    fiber.begun = true;
    setcontext(&fiber.entry);
  }

  const std::function<void()>* kernel_ = nullptr;
  jmp_buf scheduler_;
  Fiber* current_ = nullptr;
  Barrier grid_;
  std::vector<std::unique_ptr<Block>> blocks_;
  std::vector<std::unique_ptr<Fiber>> fibers_;  ///< a warp's beside each other
  size_t left_ = 0;                             ///< that haven't ended
  Stacks stacks_;
  uint64_t random_ = 1;
};

Machine& machine() {
  static auto& machine = *new Machine;
  return machine;
}

void Machine::start() {
  (*machine().kernel_)();
  machine().current_->ended = true;
  _longjmp(machine().scheduler_, 1);
}

void perform(const Copy& copy) {
  copy.wanted ? std::memcpy(copy.to, copy.from, 16) : std::memset(copy.to, 0, 16);
}

}  // namespace

void* shared_memory(size_t bytes) {
  auto& shared = machine().current().block->shared;
  if (shared.empty()) shared.resize(bytes, 0xcd);
  if (shared.size() != bytes) std::abort();
  return shared.data();
}

void block_barrier() { machine().wait(machine().current().block->barrier); }
void grid_barrier() { machine().wait(machine().grid()); }

const void* exchange(const void* value, size_t bytes) {
  if (bytes > kMostExchanged) std::abort();
  Warp& warp = machine().warp();
  auto* values = warp.values[warp.barrier.generation % 2];
  std::memcpy(values + machine().current().thread % kLanes * bytes, value, bytes);
  machine().wait(warp.barrier);
  return values;
}

void copy_async(void* to, const void* from, bool wanted) {
  const auto misplaced = reinterpret_cast<uintptr_t>(to) | reinterpret_cast<uintptr_t>(from);
  if (misplaced % 16 != 0) std::abort();
  const Copy copy{to, from, wanted};
  if (machine().random() % 2 != 0) return perform(copy);
  machine().current().copies.back().push_back(copy);
}

void commit_copies() { machine().current().copies.emplace_back(); }

void wait_for_older_copies() {
  auto& copies = machine().current().copies;
  while (copies.size() > 2) {
    for (const Copy& copy : copies.front()) perform(copy);
    copies.erase(copies.begin());
  }
}

void run(const std::function<void()>& kernel, unsigned blocks, unsigned threads, bool together) {
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  machine().run(kernel, blocks, threads, together);
}

}  // namespace patchcore::cuda::emulated

namespace patchcore::cuda {

void multiply_add(float (&sum)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  struct Factors {
    uint32_t a[4], b[2];
  };
  Factors mine;
  std::memcpy(mine.a, a, sizeof(a));
  std::memcpy(mine.b, b, sizeof(b));
  const Factors* lanes = emulated::exchanged(mine);
  const auto value = [](uint32_t pair, unsigned k) {
    return from_bf16(static_cast<uint16_t>(k % 2 ? pair >> 16 : pair));
  };
  const unsigned g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
  for (unsigned i = 0; i < 4; ++i) {
    const unsigned row = g + i / 2 * 8, column = 2 * t + i % 2;
    for (unsigned k = 0; k < 16; ++k) {
      const unsigned owner = k % 8 / 2, upper = k / 8;
      sum[i] += value(lanes[row % 8 * 4 + owner].a[row / 8 + 2 * upper], k) *
                value(lanes[column * 4 + owner].b[upper], k);
    }
  }
}

}  // namespace patchcore::cuda
