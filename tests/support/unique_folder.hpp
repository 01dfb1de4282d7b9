// A folder that is a test's own, whatever runs beside it or ran before; removed with it.
#pragma once
#include <stdlib.h>

#include <filesystem>
#include <string>

#include "catch.hpp"

namespace baton::testing {

class UniqueFolder {
 public:
  UniqueFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "baton-test-XXXXXX").string();
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    path = pattern;
  }
  ~UniqueFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  UniqueFolder(const UniqueFolder&) = delete;
  UniqueFolder& operator=(const UniqueFolder&) = delete;

  [[nodiscard]] std::string operator/(const std::string& name) const { return path + "/" + name; }

  std::string path;
};

}  // namespace baton::testing
