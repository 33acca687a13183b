#ifndef QUANTD_CLIENT_QUANTCTL_MANUAL_TEXT_H_
#define QUANTD_CLIENT_QUANTCTL_MANUAL_TEXT_H_

#include "command_line/manual_page.h"

namespace quantd::client {

// Returns the parts of quantctl's manual page that --help does not show.
command_line::ManualText MakeManualText();

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_QUANTCTL_MANUAL_TEXT_H_
