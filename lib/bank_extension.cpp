// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bank_extension.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "bank_search.hpp"
#include "blocks.hpp"

namespace patchcore {
namespace {

/// Patches, where there are positions with their cells.
struct Patches {
  at::Tensor rows;   ///< N x D
  at::Tensor cells;  ///< N, or undefined

  Patches select(const at::Tensor& indices) const {
    return {rows.index_select(0, indices),
            cells.defined() ? cells.index_select(0, indices) : at::Tensor()};
  }
};

/// Patches that may have to be taken, and how far each lies from the nearest row so far.
class Candidates {
 public:
  /// distances: N, unsquared. bank: whose settings and positions count.
  Candidates(Patches patches, at::Tensor distances, const MemoryBank& bank, double covered)
      : patches_(std::move(patches)),
        distances_(std::move(distances)),
        indices_(at::arange(patches_.rows.size(0))),
        bank_(bank),
        covered_(covered) {
    leave_out_covered();
  }

  /// Takes the farthest, the first of equals. Returns its index among all patches, -1 when each is
  /// covered.
  int64_t take(const Monitor& monitor) {
    if (patches_.rows.size(0) == 0) return -1;
    const int64_t at = distances_.argmax().item<int64_t>();
    if (!open(distances_[at]).item<bool>()) return -1;
    const int64_t index = indices_[at].item<int64_t>();
    lower(at, monitor);
    leave_out_covered();
    return index;
  }

 private:
  /// In the same floats as a detector's values, so that what it calls an alarm is one here.
  at::Tensor open(const at::Tensor& distances) const {
    const bool squared = bank_.settings.distance == Distance::SquaredL2;
    const at::Tensor values = squared ? distances.square() : distances;
    return covered_ > 0 ? values.to(at::kDouble).ge(covered_) : values.gt(0);
  }

  /// A new row can only bring the patches nearer that have it in their reach.
  void lower(int64_t index, const Monitor& monitor) {
    const at::Tensor row = patches_.rows[index].clone(), far = out_of_reach(index);
    int64_t first = 0;
    for (const at::Tensor& part : blocks(patches_.rows)) {
      monitor.check();
      const int64_t end = first + part.size(0);
      at::Tensor distances = (part - row).square_().sum(1).sqrt_();
      if (far.defined())
        distances.masked_fill_(far.slice(0, first, end), std::numeric_limits<float>::infinity());
      at::Tensor least = distances_.slice(0, first, end);
      at::minimum_out(least, least, distances);
      first = end;
    }
  }

  /// The patches whose cell is too far from that of one; undefined: none.
  at::Tensor out_of_reach(int64_t index) const {
    if (!patches_.cells.defined()) return {};
    const at::Tensor& cells = patches_.cells;
    const int64_t width = bank_.positions.grid.width, cell = cells[index].item<int64_t>();
    const at::Tensor rows = (cells.div(width, "floor") - cell / width).abs();
    const at::Tensor columns = (cells.remainder(width) - cell % width).abs();
    return at::maximum(rows, columns).gt(bank_.settings.search_radius);
  }

  /// Once covered, a patch stays so. They are left out by the half, since that moves the others.
  void leave_out_covered() {
    const at::Tensor left = at::nonzero(open(distances_)).flatten();
    if (2 * left.size(0) > indices_.size(0)) return;
    patches_ = patches_.select(left);
    distances_ = distances_.index_select(0, left);
    indices_ = indices_.index_select(0, left);
  }

  Patches patches_;
  at::Tensor distances_;  ///< n
  at::Tensor indices_;    ///< n, among all patches
  const MemoryBank& bank_;
  double covered_;
};

void check(const MemoryBank& bank, const at::Tensor& patches, const at::Tensor& cells,
           double covered, const Monitor& monitor) {
  const auto refuse = [](const std::string& why) { throw Error(ErrorCode::InvalidArgument, why); };
  if (patches.size(1) != bank.width())
    refuse("The bank's rows have " + std::to_string(bank.width()) + " values, the patches " +
           std::to_string(patches.size(1)) + ".");
  for (const at::Tensor& part : blocks(patches)) {
    monitor.check();
    if (!part.isfinite().all().item<bool>()) refuse("The patches hold NaN or infinity.");
  }
  if (bank.positions.defined()) {
    if (!cells.defined() || cells.size(0) != patches.size(0))
      refuse("The bank knows where things are, and isn't told of these patches.");
    if (cells.numel() > 0 &&
        (cells.min().item<int64_t>() < 0 || cells.max().item<int64_t>() >= bank.positions.cells()))
      refuse("The patches were outside of the picture.");
  }
  if (std::isnan(covered)) refuse("The distance that is covered is not a number.");
}

Patches uncovered(const MemoryBank& bank, const BankSearch& search, const Patches& patches,
                  double covered, const Monitor& monitor) {
  const Neighbours nearest = search.nearest(patches.rows, patches.cells, 1, monitor);
  Candidates candidates(patches, nearest.distances.select(1, 0), bank, covered);
  std::vector<int64_t> chosen;
  for (int64_t i = candidates.take(monitor); i >= 0; i = candidates.take(monitor))
    chosen.push_back(i);
  return patches.select(at::tensor(chosen, at::kLong));
}

/// One below the other, as at::cat has it.
at::Tensor joined(const at::Tensor& above, const at::Tensor& below, const Monitor& monitor) {
  at::Tensor all = at::empty({above.size(0) + below.size(0), above.size(1)}, above.options());
  int64_t first = 0;
  for (const at::Tensor& rows : {above, below})
    for (const at::Tensor& part : blocks(rows)) {
      monitor.check();
      all.slice(0, first, first + part.size(0)).copy_(part);
      first += part.size(0);
    }
  return all;
}

/// Neighbours of all rows, the bank's and those behind it, without a look at each pair of old ones:
/// an old row's are some of those it had and of the new rows.
at::Tensor neighbours_of(const at::Tensor& all, const MemoryBank& bank, const BankSearch& search,
                         const Monitor& monitor) {
  const at::Tensor fresh = all.slice(0, bank.size());
  const int64_t b = std::min<int64_t>(bank.settings.neighbours, all.size(0));
  const NearestNeighbour among_fresh(fresh, monitor);
  const int64_t few = std::min(b, fresh.size(0));
  const at::Tensor new_to_old = among_fresh.search(bank.rows, few, monitor).rows + bank.size();
  const at::Tensor new_to_new = among_fresh.own_neighbours(few, monitor) + bank.size();
  const at::Tensor old_to_new = search.all().search(fresh, std::min(b, bank.size()), monitor).rows;
  return at::cat(
      {nearest_candidates(bank.rows, all, at::cat({bank.neighbours, new_to_old}, 1), b, monitor),
       nearest_candidates(fresh, all, at::cat({old_to_new, new_to_new}, 1), b, monitor)});
}

void add_uncovered(MemoryBank& bank, const Patches& patches, double covered,
                   const Monitor& monitor) {
  const BankSearch search(bank, at::kCPU, monitor);
  const Patches fresh = uncovered(bank, search, patches, covered, monitor);
  if (fresh.rows.size(0) == 0) return;
  at::Tensor all = joined(bank.rows, fresh.rows, monitor);
  bank.neighbours = neighbours_of(all, bank, search, monitor);
  if (bank.positions.defined()) bank.positions = bank.positions.with(fresh.cells);
  bank.rows = std::move(all);
}

}  // namespace

MemoryBank extended(const MemoryBank& bank, const at::Tensor& patches, const at::Tensor& cells,
                    double covered, const Monitor& monitor) {
  check(bank, patches, cells, covered, monitor);
  MemoryBank larger = bank;
  larger.origin.clear();
  if (patches.size(0) > 0)
    add_uncovered(larger, {patches, bank.positions.defined() ? cells : at::Tensor()}, covered,
                  monitor);
  larger.id = larger.identify(monitor);
  return larger;
}

}  // namespace patchcore
