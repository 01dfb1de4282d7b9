#include <baton/service/upkeep.hpp>

#include <baton/service/state_dir.hpp>
#include <baton/store/store.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <vector>

namespace baton::service {
namespace {

constexpr int kClean = 0;
constexpr int kFound = 1;
constexpr int kRefused = 6;

int refused(const Error& error) {
  fmt::print(stderr, "error: {}\n", error.message);
  return kRefused;
}

// Claiming a folder makes it, which is not wanted of a check.
Result<StateDir> claim_existing(const Locations& locations) {
  std::error_code error;
  if (!std::filesystem::exists(locations.state_dir + "/baton.db", error)) {
    return fail(ErrorCode::not_found, "there is no state in {}", locations.state_dir);
  }
  return StateDir::claim(locations.state_dir);
}

// Each must be what the worker makes of it, and belong to this user.
void check_file(const std::filesystem::path& path, bool is_folder, std::vector<std::string>& findings) {
  struct stat info{};
  if (::lstat(path.c_str(), &info) != 0) {
    if (errno != ENOENT)
      findings.push_back(fmt::format("{}: {}", path.string(), fail_errno(errno, "stat").error().message));
    return;
  }
  if (is_folder ? !S_ISDIR(info.st_mode) : !S_ISREG(info.st_mode)) {
    findings.push_back(fmt::format("{} is not a {}", path.string(), is_folder ? "folder" : "regular file"));
  } else if (info.st_uid != ::geteuid()) {
    findings.push_back(fmt::format("{} belongs to user {}", path.string(), info.st_uid));
  } else if ((info.st_mode & 0077) != 0 && is_folder) {
    findings.push_back(fmt::format("{} can be entered by others", path.string()));
  }
}

void check_worker(const std::filesystem::path& folder, std::vector<std::string>& findings) {
  check_file(folder, true, findings);
  for (const char* part : {"logs", "slots", "trash", "details"}) check_file(folder / part, true, findings);
  for (const char* part : {"journal", "daemon", "boot-id"}) check_file(folder / part, false, findings);
  if (std::filesystem::exists(folder / "daemon") && !incarnation_in((folder / "daemon").native())) {
    findings.push_back(
        fmt::format("{} makes no sense: the worker will refuse its daemon", (folder / "daemon").string()));
  }
}

void check_workers(const std::string& state_dir, std::vector<std::string>& findings) {
  std::error_code error;
  for (const auto& folder : std::filesystem::directory_iterator(state_dir + "/workers", error)) {
    check_worker(folder.path(), findings);
  }
}

}  // namespace

int check_state(const Locations& locations, bool json) {
  const Result<StateDir> dir = claim_existing(locations);
  if (!dir) return refused(dir.error());
  auto findings = store::check_database(dir->database());
  if (!findings && findings.error().code == ErrorCode::corrupt) findings = {{findings.error().message}};
  if (!findings) return refused(findings.error());
  check_workers(dir->path(), *findings);
  if (json) {
    fmt::print("{}\n", nlohmann::json(*findings).dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
  } else {
    for (const std::string& finding : *findings) fmt::print("{}\n", finding);
    if (findings->empty()) fmt::print("{}: nothing found\n", dir->path());
  }
  return findings->empty() ? kClean : kFound;
}

int back_up_state(const Locations& locations, const std::string& file) {
  const Result<> copied = store::backup_database(locations.state_dir + "/baton.db", file);
  if (!copied) return refused(copied.error());
  fmt::print("{}\n", file);
  return kClean;
}

int adopt_state(const Locations& locations) {
  const Result<StateDir> dir = claim_existing(locations);
  if (!dir) return refused(dir.error());
  const auto now = std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
  const Result<store::Adopted> adopted = store::adopt_database(dir->database(), now, dir->seen_incarnation());
  if (!adopted) return refused(adopted.error());
  fmt::print(
      "adopted: {} runs, {} under way. Runs and results that came after the copy was made are not in it; what workers "
      "still "
      "run of them is ended when the daemon starts.\n",
      adopted->runs, adopted->active_runs);
  return kClean;
}

}  // namespace baton::service
