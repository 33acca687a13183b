#include "client/load/workload.h"

#include <gtest/gtest.h>

#include <map>
#include <utility>
#include <vector>

#include "tests/client/load/small_requests.h"

namespace quantd::client {
namespace {

// Returns a mix of requests with different numbers of elements: 1, 2, ….
Workload MixOf(const std::vector<double>& weights) {
  std::vector<Workload::Part> parts;
  for (const double weight : weights) {
    const std::vector<std::int64_t> shape = {static_cast<std::int64_t>(parts.size()) + 1};
    parts.push_back(
        {.request = MakeRequest({.operation = kFakeQuantize,
                                 .tensor = RandomTensor(shape, core::ElementType::kFloat32, 1),
                                 .parameters = RangeValues{.min = {-1}, .max = {1}, .axis = {}},
                                 .spec = {}}),
         .weight = weight});
  }
  return {MethodOf(kFakeQuantize, wire::Transfer::kUnary), std::move(parts)};
}

TEST(Workload, PicksRequestsInProportionToTheirWeights) {
  constexpr int kPicks = 100'000;
  const Workload workload = MixOf({0.5, 3, 1.5});
  std::mt19937_64 random(11);  // NOLINT(bugprone-random-generator-seed)
  std::map<std::size_t, double> shares;
  for (int pick = 0; pick < kPicks; ++pick) {
    shares[workload.Pick(random).element_count()] += 1.0 / kPicks;
  }
  EXPECT_EQ(shares.size(), 3U);
  EXPECT_NEAR(shares[1], 0.1, 0.01);
  EXPECT_NEAR(shares[2], 0.6, 0.01);
  EXPECT_NEAR(shares[3], 0.3, 0.01);
}

TEST(Workload, PicksTheSameRequestsForTheSameSeed) {
  const Workload workload = MixOf({1, 1, 1, 1});
  std::mt19937_64 random(11);  // NOLINT(bugprone-random-generator-seed)
  std::mt19937_64 same = random;
  for (int pick = 0; pick < 1000; ++pick) {
    EXPECT_EQ(&workload.Pick(random), &workload.Pick(same));
  }
}

TEST(Workload, PicksItsOnlyRequest) {
  const Workload workload = MixOf({0.001});
  std::mt19937_64 random(11);  // NOLINT(bugprone-random-generator-seed)
  EXPECT_EQ(workload.Pick(random).element_count(), 1U);
}

}  // namespace
}  // namespace quantd::client
