#include "client/load/format.h"

#include <gtest/gtest.h>

#include <string>

namespace quantd::client {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

std::string Format(nanoseconds time) { return FormatTime(time); }

TEST(FormatTime, HasThreeDigitsAndASuitableUnit) {
  EXPECT_EQ(Format(seconds(0)), "0 s");
  EXPECT_EQ(Format(nanoseconds(1)), "1 ns");
  EXPECT_EQ(Format(nanoseconds(742)), "742 ns");
  EXPECT_EQ(Format(microseconds(1)), "1.00 µs");
  EXPECT_EQ(Format(nanoseconds(21'460)), "21.5 µs");
  EXPECT_EQ(Format(microseconds(120)), "120 µs");
  EXPECT_EQ(Format(microseconds(1204)), "1.20 ms");
  EXPECT_EQ(Format(milliseconds(20)), "20.0 ms");
  EXPECT_EQ(Format(seconds(3)), "3.00 s");
  EXPECT_EQ(Format(hours(1)), "3600 s");
}

TEST(FormatTime, HasThreeDigitsWhenRoundingAddsOne) {
  EXPECT_EQ(Format(nanoseconds(9994)), "9.99 µs");
  EXPECT_EQ(Format(nanoseconds(9996)), "10.0 µs");
  EXPECT_EQ(Format(nanoseconds(99'940)), "99.9 µs");
  EXPECT_EQ(Format(nanoseconds(99'960)), "100 µs");
  EXPECT_EQ(Format(nanoseconds(999'499)), "999 µs");
  EXPECT_EQ(Format(nanoseconds(999'501)), "1.00 ms");
  EXPECT_EQ(Format(microseconds(999'600)), "1.00 s");
}

TEST(FormatTime, AcceptsFractionsOfNanosecondsAndNegativeTimes) {
  EXPECT_EQ(FormatTime(std::chrono::duration<double>(999.7e-9)), "1.00 µs");
  EXPECT_EQ(FormatTime(std::chrono::duration<double>(1.5e-3)), "1.50 ms");
  EXPECT_EQ(Format(milliseconds(-20)), "-20.0 ms");
}

TEST(FormatNumber, HasAboutThreeDigitsAndNoExponent) {
  EXPECT_EQ(FormatNumber(0), "0");
  EXPECT_EQ(FormatNumber(0.01234), "0.0123");
  EXPECT_EQ(FormatNumber(2), "2");
  EXPECT_EQ(FormatNumber(12.34), "12.3");
  EXPECT_EQ(FormatNumber(99.96), "100");
  EXPECT_EQ(FormatNumber(14'209.7), "14210");
  EXPECT_EQ(FormatNumber(1.5e9), "1500000000");
  EXPECT_EQ(FormatNumber(-12.34), "-12.3");
}

TEST(FormatShare, IsInPercent) {
  EXPECT_EQ(FormatShare(0), "0 %");
  EXPECT_EQ(FormatShare(0.00125), "0.125 %");
  EXPECT_EQ(FormatShare(0.5), "50 %");
  EXPECT_EQ(FormatShare(1), "100 %");
}

TEST(FormatBytes, HasASuitableUnit) {
  EXPECT_EQ(FormatBytes(0), "0 bytes");
  EXPECT_EQ(FormatBytes(1023), "1023 bytes");
  EXPECT_EQ(FormatBytes(4096), "4 KiB");
  EXPECT_EQ(FormatBytes(1.5 * 1024 * 1024), "1.5 MiB");
  EXPECT_EQ(FormatBytes(1024.0 * 1024 * 1024), "1 GiB");
  EXPECT_EQ(FormatBytes(5000.0 * 1024 * 1024 * 1024), "5000 GiB");
}

}  // namespace
}  // namespace quantd::client
