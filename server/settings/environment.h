// Settings in environment variables: QUANTD_LOG_LEVEL sets --log-level.

#ifndef QUANTD_SERVER_SETTINGS_ENVIRONMENT_H_
#define QUANTD_SERVER_SETTINGS_ENVIRONMENT_H_

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "server/settings/options.h"

namespace quantd::server {

// Environment variables by name.
using Environment = std::map<std::string, std::string, std::less<>>;

// The variable that names the configuration file.
inline constexpr std::string_view kConfigVariable = "QUANTD_CONFIG";

// Returns the name of the variable that sets a flag, whose name is without dashes in
// front.
std::string EnvironmentName(std::string_view flag_name);

// Returns what the variables give. The items of a list are separated by commas. An
// empty variable is the same as none, unless an empty text is a value of the setting.
GivenValues ReadEnvironment(const Environment& environment);

// Returns a sentence for each variable that is named QUANTD_… but sets nothing,
// with the name that was probably meant. Variables that Kubernetes and Docker
// generate for a service of the name quantd are left out.
std::vector<std::string> UnknownVariables(const Environment& environment);

}  // namespace quantd::server

#endif  // QUANTD_SERVER_SETTINGS_ENVIRONMENT_H_
