#include "server/service_manager.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace quantd::server {
namespace {

using testing::HasSubstr;

TEST(ServiceManager, IsOptional) { EXPECT_TRUE(NotifyServiceManager("", kReady).ok()); }

TEST(ServiceManager, IsReportedIfItDoesNotListen) {
  const absl::Status status = NotifyServiceManager(testing::TempDir() + "/no_such_socket", kReady);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("no_such_socket"));
}

TEST(ServiceManager, RejectsInvalidSocketNames) {
  for (const std::string& socket : {std::string("relative"), "/" + std::string(108, 'x')}) {
    const absl::Status status = NotifyServiceManager(socket, kReady);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr(socket));
  }
}

}  // namespace
}  // namespace quantd::server
