// Text from elsewhere, made safe for a terminal.

#ifndef QUANTD_CLIENT_QUANTCTL_PRINTABLE_H_
#define QUANTD_CLIENT_QUANTCTL_PRINTABLE_H_

#include <string>
#include <string_view>

namespace quantd::client {

// Returns text that a terminal shows and does not obey: control characters, among them
// those that begin escape sequences and line breaks, those that change the direction
// of writing, and bytes that are not UTF-8 are replaced by escapes such as \n, \x1b or
// \u202e. For what a server says, which may be hostile.
std::string Printable(std::string_view text);

// Returns JSON, in which the characters that JSON does not escape itself are escaped in its
// way, so that a terminal shows them.
std::string PrintableJson(std::string_view json);

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_QUANTCTL_PRINTABLE_H_
