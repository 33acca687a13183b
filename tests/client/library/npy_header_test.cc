#include "client/library/npy_header.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace quantd::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Returns the start of a file with `dictionary` in a header of the given version.
std::string Header(const std::string& dictionary, char major = 1, char minor = 0) {
  std::string bytes = "\x93NUMPY";
  bytes += {major, minor};
  for (std::size_t i = 0; i < (major == 1 ? 2U : 4U); ++i) {
    bytes += static_cast<char>(dictionary.size() >> (8 * i) & 0xFFU);
  }
  return bytes + dictionary;
}

std::string WithShape(const std::string& shape, const std::string& fortran_order = "False") {
  return "{'descr': '<f4', 'fortran_order': " + fortran_order + ", 'shape': " + shape + ", }\n";
}

std::string ErrorOf(const std::string& bytes) {
  const auto header = ParseNpyHeader(bytes);
  EXPECT_TRUE(absl::IsInvalidArgument(header.status())) << header.status();
  return std::string(header.status().message());
}

TEST(ParseNpyHeader, ReadsShapesOfEveryRankInAllThreeVersions) {
  for (const char major : {'\1', '\2', '\3'}) {
    const auto header = ParseNpyHeader(Header(WithShape("(5, 5, 8, 32)"), major));
    ASSERT_TRUE(header.ok()) << header.status();
    EXPECT_THAT(header->shape, ElementsAre(5, 5, 8, 32));
    EXPECT_EQ(header->element_count, 6400U);
    EXPECT_EQ(header->data_offset, Header(WithShape("(5, 5, 8, 32)"), major).size());
  }
  EXPECT_THAT(ParseNpyHeader(Header(WithShape("()")))->shape, IsEmpty());
  EXPECT_EQ(ParseNpyHeader(Header(WithShape("()")))->element_count, 1U);
  EXPECT_THAT(ParseNpyHeader(Header(WithShape("(7,)")))->shape, ElementsAre(7));
  EXPECT_EQ(ParseNpyHeader(Header(WithShape("(0, 9)")))->element_count, 0U);
}

TEST(ParseNpyHeader, AcceptsAnySpacingQuotesAndOrderOfKeys) {
  const auto header = ParseNpyHeader(
      Header("{\"shape\":(2,3),  \"fortran_order\" :False,\n\"descr\":\t\"<f4\"}    \n"));
  ASSERT_TRUE(header.ok()) << header.status();
  EXPECT_THAT(header->shape, ElementsAre(2, 3));
}

TEST(ParseNpyHeader, AcceptsTheLongIntegersOfPython2) {
  EXPECT_THAT(ParseNpyHeader(Header(WithShape("(2L, 3L)")))->shape, ElementsAre(2, 3));
}

TEST(ParseNpyHeader, SaysWhetherFortranOrderDiffersFromCOrder) {
  for (const std::string shape : {"()", "(3,)", "(1, 3, 1)", "(0, 4, 5)"}) {
    EXPECT_FALSE(ParseNpyHeader(Header(WithShape(shape, "True")))->is_fortran_order) << shape;
  }
  EXPECT_TRUE(ParseNpyHeader(Header(WithShape("(2, 3)", "True")))->is_fortran_order);
  EXPECT_FALSE(ParseNpyHeader(Header(WithShape("(2, 3)", "False")))->is_fortran_order);
}

TEST(ParseNpyHeader, ReadsEveryByteOrder) {
  struct Order {
    std::string descr;
    core::ElementType type;
    bool is_big_endian;
  };
  for (const Order& order : {Order{"<f4", core::ElementType::kFloat32, false},
                             Order{"=f4", core::ElementType::kFloat32, false},
                             Order{">f4", core::ElementType::kFloat32, true},
                             Order{">i2", core::ElementType::kInt16, true},
                             Order{"=u2", core::ElementType::kUint16, false},
                             Order{"=i1", core::ElementType::kInt8, false},
                             Order{"<u1", core::ElementType::kUint8, false},
                             Order{">u1", core::ElementType::kUint8, true}}) {
    const auto header = ParseNpyHeader(
        Header("{'descr': '" + order.descr + "', 'fortran_order': False, 'shape': (3,), }\n"));
    ASSERT_TRUE(header.ok()) << header.status();
    EXPECT_EQ(header->type, order.type) << order.descr;
    EXPECT_EQ(header->is_big_endian, order.is_big_endian) << order.descr;
  }
}

TEST(ParseNpyHeader, TakesWhatMlDtypesWritesForBfloat16) {
  for (const std::string descr : {"<V2", "|V2", "bfloat16"}) {
    const auto header = ParseNpyHeader(
        Header("{'descr': '" + descr + "', 'fortran_order': False, 'shape': (3,), }\n"));
    ASSERT_TRUE(header.ok()) << header.status();
    EXPECT_EQ(header->type, core::ElementType::kBFloat16);
  }
}

TEST(ParseNpyHeader, RejectsOtherTypesByName) {
  for (const std::string descr : {">V2", "<i8", "|u2", "|b1", "|O", "<c8", "f4", "<", ""}) {
    const std::string error =
        ErrorOf(Header("{'descr': '" + descr + "', 'fortran_order': False, 'shape': (3,), }\n"));
    EXPECT_THAT(error, HasSubstr("dtype '" + descr + "'"));
    EXPECT_THAT(error, HasSubstr("float32"));
  }
  EXPECT_THAT(ErrorOf(Header("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (3,)}")),
              HasSubstr("structured dtype"));
}

TEST(ParseNpyHeader, RejectsOtherFilesAndVersions) {
  EXPECT_THAT(ErrorOf("no array at all"), HasSubstr("no arr"));
  EXPECT_THAT(ErrorOf(""), HasSubstr("an .npy file"));
  EXPECT_THAT(ErrorOf("PK\x03\x04"), HasSubstr("the name of one of its arrays, as in x.npz:name"));
  EXPECT_THAT(ErrorOf(Header(WithShape("(3,)"), 4)), HasSubstr("version 4.0"));
  EXPECT_THAT(ErrorOf(Header(WithShape("(3,)"), 1, 1)), HasSubstr("version 1.1"));
  EXPECT_THAT(ErrorOf(Header(WithShape("(3,)"), 0)), HasSubstr("version 0.0"));
}

TEST(ParseNpyHeader, RejectsEveryTruncation) {
  for (const char major : {'\1', '\2', '\3'}) {
    const std::string whole = Header(WithShape("(2, 3)"), major);
    for (std::size_t size = 0; size < whole.size(); ++size) {
      EXPECT_FALSE(ParseNpyHeader(whole.substr(0, size)).ok()) << size;
    }
  }
}

TEST(ParseNpyHeader, RejectsHugeHeaderLengths) {
  std::string bytes = Header(WithShape("(3,)"), 2);
  bytes.replace(8, 4, "\xFF\xFF\xFF\xFF");
  EXPECT_THAT(ErrorOf(bytes), HasSubstr("4294967295 bytes"));
}

TEST(ParseNpyHeader, RejectsHostileShapes) {
  for (const std::string shape :
       {"(-1,)", "(4294967296, 4294967296)", "(9223372036854775807, 9223372036854775807, 3)",
        "(9223372036854775807,)", "(2305843009213693952,)", "(4611686018427387904, 4, 0, -1)"}) {
    EXPECT_THAT(ErrorOf(Header(WithShape(shape))), HasSubstr("negative or does not fit")) << shape;
  }
  for (const std::string shape :
       {"(9223372036854775808,)", "(3)", "3", "[3]", "(3 4)", "(,)", "(3,,)", "(1e9,)", "(0x3,)",
        "('3',)", "(None,)", "((3,),)", "(3", "(True,)", "( - 3,)", "(3.0,)"}) {
    EXPECT_THAT(ErrorOf(Header(WithShape(shape))), HasSubstr("malformed")) << shape;
  }
}

TEST(ParseNpyHeader, RejectsGarbageDictionaries) {
  const std::vector<std::string> dictionaries = {
      "",
      "{",
      "}",
      "{}",
      "{'descr'}",
      "{'descr': '<f4'",
      "{'descr': '<f4', 'shape': (3,)}",
      "{'descr': '<f4', 'fortran_order': 0, 'shape': (3,)}",
      "{'descr': '<f4', 'fortran_order': None, 'shape': (3,)}",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), 'extra': 1}",
      "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (3,)}",
      "{'descr': '<f4' 'fortran_order': False, 'shape': (3,)}",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (3,)} print(1)",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (3,)}{",
      "{,'descr': '<f4', 'fortran_order': False, 'shape': (3,)}",
      "{'descr: '<f4'}",
      "__import__('os')",
      std::string(100, '\0')};
  for (const std::string& dictionary : dictionaries) {
    EXPECT_FALSE(ParseNpyHeader(Header(dictionary)).ok()) << dictionary;
  }
}

TEST(ParseNpyHeader, DoesNotRecurseIntoNesting) {
  for (const char open : {'{', '(', '['}) {
    const std::string nested(60000, open);
    EXPECT_FALSE(ParseNpyHeader(Header(nested)).ok());
    EXPECT_FALSE(ParseNpyHeader(Header("{'descr': " + nested)).ok());
    EXPECT_FALSE(ParseNpyHeader(Header("{'shape': " + nested)).ok());
  }
}

TEST(ParseNpyHeader, KeepsErrorsShortForAnyHeader) {
  EXPECT_LT(ErrorOf(Header("{'" + std::string(50000, '\x01') + "': 1}")).size(), 500U);
}

// Sets every byte of a header to every value. The header must either parse or be
// rejected, and the element count must always match the shape.
TEST(ParseNpyHeader, SurvivesEveryMutationOfEveryByte) {
  for (const char major : {'\1', '\2'}) {
    const std::string original = Header(WithShape("(2, 34, 5)"), major);
    for (std::size_t position = 0; position < original.size(); ++position) {
      for (int value = 0; value < 256; ++value) {
        std::string mutated = original;
        mutated[position] = static_cast<char>(value);
        const auto header = ParseNpyHeader(mutated);
        if (!header.ok()) {
          EXPECT_TRUE(absl::IsInvalidArgument(header.status()));
          continue;
        }
        std::size_t product = 1;
        for (const std::int64_t size : header->shape) {
          ASSERT_GE(size, 0);
          product *= static_cast<std::size_t>(size);
        }
        EXPECT_EQ(header->element_count, product);
        EXPECT_LE(header->data_offset, mutated.size());
      }
    }
  }
}

TEST(FormatNpyHeader, RoundTripsThroughParseNpyHeader) {
  const std::vector<std::vector<std::int64_t>> shapes = {
      {}, {0}, {1}, {7}, {2, 3}, {0, 5}, {5, 5, 8, 32}, std::vector<std::int64_t>(32, 1)};
  for (const std::vector<std::int64_t>& shape : shapes) {
    const std::string bytes = FormatNpyHeader(core::ElementType::kInt16, shape);
    EXPECT_EQ(bytes.size() % 64, 0U);
    EXPECT_EQ(bytes.back(), '\n');
    const auto header = ParseNpyHeader(bytes);
    ASSERT_TRUE(header.ok()) << header.status();
    EXPECT_EQ(header->type, core::ElementType::kInt16);
    EXPECT_EQ(header->shape, shape);
    EXPECT_EQ(header->data_offset, bytes.size());
  }
}

}  // namespace
}  // namespace quantd::client
