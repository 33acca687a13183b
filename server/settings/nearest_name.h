// Suggests what somebody meant who misspelled a name.

#ifndef QUANTD_SERVER_SETTINGS_NEAREST_NAME_H_
#define QUANTD_SERVER_SETTINGS_NEAREST_NAME_H_

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace quantd::server {

// Returns the name that `misspelled` becomes with the fewest characters inserted,
// removed or replaced, or nothing if all are too far away to be what was meant.
std::optional<std::string> NearestName(std::string_view misspelled,
                                       std::span<const std::string> names);

}  // namespace quantd::server

#endif  // QUANTD_SERVER_SETTINGS_NEAREST_NAME_H_
