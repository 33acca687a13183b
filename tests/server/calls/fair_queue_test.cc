#include "server/calls/fair_queue.h"

#include <gtest/gtest.h>

#include <string>

namespace quantd::server {
namespace {

std::string Rest(FairQueue<char>& queue) {
  std::string items;
  for (; !queue.empty(); queue.Pop()) {
    items += queue.Front();
  }
  return items;
}

TEST(FairQueue, KeepsTheOrderOfOneClient) {
  FairQueue<char> queue;
  for (const char item : {'a', 'b', 'c'}) {
    queue.Push("client", item);
  }
  EXPECT_EQ(Rest(queue), "abc");
}

TEST(FairQueue, TakesOneItemOfEachClientInTurn) {
  FairQueue<char> queue;
  for (const char item : {'a', 'b', 'c'}) {
    queue.Push("first", item);
  }
  queue.Push("second", 'x');
  queue.Push("third", '1');
  queue.Push("third", '2');
  EXPECT_EQ(Rest(queue), "ax1b2c");
}

TEST(FairQueue, ForgetsRemovedItems) {
  FairQueue<char> queue;
  queue.Push("first", 'a');
  queue.Push("first", 'b');
  queue.Push("second", 'x');
  queue.Remove("second", 'x');
  queue.Remove("first", 'a');
  queue.Push("second", 'y');
  EXPECT_EQ(Rest(queue), "by");
}

}  // namespace
}  // namespace quantd::server
