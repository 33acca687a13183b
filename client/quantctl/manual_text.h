#ifndef QUANTD_CLIENT_QUANTCTL_MANUAL_TEXT_H_
#define QUANTD_CLIENT_QUANTCTL_MANUAL_TEXT_H_

#include "command_line/manual_page.h"

namespace quantd::client {

// What quantctl's manual page has besides --help.
command_line::ManualText MakeManualText();

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_QUANTCTL_MANUAL_TEXT_H_
