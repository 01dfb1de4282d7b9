// A worker folder of its own for one test case.
#pragma once
#include <baton/worker/folder.hpp>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "catch.hpp"

namespace baton::worker {

class TempFolder {
 public:
  TempFolder() {
    std::string pattern = std::filesystem::temp_directory_path() / "baton-test-XXXXXX";
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    root_ = pattern;
    auto opened = open_folder(root_ + "/worker");
    REQUIRE(opened.has_value());
    folder_ = std::move(*opened);
  }
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
  }
  TempFolder(const TempFolder&) = delete;

  [[nodiscard]] const Folder& folder() const { return folder_; }
  [[nodiscard]] int fd() const { return folder_.fd.get(); }
  [[nodiscard]] std::string path(const std::string& name) const { return folder_.path + "/" + name; }
  [[nodiscard]] const std::string& root() const { return root_; }

 private:
  std::string root_;
  Folder folder_;
};

inline std::string slurp(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

inline void spill(const std::string& path, std::string_view text) { std::ofstream(path, std::ios::binary) << text; }

}  // namespace baton::worker
