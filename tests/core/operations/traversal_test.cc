#include "core/operations/traversal.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstring>
#include <numeric>
#include <span>
#include <thread>
#include <vector>

#include "core/operations/partition.h"
#include "core/worker_pool.h"
#include "tests/core/pieces.h"

namespace quantd::core {
namespace {

// Elements that are their own index.
std::vector<float> Counting(std::size_t count) {
  std::vector<float> elements(count);
  std::iota(elements.begin(), elements.end(), 0.0F);
  return elements;
}

float ElementAt(ElementPointer<float> pointer, std::size_t index) {
  float element = 0;
  std::memcpy(&element, (pointer + index).bytes(), sizeof(element));
  return element;
}

// Cuts the tensor here and there, in the midst of elements too.
std::vector<std::size_t> Cuts(std::size_t bytes, std::size_t distance) {
  std::vector<std::size_t> cuts;
  for (std::size_t cut = distance; cut < bytes; cut += distance) {
    cuts.push_back(cut);
  }
  return cuts;
}

// Tensors of all kinds, in one piece and in pieces that differ between two inputs.
class Traversals : public testing::Test {
 protected:
  // Counts the visits of each element, and holds both inputs to its index.
  void Visit(const std::array<ElementPointer<float>, 2>& pointers, std::size_t first,
             std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      ++visits_.at(first + i);
      ASSERT_EQ(ElementAt(pointers[0], i), static_cast<float>(first + i));
      ASSERT_EQ(ElementAt(pointers[1], i), static_cast<float>(first + i));
    }
  }

  void VisitSegments(const ChannelLayout& layout, const Pieces& a, const Pieces& b) {
    const Traversal<float, 2> traversal({&a.bytes(), &b.bytes()}, layout.element_count(), nullptr);
    const RunPartition partition(layout);
    traversal.ForEachSegment(partition, [&](std::size_t index, const RunPartition::Segment& segment,
                                            auto& reader) {
      EXPECT_EQ(segment.first_element, partition.segment(index).first_element);
      std::size_t left = segment.element_count;
      reader.ForEachRun(segment, [&](const auto& pointers, std::size_t first, std::size_t count) {
        left -= count;
        EXPECT_TRUE(left == 0 || count % 64 == 0) << "kernels need whole vectors";
        Visit(pointers, first, count);
      });
      EXPECT_EQ(left, 0U);
    });
  }

  void VisitBlocks(const ChannelLayout& layout, const Pieces& a, const Pieces& b) {
    const Traversal<float, 2> traversal({&a.bytes(), &b.bytes()}, layout.element_count(), nullptr);
    const ColumnPartition partition(layout);
    traversal.ForEachBlock(
        partition, [&](std::size_t /*index*/, const ColumnPartition::Block& block, auto& reader) {
          reader.ForEachRows(
              partition, block,
              [&](const auto& pointers, std::size_t first, std::size_t rows, std::size_t columns) {
                EXPECT_LE(columns, block.columns);
                for (std::size_t row = 0; row < rows; ++row) {
                  const std::size_t at = row * partition.columns();
                  Visit({pointers[0] + at, pointers[1] + at}, first + at, columns);
                }
              });
        });
  }

  void ExpectEachElementOnce(const ChannelLayout& layout) {
    const std::vector<float> elements = Counting(layout.element_count());
    const std::size_t bytes = elements.size() * sizeof(float);
    for (const std::size_t distance : {std::size_t{509}, std::size_t{4099}, bytes}) {
      visits_.assign(elements.size(), 0);
      const Pieces a(elements, Cuts(bytes, distance));
      const Pieces b(elements, Cuts(bytes, distance == bytes ? bytes : distance + 1000));
      HasLongRuns(layout) ? VisitSegments(layout, a, b) : VisitBlocks(layout, a, b);
      EXPECT_EQ(visits_, std::vector<int>(elements.size(), 1)) << "cut every " << distance;
    }
  }

  std::vector<int> visits_;
};

TEST_F(Traversals, VisitEachElementOfRunsOnce) {
  ExpectEachElementOnce({.outer = 1, .channels = 1, .inner = 1});
  ExpectEachElementOnce({.outer = 1, .channels = 1, .inner = 150'001});
  ExpectEachElementOnce({.outer = 7, .channels = 3, .inner = 97});
}

TEST_F(Traversals, VisitEachElementOfColumnsOnce) {
  ExpectEachElementOnce({.outer = 1, .channels = 3, .inner = 1});
  ExpectEachElementOnce({.outer = 333, .channels = 7, .inner = 3});
  ExpectEachElementOnce({.outer = 50, .channels = 2500, .inner = 1});
}

TEST(Traversal, SharesLargeTensorsOutOverThePool) {
  WorkerPool pool(3);
  const ChannelLayout layout = {.outer = 1, .channels = 1, .inner = kParallelElements};
  const std::vector<float> elements(layout.element_count());
  const ScatteredBytes bytes(std::as_bytes(std::span(elements)));
  const RunPartition partition(layout);
  std::vector<std::atomic<int>> visits(partition.segment_count());
  std::atomic<bool> on_other_thread = false;
  const std::thread::id caller = std::this_thread::get_id();
  const auto visit = [&](std::size_t index, const RunPartition::Segment& /*segment*/,
                         auto& /*reader*/) {
    ++visits[index];
    on_other_thread = on_other_thread || std::this_thread::get_id() != caller;
  };
  // Visits are short, so the other threads may come too late for one tensor.
  int rounds = 0;
  for (; rounds < 10'000 && !on_other_thread; ++rounds) {
    Traversal<float, 1>({&bytes}, kParallelElements, &pool).ForEachSegment(partition, visit);
  }
  EXPECT_TRUE(on_other_thread);
  EXPECT_TRUE(std::ranges::all_of(visits, [=](const auto& count) { return count == rounds; }));
  // A smaller tensor stays with the caller.
  on_other_thread = false;
  for (int i = 0; i < 1000; ++i) {
    Traversal<float, 1>({&bytes}, kParallelElements - 1, &pool).ForEachSegment(partition, visit);
  }
  EXPECT_FALSE(on_other_thread);
}

TEST(ForEachElementOf, FindsTheColumnsInEachRow) {
  const ColumnPartition partition({.outer = 45, .channels = 7, .inner = 1});
  const std::vector<std::size_t> columns = {0, 5, partition.columns() - 1};
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < partition.block_count(); ++i) {
    ForEachElementOf(columns, partition, partition.block(i),
                     [&](std::size_t element) { found.push_back(element); });
  }
  std::vector<std::size_t> expected;
  for (std::size_t element = 0; element < std::size_t{45} * 7; ++element) {
    if (std::ranges::count(columns, element % partition.columns()) > 0) {
      expected.push_back(element);
    }
  }
  EXPECT_EQ(found, expected);
}

}  // namespace
}  // namespace quantd::core
