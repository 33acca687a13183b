#include "core/base/tensor_view.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace quantd::core {
namespace {

TEST(TensorView, ViewsElementsThatLieInAnArray) {
  const std::vector<float> elements = {1, 2, 3, 4, 5, 6};
  const std::vector<std::int64_t> shape = {2, 3};
  const TensorView view(shape, std::span<const float>(elements));
  EXPECT_EQ(view.type, ElementType::kFloat32);
  EXPECT_EQ(view.shape.size(), 2U);
  EXPECT_EQ(view.element_count(), 6U);
  EXPECT_EQ(view.elements<float>().data(), elements.data());
  EXPECT_EQ(view.elements<float>().size(), 6U);
}

TEST(TensorView, CountsElementsByTheBytesThereAre) {
  const std::vector<std::byte> bytes(11);
  const std::vector<std::int64_t> shape = {5};
  EXPECT_EQ(TensorView(ElementType::kFloat32, shape, ScatteredBytes(bytes)).element_count(), 2U);
  EXPECT_EQ(TensorView().element_count(), 0U);
}

TEST(OutputView, ViewsAnArrayAsElementsAndAsBytes) {
  std::vector<float> elements(6);
  const OutputView view = std::span(elements);
  EXPECT_EQ(view.type(), ElementType::kFloat32);
  EXPECT_EQ(view.element_count(), 6U);
  EXPECT_EQ(view.size_bytes(), 24U);
  EXPECT_EQ(view.elements<float>().data(), elements.data());
  EXPECT_EQ(view.bytes().data(), std::as_writable_bytes(std::span(elements)).data());
  EXPECT_EQ(view.bytes().size(), 24U);
}

TEST(OutputView, HasPartsOfWholeElements) {
  std::vector<float> elements(6);
  const OutputView view = std::span(elements);
  EXPECT_EQ(view.Part(2, 3).elements<float>().data(), elements.data() + 2);
  EXPECT_EQ(view.Part(2, 3).element_count(), 3U);
  EXPECT_EQ(view.Part(6, 0).element_count(), 0U);
}

}  // namespace
}  // namespace quantd::core
