// A workflow with the files that it uses.
#include <fmt/format.h>
#include <baton/base/limits.hpp>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "parse.hpp"

namespace baton::workflow {
namespace {

// A path as written in a file, seen from where that file's own name is seen from.
std::string resolve_path(std::string_view file_name, std::string_view written) {
  const std::filesystem::path folder = std::filesystem::path(file_name).parent_path();
  return (folder / std::filesystem::path(written)).lexically_normal().string();
}

class BundleReader {
 public:
  explicit BundleReader(const Bundle& bundle) : bundle_(bundle) {}

  ParseResult read() {
    ParseResult result;
    if (bundle_.files.size() > limits::kBundleFiles) {
      result.diagnostics.push_back({Severity::error,
                                    bundle_.entry,
                                    {},
                                    fmt::format("more than {} files belong to the workflow", limits::kBundleFiles),
                                    {}});
      return result;
    }
    const auto entry = bundle_.files.find(bundle_.entry);
    if (entry == bundle_.files.end()) {
      result.diagnostics.push_back({Severity::error, bundle_.entry, {}, "the file is missing", {}});
      return result;
    }
    result.workflow = parse(entry->first, entry->second).workflow;
    for (auto& [order, diagnostics] : diagnostics_) {
      std::move(diagnostics.begin(), diagnostics.end(), std::back_inserter(result.diagnostics));
    }
    // A used file can only be wrong without this one knowing if it was not asked for.
    if (has_errors(result.diagnostics)) result.workflow = nullptr;
    return result;
  }

 private:
  struct File {
    std::shared_ptr<const WorkflowSpec> workflow;
    std::size_t levels = 1;  // of files from here on, with this one
  };

  const File& parse(const std::string& path, const std::string& text) {
    const std::size_t order = diagnostics_.size();
    diagnostics_[order];
    open_.push_back({path, 1});
    const UseResolver use = [this](std::string_view written, Problems& problems, Node at) {
      return resolve(written, problems, at);
    };
    ParseResult parsed = parse_file(path, text, use);
    const std::size_t levels = open_.back().levels;
    open_.pop_back();
    diagnostics_[order] = std::move(parsed.diagnostics);
    return done_[path] = {std::move(parsed.workflow), levels};
  }

  UsedFile resolve(std::string_view written, Problems& problems, Node at) {
    const std::string path = resolve_path(open_.back().path, written);
    const auto open = std::find_if(open_.begin(), open_.end(), [&](const Open& file) { return file.path == path; });
    if (open != open_.end()) {
      std::string circle;
      for (auto file = open; file != open_.end(); ++file) circle += file->path + " -> ";
      problems.error(at.offset(), fmt::format("workflows use each other in a circle: {}{}", circle, path));
      return {path, nullptr};
    }
    auto done = done_.find(path);
    if (done == done_.end()) {
      const auto file = bundle_.files.find(path);
      if (file == bundle_.files.end()) {
        problems.error(at.offset(), fmt::format("there is no file `{}`", path), "the path is relative to this file");
        return {path, nullptr};
      }
      if (open_.size() > limits::kUsesDepth) return too_deep(path, problems, at);
      parse(path, file->second);
      done = done_.find(path);
    }
    const File& file = done->second;
    if (open_.size() - 1 + file.levels > limits::kUsesDepth) return too_deep(path, problems, at);
    open_.back().levels = std::max(open_.back().levels, file.levels + 1);
    return {path, file.workflow};
  }

  static UsedFile too_deep(const std::string& path, Problems& problems, Node at) {
    problems.error(at.offset(), fmt::format("workflows use each other more than {} deep", limits::kUsesDepth));
    return {path, nullptr};
  }

  struct Open {
    std::string path;
    std::size_t levels;
  };
  const Bundle& bundle_;
  std::vector<Open> open_;  // files being read, from the entry on
  std::map<std::string, File, std::less<>> done_;
  std::map<std::size_t, std::vector<Diagnostic>> diagnostics_;  // of each file, in the order they were met
};

}  // namespace

ParseResult parse_bundle(const Bundle& bundle) { return BundleReader(bundle).read(); }

ParseResult parse_workflow(std::string_view file_name, std::string_view text) {
  const UseResolver none = [](std::string_view path, Problems& problems, Node at) {
    problems.error(at.offset(), fmt::format("there is no file `{}`", path));
    return UsedFile{std::string(path), nullptr};
  };
  return parse_file(file_name, text, none);
}

std::vector<std::string> used_paths(std::string_view file_name, std::string_view text) {
  if (text.find("uses") == std::string_view::npos) return {};
  const SourceText source(without_bom(text));
  Problems unheard(std::string(file_name), source);
  const std::unique_ptr<Tree> tree = Tree::read(source, unheard);
  if (!tree) return {};
  std::set<std::string> paths;
  for (const std::string_view section : {"tasks", "finally"}) {
    const auto tasks = tree->root().find(section);
    if (!tasks || !tasks->is_map()) continue;
    for (const auto [key, task] : tasks->entries()) {
      const auto path = task.find("uses");
      if (path && path->is_scalar() && !path->text().empty()) paths.insert(resolve_path(file_name, path->text()));
    }
  }
  return {paths.begin(), paths.end()};
}

}  // namespace baton::workflow
