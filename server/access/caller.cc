#include "server/access/caller.h"

#include "absl/strings/str_join.h"

namespace quantd::server {

std::string Caller::Name() const {
  return identities.empty() ? "anonymous" : absl::StrJoin(identities, ",");
}

}  // namespace quantd::server
