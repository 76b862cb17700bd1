// SPDX-License-Identifier: LGPL-2.1-or-later
#include "fetching.hpp"

#include "download.hpp"

namespace patchcore::cli {
namespace {

/// To go on with a file that isn't what was published would be of no use.
void verify(const std::filesystem::path& part, const PublishedWeights& weights,
            const Monitor& monitor) {
  const std::string digest = digest_of(part, monitor), expected = expected_digest(weights);
  if (digest.starts_with(expected)) return;
  std::filesystem::remove(part);
  throw Error(ErrorCode::OpenRead, std::string(weights.file) +
                                       " is not what was published, and was deleted: its SHA-256 "
                                       "begins with " +
                                       digest.substr(0, expected.size()) + ", not with " +
                                       expected + ".");
}

}  // namespace

void fetch_weights(const PublishedWeights& weights, const std::string& mirror,
                   const std::filesystem::path& place, const Monitor& monitor) {
  const std::string address = mirror + (mirror.ends_with('/') ? "" : "/") + weights.file;
  const std::filesystem::path part = place.parent_path() / (std::string(weights.file) + ".part");
  try {
    download(address, part, monitor);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::OpenRead && error.code() != ErrorCode::NotFound) throw;
    throw Error(error.code(), std::string(error.what()) + " Had from elsewhere, it becomes \"" +
                                  place.string() + "\" by: patchcore weights convert");
  }
  verify(part, weights, monitor);
  convert_weights(part, place, monitor);
  std::filesystem::remove(part);
}

}  // namespace patchcore::cli
