#include <baton/service/upkeep.hpp>

#include <baton/base/daemon_lock.hpp>
#include <baton/base/descriptor.hpp>
#include <baton/base/standard_streams.hpp>
#include <baton/engine/snapshot_check.hpp>
#include <baton/executor/worker_executor.hpp>
#include <baton/service/bundles.hpp>
#include <baton/service/clock.hpp>
#include <baton/service/config.hpp>
#include <baton/service/state_dir.hpp>
#include <baton/store/store.hpp>

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <vector>

#include "worker_program.hpp"

namespace baton::service {
namespace {

constexpr int kClean = 0;
constexpr int kFound = 1;
constexpr int kRefused = 6;

int refused(const Error& error) {
  tell("error: " + error.message);
  return kRefused;
}

int said(std::string_view text, int code) {
  const Result<> written = write_output(text);
  return written ? code : refused(written.error());
}

// Claiming a folder makes it, which is not wanted of a check. A state whose database is lost has its workers.
Result<StateDir> claim_existing(const Locations& locations) {
  std::error_code error;
  const bool has_database = std::filesystem::exists(locations.state_dir + "/baton.db", error);
  if (!has_database && seen_by_workers(locations.state_dir).incarnation == 0) {
    return fail(ErrorCode::not_found, "there is no state in {}", locations.state_dir);
  }
  return StateDir::claim(locations.state_dir);
}

Result<> fits_workflow(const engine::RunSnapshot& run, const std::string& bundle) {
  const auto workflow = parse_stored(bundle, run.created.used_path);
  if (!workflow) return std::unexpected(workflow.error());
  return engine::check_snapshot(run, **workflow);
}

// All that a program says, to its end.
std::string read_all(int fd) {
  std::string text;
  char chunk[4096];
  for (ssize_t got = 0; (got = ::read(fd, chunk, sizeof chunk)) > 0;) text.append(chunk, static_cast<std::size_t>(got));
  return text;
}

// A worker's files are its own: it looks at them, and each line that it says is a finding.
void check_worker(const std::string& name, const std::string& folder, std::vector<std::string>& findings) {
  const auto program = executor::spawn_link({find_worker_program(), "check", "--dir", folder});
  const auto note = [&](std::string_view line) { findings.push_back(fmt::format("worker {}: {}", name, line)); };
  if (!program) return note(program.error().message);
  const Descriptor words(program->fd);
  const Descriptor errors(program->errors);
  ::shutdown(words.get(), SHUT_WR);
  std::istringstream said(read_all(words.get()));
  for (std::string line; std::getline(said, line);) note(line);
  int status = 0;
  while (::waitpid(program->pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) <= 1) return;
  std::string why = read_all(errors.get());
  note(why.empty() ? "the check itself died" : std::string_view(why).substr(0, why.find('\n')));
}

void check_workers(const std::string& state_dir, std::vector<std::string>& findings) {
  std::error_code error;
  std::set<std::filesystem::path> folders;  // in a steady order
  for (const auto& folder : std::filesystem::directory_iterator(state_dir + "/workers", error)) {
    folders.insert(folder.path());
  }
  for (const auto& folder : folders) check_worker(folder.filename().string(), folder.string(), findings);
}

}  // namespace

int check_state(const Locations& locations, bool json) {
  const Result<StateDir> dir = claim_existing(locations);
  if (!dir) return refused(dir.error());
  auto findings = store::check_database(dir->database(), fits_workflow, dir->seen());
  if (!findings && findings.error().code == ErrorCode::corrupt) findings = {{findings.error().message}};
  if (!findings) return refused(findings.error());
  check_workers(dir->path(), *findings);
  std::string text;
  if (json) {
    text = nlohmann::json(*findings).dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + '\n';
  } else {
    for (const std::string& finding : *findings) text += finding + '\n';
    if (findings->empty()) text = dir->path() + ": nothing found\n";
  }
  return said(text, findings->empty() ? kClean : kFound);
}

int check_start(const Locations& locations) {
  nlohmann::json findings = nlohmann::json::array();
  const auto note = [&](const char* name, const Error& error) {
    findings.push_back({{"name", name}, {"detail", error.message}});
  };
  const Result<Config> config = load_config(locations.config, locations.config_named);
  if (!config) note("configuration", config.error());
  // A daemon that runs has found the database good.
  if (const auto holder = find_lock_holder(locations.state_dir); holder && !*holder) {
    const Result<> origin =
        store::check_origin(locations.state_dir + "/baton.db", seen_by_workers(locations.state_dir));
    if (!origin) note("database", origin.error());
  }
  const std::string text = findings.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + '\n';
  return said(text, findings.empty() ? kClean : kFound);
}

int back_up_state(const Locations& locations, const std::string& file) {
  const Result<> copied = store::backup_database(locations.state_dir + "/baton.db", file);
  if (!copied) return refused(copied.error());
  return said(file + '\n', kClean);
}

int adopt_state(const Locations& locations) {
  const Result<StateDir> dir = claim_existing(locations);
  if (!dir) return refused(dir.error());
  const Result<store::Adopted> adopted = store::adopt_database(dir->database(), SystemClock().now(), dir->seen());
  if (!adopted) return refused(adopted.error());
  if (!adopted->was_copy && !adopted->foreign) {
    return said(
        fmt::format("there was nothing to adopt: {} is no backup, nor older than its workers\n", dir->database()),
        kClean);
  }
  const std::string_view losses =
      adopted->foreign
          ? "The workers knew another state: what they still run is ended when the daemon starts, and logs "
            "of these runs are not with them."
          : "Runs and results that came after the copy was made are not in it; what workers still run of "
            "them is ended when the daemon starts.";
  return said(fmt::format("adopted: {} runs, {} under way. {}\n", adopted->runs, adopted->active_runs, losses), kClean);
}

}  // namespace baton::service
