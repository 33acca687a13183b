// Tests that core's enums and the schema's say the same.

#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/ascii.h"
#include "core/base/element_type.h"
#include "core/numerics.h"
#include "quantd/v1/quantization.pb.h"
#include "quantd/v1/tensor.pb.h"
#include "wire/element_type.h"
#include "wire/numerics.h"
#include "wire/rounding.h"

namespace quantd::wire {
namespace {

TEST(Numerics, HaveTheNamesOfTheSchema) {
  ASSERT_EQ(kNumerics.size(), core::kNumericsTable.size());
  for (const core::NumericsRow& row : core::kNumericsTable) {
    EXPECT_EQ(v1::Numerics_Name(ToSchema(row.numerics)), "NUMERICS_" + std::string(row.name));
  }
}

TEST(Numerics, AreThoseOfTheSchemaWithoutTheUnspecified) {
  const google::protobuf::EnumDescriptor& described = *v1::Numerics_descriptor();
  EXPECT_EQ(static_cast<int>(kNumerics.size()), described.value_count() - 1);
  for (int i = 0; i < described.value_count(); ++i) {
    const auto number = static_cast<v1::Numerics>(described.value(i)->number());
    EXPECT_EQ(ToCore(number).has_value(), number != v1::NUMERICS_UNSPECIFIED) << number;
  }
  EXPECT_EQ(ToCore(static_cast<v1::Numerics>(99)), std::nullopt);
}

TEST(Numerics, AreTheSameThereAndBack) {
  for (const core::NumericsRow& row : core::kNumericsTable) {
    EXPECT_EQ(ToCore(ToSchema(row.numerics)), row.numerics) << row.name;
  }
}

TEST(Roundings, HaveTheNamesOfTheSchema) {
  ASSERT_EQ(kRoundings.size(), core::kRoundingTable.size());
  for (const core::RoundingRow& row : core::kRoundingTable) {
    EXPECT_EQ(v1::Rounding_Name(ToSchema(row.rounding)), "ROUNDING_" + std::string(row.name));
    EXPECT_EQ(ToCore(ToSchema(row.rounding)), row.rounding) << row.name;
  }
}

TEST(Roundings, AreThoseOfTheSchemaWithoutTheUnspecified) {
  EXPECT_EQ(static_cast<int>(kRoundings.size()), v1::Rounding_descriptor()->value_count() - 1);
  EXPECT_EQ(ToCore(v1::ROUNDING_UNSPECIFIED), std::nullopt);
  EXPECT_EQ(ToCore(static_cast<v1::Rounding>(99)), std::nullopt);
}

TEST(ElementTypes, HaveTheNamesOfTheSchema) {
  for (const core::ElementTypeRow& row : core::kElementTypeTable) {
    EXPECT_EQ(v1::DataType_Name(ToDataType(row.type)),
              "DATA_TYPE_" + absl::AsciiStrToUpper(std::string(row.name)));
  }
}

TEST(ElementTypes, AreThoseOfTheSchemaWithoutTheUnspecified) {
  const google::protobuf::EnumDescriptor& described = *v1::DataType_descriptor();
  EXPECT_EQ(static_cast<int>(kElementTypes.size()), described.value_count() - 1);
  for (int i = 0; i < described.value_count(); ++i) {
    const auto number = static_cast<v1::DataType>(described.value(i)->number());
    EXPECT_EQ(ToElementType(number).has_value(), number != v1::DATA_TYPE_UNSPECIFIED) << number;
  }
  EXPECT_EQ(ToElementType(static_cast<v1::DataType>(99)), std::nullopt);
}

TEST(ElementTypes, AreTheSameThereAndBack) {
  for (const core::ElementTypeRow& row : core::kElementTypeTable) {
    EXPECT_EQ(ToElementType(ToDataType(row.type)), row.type) << row.name;
  }
}

}  // namespace
}  // namespace quantd::wire
