#include "start_check.hpp"

#include <baton/base/descriptor.hpp>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>

#include "daemon_link.hpp"

namespace baton::cli {
namespace {

// What the program says on standard output, to its end.
Result<std::string> output_of(std::vector<std::string> arguments) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail_errno(errno, "cannot make a pipe");
  const Descriptor output(ends[0]);
  Descriptor input(ends[1]);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, input.get(), STDOUT_FILENO);
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  pid_t pid = 0;
  const int error = ::posix_spawn(&pid, argv[0], &actions, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return fail_errno(error, arguments[0]);
  input.reset();
  std::string text;
  char chunk[4096];
  ssize_t got = 0;
  while ((got = ::read(output.get(), chunk, sizeof chunk)) > 0 || (got < 0 && errno == EINTR)) {
    if (got > 0) text.append(chunk, static_cast<std::size_t>(got));
  }
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  return text;
}

}  // namespace

std::vector<api::Check> check_start(const Locations& locations) {
  const auto program = find_batond();
  if (!program) return {};  // which is a finding of its own
  std::vector<std::string> arguments{*program, "--check-start", "--state-dir", locations.state_dir};
  if (locations.config_named) arguments.insert(arguments.end(), {"--config", locations.config});
  const auto said = output_of(std::move(arguments));
  const std::string text = said.value_or("");
  const nlohmann::json findings = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!findings.is_array()) {
    return {{"start", "warning", said ? *program + " does not say what it would refuse" : said.error().message}};
  }
  std::vector<api::Check> checks;
  for (const nlohmann::json& finding : findings) {
    checks.push_back({finding.value("name", ""), "error", finding.value("detail", "")});
  }
  return checks;
}

}  // namespace baton::cli
