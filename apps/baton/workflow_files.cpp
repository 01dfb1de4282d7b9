#include "workflow_files.hpp"

#include <baton/base/descriptor.hpp>

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>
#include <baton/base/limits.hpp>
#include <baton/base/text.hpp>

#include <cerrno>
#include <deque>
#include <filesystem>

namespace baton::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kParamsFileBytes = 1u << 20;

// A pipe, or a file that the shell has opened: what has no folder that its tasks and files could be meant to be in.
bool is_stream(const fs::path& path) {
  if (path == "-") return true;
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (error || fs::is_directory(status)) return false;
  if (!fs::is_regular_file(status)) return true;
  const std::string folder = fs::canonical(path.parent_path().empty() ? "." : path.parent_path(), error).string();
  return folder == "/dev" || folder.starts_with("/proc/");
}

}  // namespace

Result<std::string> read_file(const std::string& path, std::size_t limit) {
  // A pipe is waited for, until Ctrl-C. /dev/stdin cannot be opened where it is a socket.
  const bool is_stdin = path == "-" || path == "/dev/stdin";
  const Descriptor fd(is_stdin ? ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
                               : ::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail_errno(errno, fmt::format("cannot read {}", shown_file(path)));
  struct stat info{};
  if (::fstat(fd.get(), &info) != 0) return fail_errno(errno, fmt::format("cannot read {}", shown_file(path)));
  if (S_ISDIR(info.st_mode)) {
    return fail(ErrorCode::invalid_argument, "{} is a folder, not a file", shown_file(path));
  }
  std::string text;
  constexpr std::size_t kChunk = 64u << 10;
  while (text.size() <= limit) {
    const std::size_t had = text.size();
    text.resize(std::min(had + kChunk, limit + 1));
    const ssize_t got = ::read(fd.get(), text.data() + had, text.size() - had);
    const int error = errno;
    text.resize(had + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got == 0) break;
    if (got > 0 || error == EINTR) continue;
    if (error != EAGAIN) return fail_errno(error, fmt::format("cannot read {}", shown_file(path)));
    pollfd waiting{fd.get(), POLLIN, 0};  // who shares our standard input has made it non-blocking
    ::poll(&waiting, 1, -1);
  }
  return text;
}

std::string shown_file(const std::string& path) { return path == "-" ? "<stdin>" : path; }

Result<WorkflowFiles> collect(const std::string& path) {
  const fs::path entry(path);
  WorkflowFiles files;
  std::error_code error;
  if (is_stream(path)) {
    files.stream = shown_file(path);
    files.bundle.entry = "stdin";
  } else {
    files.folder = entry.parent_path().string();
    files.bundle.entry = entry.filename().string();
  }
  const fs::path here = fs::canonical(files.folder.empty() ? "." : files.folder, error);
  auto text = read_file(path, limits::kWorkflowFileBytes);
  if (!text) return fail(ErrorCode::invalid_argument, "{}", text.error().message);
  if (error) return fail(ErrorCode::invalid_argument, "cannot read {}: {}", shown_file(path), error.message());
  files.working_dir = here.string();

  std::deque<std::string> found{files.bundle.entry};
  files.bundle.files.emplace(files.bundle.entry, *std::move(text));
  for (; !found.empty(); found.pop_front()) {
    const std::string& user = found.front();
    for (const std::string& used : workflow::used_paths(user, files.bundle.files.at(user))) {
      if (files.bundle.files.contains(used)) continue;
      if (files.bundle.files.size() == limits::kBundleFiles) {
        return fail(ErrorCode::limit, "{} uses more than {} files", shown_file(path), limits::kBundleFiles);
      }
      auto contents = read_file((here / used).string(), limits::kWorkflowFileBytes);
      if (!contents) {
        files.unreadable.emplace(used,
                                 fmt::format("{}, which {} uses", contents.error().message, shown_path(files, user)));
        continue;
      }
      files.bundle.files.emplace(used, *std::move(contents));
      found.push_back(used);
    }
  }
  return files;
}

std::string shown_path(const WorkflowFiles& files, const std::string& path) {
  if (path == files.bundle.entry && !files.stream.empty()) return files.stream;
  return (fs::path(files.folder) / path).lexically_normal().string();
}

CheckedWorkflow check(const WorkflowFiles& files) {
  auto parsed = workflow::parse_bundle(files.bundle);
  CheckedWorkflow result;
  for (Diagnostic diagnostic : parsed.diagnostics) {
    const auto source = files.bundle.files.find(diagnostic.file);
    const std::string_view text = source == files.bundle.files.end() ? std::string_view() : source->second;
    if (source != files.bundle.files.end()) diagnostic.file = shown_path(files, diagnostic.file);
    if (diagnostic.severity == Severity::error) ++result.errors;
    result.report += render(diagnostic, text);
    result.diagnostics.push_back(std::move(diagnostic));
  }
  for (const auto& [path, why] : files.unreadable) {
    ++result.errors;
    result.report += fmt::format("{}: error: {}\n", escape_control(shown_path(files, path)), escape_control(why));
    result.diagnostics.push_back({Severity::error, shown_path(files, path), {}, why, {}});
  }
  if (result.errors == 0) result.workflow = std::move(parsed.workflow);
  return result;
}

Result<GivenParams> read_params(const std::vector<std::string>& assignments, const std::string& file) {
  GivenParams params;
  if (!file.empty()) {
    const auto text = read_file(file, kParamsFileBytes);
    if (!text) return fail(ErrorCode::invalid_argument, "{}", text.error().message);
    if (text->size() > kParamsFileBytes) return fail(ErrorCode::limit, "{} is larger than 1 MiB", shown_file(file));
    auto values = workflow::read_params_file(shown_file(file), *text);
    if (!values) return std::unexpected(values.error());
    params.values = *std::move(values);
  }
  for (const std::string& assignment : assignments) {
    const std::size_t equals = assignment.find('=');
    const std::string name = assignment.substr(0, equals);
    if (equals == std::string::npos || !is_identifier(name)) {
      return fail(ErrorCode::invalid_argument, "-p {}: a parameter is given as key=value", assignment);
    }
    std::string value = assignment.substr(equals + 1);
    if (!is_valid_utf8(value)) return fail(ErrorCode::invalid_argument, "-p {}: the value is not UTF-8", name);
    params.values.erase(name);
    params.texts.insert_or_assign(name, std::move(value));
  }
  return params;
}

nlohmann::json typed(const GivenParams& params, const workflow::WorkflowSpec& workflow) {
  nlohmann::json values = params.values;
  values.update(workflow::typed_params(workflow, params.texts));
  return values;
}

}  // namespace baton::cli
