#include "server/settings/nearest_name.h"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <vector>

namespace quantd::server {
namespace {

// Levenshtein's distance, row by row.
std::size_t EditDistance(std::string_view from, std::string_view to) {
  std::vector<std::size_t> row(to.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < from.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < to.size(); ++j) {
      const std::size_t replaced = diagonal + (from[i] == to[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

}  // namespace

std::optional<std::string> NearestName(std::string_view misspelled,
                                       std::span<const std::string> names) {
  std::optional<std::string> nearest;
  // A third of the characters may be wrong.
  std::size_t limit = misspelled.size() / 3 + 1;
  for (const std::string& name : names) {
    // The lengths alone tell that a very long name is not near.
    if (misspelled.size() >= name.size() + limit) {
      continue;
    }
    if (const std::size_t distance = EditDistance(misspelled, name); distance < limit) {
      limit = distance;
      nearest = name;
    }
  }
  return nearest;
}

}  // namespace quantd::server
