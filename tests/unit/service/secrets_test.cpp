#include <baton/service/secrets.hpp>

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>
#include <algorithm>
#include <filesystem>
#include <fstream>

#include "catch.hpp"
#include "unique_folder.hpp"

using namespace baton;
using namespace baton::service;

TEST_CASE("Secrets are read from where the configuration says, each time anew") {
  const testing::UniqueFolder folder;
  const std::string path = folder / "secret";
  std::ofstream(path) << "hunter2\n";
  ::setenv("BATON_TEST_SECRET", "s3cret", 1);
  Secrets secrets({{"FROM_ENV", {.env = "BATON_TEST_SECRET", .file = ""}},
                   {"FROM_FILE", {.env = "", .file = path}},
                   {"NO_ENV", {.env = "BATON_TEST_NO_SUCH", .file = ""}},
                   {"NO_FILE", {.env = "", .file = path + ".none"}}});
  CHECK(secrets.give("FROM_ENV").value() == "s3cret");
  CHECK(secrets.give("FROM_FILE").value() == "hunter2");
  std::ofstream(path) << "rotated";
  CHECK(secrets.give("FROM_FILE").value() == "rotated");
  // What a task was given is a secret for as long as it may still say it.
  CHECK(secrets.values() == std::vector<std::string>{"hunter2", "rotated", "s3cret"});
  for (const char* name : {"NO_ENV", "NO_FILE", "UNKNOWN"}) {
    const auto value = secrets.give(name);
    REQUIRE_FALSE(value.has_value());
    CHECK(value.error().code == ErrorCode::not_found);
    CHECK(value.error().message.find(name) != std::string::npos);
  }
  std::ofstream(path) << std::string("a\0b", 3);
  CHECK(secrets.give("FROM_FILE").error().code == ErrorCode::invalid_argument);
  std::ofstream(path) << std::string(100'000, 'x');
  CHECK(secrets.give("FROM_FILE").error().code == ErrorCode::limit);
  ::unsetenv("BATON_TEST_SECRET");
}

TEST_CASE("What was given stays known, whatever becomes of its source") {
  ::setenv("BATON_TEST_KEPT", "value 0", 1);
  Secrets secrets({{"KEPT", {.env = "BATON_TEST_KEPT", .file = ""}}});
  CHECK(secrets.give("KEPT").value() == "value 0");
  for (std::size_t i = 1; i < Secrets::kGivenValues; ++i) {
    ::setenv("BATON_TEST_KEPT", fmt::format("value {}", i).c_str(), 1);
    CHECK(secrets.give("KEPT").has_value());
  }
  ::setenv("BATON_TEST_KEPT", "value 0", 1);
  CHECK(secrets.give("KEPT").has_value());  // the latest again
  ::setenv("BATON_TEST_KEPT", "one more", 1);
  CHECK(secrets.give("KEPT").has_value());
  ::unsetenv("BATON_TEST_KEPT");
  secrets.configure({});
  const std::vector<std::string> values = secrets.values();
  CHECK(values.size() == Secrets::kGivenValues);
  CHECK(std::ranges::count(values, "value 0") == 1);
  CHECK(std::ranges::count(values, "value 1") == 0);
  CHECK(std::ranges::count(values, "one more") == 1);
}

TEST_CASE("A masker finds secrets wherever a text is cut") {
  const std::string text = "user=bob token=hunter2! again hunter2hunter2 and hunt";
  const std::string masked = "user=bob token=***! again ****** and hunt";
  for (std::size_t size = 1; size <= text.size(); ++size) {
    Masker masker({"hunter2"});
    std::string out;
    for (std::size_t at = 0; at < text.size(); at += size) out += masker.feed(std::string_view(text).substr(at, size));
    out += masker.finish();
    INFO("pieces of " << size);
    CHECK(out == masked);
  }
}

TEST_CASE("Of two secrets that begin alike the longer one is masked whole") {
  for (std::size_t cut = 0; cut <= 9; ++cut) {
    Masker masker({"abcdefgh", "abcd"});
    const std::string text = "xabcdefgh";
    std::string out = masker.feed(text.substr(0, cut));
    out += masker.feed(text.substr(cut));
    out += masker.finish();
    INFO("cut at " << cut);
    CHECK(out == "x***");
  }
  Masker masker({"abcdefgh", "abcd"});
  std::string out = masker.feed("xabcdefgh yabcd");
  out += masker.finish();
  CHECK(out == "x*** y***");
}

TEST_CASE("A masker holds back only what could be the beginning of a secret") {
  Masker masker({std::string(3'000, 'k') + "end", "bcd", "abcdef"});
  CHECK(masker.feed("a line of a log\n") == "a line of a log\n");
  CHECK(masker.feed("12 bc") == "12 ");
  CHECK(masker.feed("x\n") == "bcx\n");
  CHECK(masker.feed("_abcd") == "_");  // "bcd" is a secret, but "abcd" may become one
  CHECK(masker.feed("ef!") == "***!");
  CHECK(masker.feed("_abcd") == "_");
  CHECK(masker.feed("x") == "a***x");
  CHECK(masker.feed("kkk") == "");
  CHECK(masker.finish() == "kkk");
}

TEST_CASE("A masker is linear in a text that is full of one secret") {
  std::vector<std::string> values(200, "");
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = "absent-" + std::to_string(i);
  values.emplace_back("1234");
  Masker masker(values);
  std::string text;
  for (int i = 0; i < 65'536; ++i) text += "1234";
  const std::string masked = masker.feed(text) + masker.finish();
  CHECK(masked.size() == 3 * 65'536);
}

TEST_CASE("A secret's file may be a link but nothing that is waited for") {
  const testing::UniqueFolder folder;
  std::ofstream(folder / "real") << "hunter2\n";
  std::filesystem::create_symlink("real", folder / "link");
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  Secrets secrets({{"LINK", {.env = "", .file = folder / "link"}}, {"PIPE", {.env = "", .file = folder / "pipe"}}});
  CHECK(secrets.give("LINK").value() == "hunter2");
  CHECK(secrets.give("PIPE").error().code == ErrorCode::invalid_argument);
}

TEST_CASE("Without secrets a masker holds nothing back") {
  Masker masker({});
  CHECK(masker.feed("abc") == "abc");
  CHECK(masker.finish().empty());
}
