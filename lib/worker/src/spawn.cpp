#include <baton/worker/clock.hpp>
#include <baton/worker/descriptor.hpp>
#include <baton/worker/spawn.hpp>

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

// The sanitizers' runtimes cannot share memory with a child; there a plain fork and a pipe do the same more slowly.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define BATON_SPAWN_WITH_FORK 1
#else
#define BATON_SPAWN_WITH_FORK 0
#endif

namespace baton::worker {
namespace {

struct Failure {
  int error = 0;
  SpawnStage stage = SpawnStage::none;
};

struct ChildArguments {
  const SpawnPlan* plan;
  Failure failure;
};

// Runs in the child. It may share the parent's memory and must not return, allocate or take locks.
Failure become_task(const SpawnPlan& plan) noexcept {
  if (::setsid() < 0 || ::dup2(plan.stdin_fd, 0) < 0 || ::dup2(plan.output_fd, 1) < 0 ||
      ::dup2(plan.output_fd, 2) < 0) {
    return {errno, SpawnStage::session};
  }
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  if (::chdir(plan.directory) != 0) return {errno, SpawnStage::directory};
  Record& started = *plan.started;
  started.pid = static_cast<std::uint32_t>(::getpid());
  started.start.boot_to_ns = boot_ns();
  if (const int error = append_record(plan.journal_fd, started); error != 0) return {error, SpawnStage::journal};
  ::execve(plan.file, plan.argv, plan.environment);
  const int error = errno;
  Record failed(RecordKind::spawn_failed);
  failed.pid = started.pid;
  failed.attempt = started.attempt;
  failed.time_us = started.time_us;
  failed.end.status = error;
  append_record(plan.journal_fd, failed);
  return {error, SpawnStage::exec};
}

void reap(pid_t pid) {
  siginfo_t info;
  while (::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED) != 0 && errno == EINTR) {
  }
}

#if BATON_SPAWN_WITH_FORK

pid_t start_child(ChildArguments& arguments) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return -1;
  const Descriptor read_end(ends[0]);
  Descriptor write_end(ends[1]);
  const pid_t pid = ::fork();
  if (pid == 0) {
    // dup2 onto 0..2 must not hit the pipe; it is above them because those are always open.
    const Failure failure = become_task(*arguments.plan);
    [[maybe_unused]] const ssize_t written = ::write(write_end.get(), &failure, sizeof failure);
    ::_exit(127);
  }
  write_end.reset();
  if (pid < 0) return pid;
  Failure failure;
  ssize_t got = 0;
  while ((got = ::read(read_end.get(), &failure, sizeof failure)) < 0 && errno == EINTR) {
  }
  if (got == static_cast<ssize_t>(sizeof failure)) arguments.failure = failure;
  arguments.plan->started->pid = static_cast<std::uint32_t>(pid);
  arguments.plan->started->start.boot_to_ns = boot_ns();
  return pid;
}

#else

int child_main(void* data) {
  auto* arguments = static_cast<ChildArguments*>(data);
  arguments->failure = become_task(*arguments->plan);
  ::_exit(127);
}

// One stack serves every child, because this thread waits until the child has left it.
void* child_stack_top() {
  constexpr std::size_t kBytes = 64u << 10;
  static void* const stack =
      ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  return stack == MAP_FAILED ? nullptr : static_cast<char*>(stack) + kBytes;
}

pid_t start_child(ChildArguments& arguments) {
  void* stack = child_stack_top();
  if (stack == nullptr) {
    errno = ENOMEM;
    return -1;
  }
  return ::clone(child_main, stack, CLONE_VM | CLONE_VFORK | SIGCHLD, &arguments);
}

#endif

bool is_program(const std::string& path) {
  struct stat info{};
  return ::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) && ::access(path.c_str(), X_OK) == 0;
}

}  // namespace

SpawnResult spawn(const SpawnPlan& plan) {
  plan.started->start.boot_from_ns = boot_ns();
  ChildArguments arguments{&plan, {}};
  const pid_t pid = start_child(arguments);
  if (pid < 0) return {-1, errno, SpawnStage::process};
  if (arguments.failure.error == 0) return {pid, 0, SpawnStage::none};
  reap(pid);
  return {-1, arguments.failure.error, arguments.failure.stage};
}

std::optional<std::string> find_program(std::string_view program, std::string_view path) {
  if (program.empty()) return std::nullopt;
  if (program.find('/') != std::string_view::npos) return std::string(program);
  while (!path.empty()) {
    const std::size_t colon = path.find(':');
    const std::string_view folder = path.substr(0, colon);
    path.remove_prefix(colon == std::string_view::npos ? path.size() : colon + 1);
    // An empty or relative entry would mean the task's working directory, which is nobody's intention here.
    if (!folder.starts_with('/')) continue;
    std::string candidate = fmt::format("{}/{}", folder, program);
    if (is_program(candidate)) return candidate;
  }
  return std::nullopt;
}

}  // namespace baton::worker
