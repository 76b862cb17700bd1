// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bank_extension.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "blocks.hpp"
#include "nearest_neighbour.hpp"

namespace patchcore {
namespace {

/// Patches that may have to be taken, and how far each lies from the nearest row so far.
class Candidates {
 public:
  /// distances: N, unsquared.
  Candidates(at::Tensor patches, at::Tensor distances, Distance unit, double covered)
      : rows_(std::move(patches)),
        distances_(std::move(distances)),
        indices_(at::arange(rows_.size(0))),
        unit_(unit),
        covered_(covered) {
    leave_out_covered();
  }

  /// Takes the farthest, the first of equals. Returns its index among all patches, -1 when each is
  /// covered.
  int64_t take(const Monitor& monitor) {
    if (rows_.size(0) == 0) return -1;
    const int64_t at = distances_.argmax().item<int64_t>();
    if (!open(distances_[at]).item<bool>()) return -1;
    const int64_t index = indices_[at].item<int64_t>();
    lower(rows_[at].clone(), monitor);
    leave_out_covered();
    return index;
  }

 private:
  /// In the same floats as a detector's values, so that what it calls an alarm is one here.
  at::Tensor open(const at::Tensor& distances) const {
    const at::Tensor values = unit_ == Distance::SquaredL2 ? distances.square() : distances;
    return covered_ > 0 ? values.to(at::kDouble).ge(covered_) : values.gt(0);
  }

  /// A new row can only bring the patches nearer.
  void lower(const at::Tensor& row, const Monitor& monitor) {
    int64_t first = 0;
    for (const at::Tensor& part : blocks(rows_)) {
      monitor.check();
      at::Tensor least = distances_.slice(0, first, first + part.size(0));
      at::minimum_out(least, least, (part - row).square_().sum(1).sqrt_());
      first += part.size(0);
    }
  }

  /// Once covered, a patch stays so. They are left out by the half, since that moves the others.
  void leave_out_covered() {
    const at::Tensor left = at::nonzero(open(distances_)).flatten();
    if (2 * left.size(0) > rows_.size(0)) return;
    rows_ = rows_.index_select(0, left);
    distances_ = distances_.index_select(0, left);
    indices_ = indices_.index_select(0, left);
  }

  at::Tensor rows_;       ///< n x D
  at::Tensor distances_;  ///< n
  at::Tensor indices_;    ///< n, among all patches
  Distance unit_;
  double covered_;
};

void check(const MemoryBank& bank, const at::Tensor& patches, double covered,
           const Monitor& monitor) {
  const auto refuse = [](const std::string& why) { throw Error(ErrorCode::InvalidArgument, why); };
  if (patches.size(1) != bank.width())
    refuse("The bank's rows have " + std::to_string(bank.width()) + " values, the patches " +
           std::to_string(patches.size(1)) + ".");
  for (const at::Tensor& part : blocks(patches)) {
    monitor.check();
    if (!part.isfinite().all().item<bool>()) refuse("The patches hold NaN or infinity.");
  }
  if (std::isnan(covered)) refuse("The distance that is covered is not a number.");
}

at::Tensor uncovered(const MemoryBank& bank, const NearestNeighbour& search,
                     const at::Tensor& patches, double covered, const Monitor& monitor) {
  Candidates candidates(patches, search.search(patches, 1, monitor).distances.select(1, 0),
                        bank.settings.distance, covered);
  std::vector<int64_t> chosen;
  for (int64_t i = candidates.take(monitor); i >= 0; i = candidates.take(monitor))
    chosen.push_back(i);
  return patches.index_select(0, at::tensor(chosen, at::kLong));
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
at::Tensor neighbours_of(const at::Tensor& all, const MemoryBank& bank,
                         const NearestNeighbour& search, const Monitor& monitor) {
  const at::Tensor fresh = all.slice(0, bank.size());
  const int64_t b = std::min<int64_t>(bank.settings.neighbours, all.size(0));
  const NearestNeighbour among_fresh(fresh, monitor);
  const int64_t few = std::min(b, fresh.size(0));
  const at::Tensor new_to_old = among_fresh.search(bank.rows, few, monitor).rows + bank.size();
  const at::Tensor new_to_new = among_fresh.own_neighbours(few, monitor) + bank.size();
  const at::Tensor old_to_new = search.search(fresh, std::min(b, bank.size()), monitor).rows;
  return at::cat(
      {nearest_candidates(bank.rows, all, at::cat({bank.neighbours, new_to_old}, 1), b, monitor),
       nearest_candidates(fresh, all, at::cat({old_to_new, new_to_new}, 1), b, monitor)});
}

void add_uncovered(MemoryBank& bank, const at::Tensor& patches, double covered,
                   const Monitor& monitor) {
  const NearestNeighbour search(bank.rows, monitor);
  const at::Tensor fresh = uncovered(bank, search, patches, covered, monitor);
  if (fresh.size(0) == 0) return;
  at::Tensor all = joined(bank.rows, fresh, monitor);
  bank.neighbours = neighbours_of(all, bank, search, monitor);
  bank.rows = std::move(all);
}

}  // namespace

MemoryBank extended(const MemoryBank& bank, const at::Tensor& patches, double covered,
                    const Monitor& monitor) {
  check(bank, patches, covered, monitor);
  MemoryBank larger = bank;
  larger.origin.clear();
  if (patches.size(0) > 0) add_uncovered(larger, patches, covered, monitor);
  larger.id = larger.identify(monitor);
  return larger;
}

}  // namespace patchcore
