#ifndef QUANTD_SERVER_SETTINGS_MANUAL_TEXT_H_
#define QUANTD_SERVER_SETTINGS_MANUAL_TEXT_H_

#include <span>
#include <string>

#include "command_line/manual_page.h"

namespace quantd::server {

// Returns the parts of quantd's manual page that --help does not show.
// `variables` are the environment variables that set flags.
command_line::ManualText MakeManualText(std::span<const std::string> variables);

}  // namespace quantd::server

#endif  // QUANTD_SERVER_SETTINGS_MANUAL_TEXT_H_
