// Every file of tests/corpus/workflow, judged by the parser. tests/e2e/schema_corpus.py holds the JSON schema against
// the same files.
#include <fmt/format.h>
#include <baton/workflow/spec.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "catch.hpp"

namespace {

using namespace baton;
namespace fs = std::filesystem;

const fs::path kCorpus = fs::path(BATON_SOURCE_DIR) / "tests/corpus/workflow";

std::string contents(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return std::move(text).str();
}

std::vector<fs::path> files(std::string_view folder) {
  std::vector<fs::path> found;
  for (const auto& entry : fs::recursive_directory_iterator(kCorpus / folder)) {
    if (entry.path().extension() == ".yaml") found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

// The file with what it uses, named relative to its own folder.
workflow::Bundle bundle_of(const fs::path& path) {
  workflow::Bundle bundle{.entry = path.filename().string(), .files = {}};
  std::vector<std::string> open{bundle.entry};
  while (!open.empty()) {
    const std::string name = open.back();
    open.pop_back();
    const fs::path file = path.parent_path() / name;
    if (bundle.files.contains(name) || !fs::exists(file)) continue;
    bundle.files[name] = contents(file);
    for (std::string& used : workflow::used_paths(name, bundle.files[name])) open.push_back(std::move(used));
  }
  return bundle;
}

struct Expected {
  std::string place;  // "LINE:COLUMN"
  std::string message;
};

// The comment lines `# expect: LINE:COLUMN: part of the message` at the file's beginning.
std::vector<Expected> expectations(const std::string& text) {
  constexpr std::string_view kPrefix = "# expect: ";
  std::vector<Expected> expected;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line) && line.starts_with(kPrefix);) {
    line.erase(0, kPrefix.size());
    const std::size_t end = line.find(": ");
    REQUIRE(end != std::string::npos);
    expected.push_back({line.substr(0, end), line.substr(end + 2)});
  }
  return expected;
}

std::string rendered(const workflow::Bundle& bundle, const std::vector<Diagnostic>& diagnostics) {
  std::string text;
  for (const Diagnostic& diagnostic : diagnostics) {
    const auto file = bundle.files.find(diagnostic.file);
    text += render(diagnostic, file == bundle.files.end() ? "" : file->second);
  }
  return text;
}

void check_expected(const std::vector<Diagnostic>& diagnostics, const std::vector<Expected>& expected) {
  CHECK(diagnostics.size() == expected.size());
  for (std::size_t i = 0; i < std::min(expected.size(), diagnostics.size()); ++i) {
    const Diagnostic& found = diagnostics[i];
    CHECK(fmt::format("{}:{}", found.pos.line, found.pos.column) == expected[i].place);
    CHECK_THAT(found.message, Catch::Contains(expected[i].message));
  }
}

}  // namespace

TEST_CASE("the good files of the corpus are accepted, with no more than warnings") {
  const auto all = files("good");
  CHECK(all.size() >= 40);
  for (const fs::path& path : all) {
    const workflow::Bundle bundle = bundle_of(path);
    const workflow::ParseResult result = workflow::parse_bundle(bundle);
    INFO(path.string() << "\n" << rendered(bundle, result.diagnostics));
    CHECK_FALSE(has_errors(result.diagnostics));
    CHECK(result.workflow != nullptr);
    check_expected(result.diagnostics, expectations(bundle.files.at(bundle.entry)));
  }
}

TEST_CASE("the bad files of the corpus are refused, with every problem at its place") {
  const auto all = files("bad");
  CHECK(all.size() >= 90);
  for (const fs::path& path : all) {
    const workflow::Bundle bundle = bundle_of(path);
    const workflow::ParseResult result = workflow::parse_bundle(bundle);
    const auto expected = expectations(bundle.files.at(bundle.entry));
    INFO(path.string() << "\n" << rendered(bundle, result.diagnostics));
    CHECK(result.workflow == nullptr);
    CHECK_FALSE(expected.empty());
    check_expected(result.diagnostics, expected);
  }
}
