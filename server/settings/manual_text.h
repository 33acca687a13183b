#ifndef QUANTD_SERVER_SETTINGS_MANUAL_TEXT_H_
#define QUANTD_SERVER_SETTINGS_MANUAL_TEXT_H_

#include <span>
#include <string>

#include "command_line/manual_page.h"

namespace quantd::server {

// What quantd's manual page has besides --help. `variables` are the environment
// variables of the flags.
command_line::ManualText MakeManualText(std::span<const std::string> variables);

}  // namespace quantd::server

#endif  // QUANTD_SERVER_SETTINGS_MANUAL_TEXT_H_
