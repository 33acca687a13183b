// The contents of a file, with a name for messages.

#ifndef QUANTD_SERVER_ACCESS_NAMED_TEXT_H_
#define QUANTD_SERVER_ACCESS_NAMED_TEXT_H_

#include <string>

namespace quantd::server {

struct NamedText {
  // Empty if no file was given.
  std::string path;
  std::string text;

  bool operator==(const NamedText& other) const = default;
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_ACCESS_NAMED_TEXT_H_
