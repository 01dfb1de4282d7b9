#include <baton/base/quantity.hpp>

#include <limits>

#include "catch.hpp"

using namespace baton;

TEST_CASE("quantities are thousandths") {
  CHECK(parse_milli("2") == 2000);
  CHECK(parse_milli("500m") == 500);
  CHECK(parse_milli("0.25") == 250);
  CHECK(parse_milli(".5") == 500);
  CHECK(parse_milli("1.000000") == 1000);
  CHECK(parse_milli("0.001") == 1);
  CHECK(parse_milli("0") == 0);
  CHECK(parse_milli("1000000000") == 1'000'000'000'000);
  CHECK(parse_milli("999999999.999") == 999'999'999'999);
  CHECK(parse_milli("1.000m") == 1);
}

TEST_CASE("what is no quantity is refused") {
  for (const char* text : {"",    ".",   "..",     "-1",   "+1",           "1.5.2",  "1 ",
                           " 1",  "1k",  "1mm",    "m",    "1e3",          "0x1",    "inf",
                           "nan", "1,5", "0.0001", "0.5m", "0.0000000001", "1.0005", "0.00000000000000000000000001"}) {
    INFO(text);
    CHECK_FALSE(parse_milli(text));
    if (!parse_milli(text)) CHECK(parse_milli(text).error().code == ErrorCode::invalid_argument);
  }
  CHECK(parse_milli("1000000001").error().code == ErrorCode::limit);
  CHECK(parse_milli(std::string(100'000, '9')).error().code == ErrorCode::limit);
}

TEST_CASE("bytes take the units of 1000 and of 1024") {
  CHECK(parse_bytes("0") == 0);
  CHECK(parse_bytes("512") == 512);
  CHECK(parse_bytes("1k") == 1000);
  CHECK(parse_bytes("1M") == 1'000'000);
  CHECK(parse_bytes("1.5G") == 1'500'000'000);
  CHECK(parse_bytes("2T") == 2'000'000'000'000);
  CHECK(parse_bytes("1P") == 1'000'000'000'000'000);
  CHECK(parse_bytes("1Ki") == 1024);
  CHECK(parse_bytes("512Mi") == 512LL << 20);
  CHECK(parse_bytes("4Gi") == 4LL << 30);
  CHECK(parse_bytes("1.5Ti") == 3LL << 39);
  CHECK(parse_bytes("1Pi") == 1LL << 50);
}

TEST_CASE("bytes are exact where a double is not") {
  CHECK(parse_bytes("9007199254740993") == 9007199254740993);
  CHECK(parse_bytes("8191Pi") == 8191LL << 50);
  CHECK(parse_bytes("8192Pi").error().code == ErrorCode::limit);
  for (int tenths = 0; tenths < 10'000; ++tenths) {
    const std::string text = fmt::format("{}.{}", tenths / 10, tenths % 10);
    REQUIRE(parse_bytes(text + "k") == tenths * 100);
    REQUIRE(parse_bytes(text + "G") == tenths * 100'000'000LL);
  }
}

TEST_CASE("part of a byte counts as one") {
  CHECK(parse_bytes("0.5") == 1);
  CHECK(parse_bytes("0.0001k") == 1);
  CHECK(parse_bytes("1.0001Ki") == 1025);
}

TEST_CASE("what is no amount of bytes is refused") {
  for (const char* text :
       {"", ".", "-1", "1.5.2G", "1K", "1KB", "1KiB", "1g", "1 Gi", "Gi", "1Gi ", "1e3", "1m", "inf", "1Zi"}) {
    INFO(text);
    CHECK_FALSE(parse_bytes(text));
  }
  CHECK(parse_bytes(std::string(100'000, '9') + "P").error().code == ErrorCode::limit);
  CHECK_FALSE(parse_bytes("0." + std::string(100'000, '1') + "G"));
}

TEST_CASE("quantities are written as decimal numbers") {
  CHECK(format_milli(0) == "0");
  CHECK(format_milli(2000) == "2");
  CHECK(format_milli(500) == "0.5");
  CHECK(format_milli(250) == "0.25");
  CHECK(format_milli(1001) == "1.001");
  for (const std::int64_t milli : {0, 1, 10, 999, 1000, 123'456}) CHECK(parse_milli(format_milli(milli)) == milli);
}

TEST_CASE("bytes are written in the largest unit") {
  CHECK(format_bytes(0) == "0");
  CHECK(format_bytes(1023) == "1023");
  CHECK(format_bytes(1024) == "1Ki");
  CHECK(format_bytes(512LL << 20) == "512Mi");
  CHECK(format_bytes(3LL << 29) == "1.5Gi");
  CHECK(format_bytes((1LL << 20) - 1) == "1Mi");
  CHECK(format_bytes(std::numeric_limits<std::int64_t>::max()) == "8192Pi");
}
