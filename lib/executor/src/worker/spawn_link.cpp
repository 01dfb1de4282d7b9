#include <baton/base/descriptor.hpp>
#include <baton/executor/worker_executor.hpp>

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

extern char** environ;

namespace baton::executor {
namespace {

// Owns the two posix_spawn objects, which need a destroy call each.
struct SpawnPlan {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  SpawnPlan() {
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;
  ~SpawnPlan() {
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  }
};

}  // namespace

Result<LinkEnd> spawn_link(const std::vector<std::string>& argv) {
  if (argv.empty()) return fail(ErrorCode::invalid_argument, "a link needs a program to start");
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return fail_errno(errno, "socketpair");
  Descriptor ours(ends[0]);
  const Descriptor theirs(ends[1]);
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail_errno(errno, "pipe");
  Descriptor errors(ends[0]);
  const Descriptor their_errors(ends[1]);
  ::fcntl(errors.get(), F_SETFL, O_NONBLOCK);

  SpawnPlan plan;
  posix_spawn_file_actions_adddup2(&plan.actions, theirs.get(), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&plan.actions, theirs.get(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&plan.actions, their_errors.get(), STDERR_FILENO);
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&plan.attributes, &none);
  posix_spawnattr_setsigdefault(&plan.attributes, &all);
  posix_spawnattr_setflags(&plan.attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);

  std::vector<char*> arguments;
  arguments.reserve(argv.size() + 1);
  for (const std::string& argument : argv) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);

  pid_t pid = -1;
  const int error = ::posix_spawnp(&pid, arguments[0], &plan.actions, &plan.attributes, arguments.data(), environ);
  if (error != 0) return fail_errno(error, argv.front());
  return LinkEnd{.fd = ours.release(), .errors = errors.release(), .pid = pid};
}

}  // namespace baton::executor
