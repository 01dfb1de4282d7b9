#include <baton/base/descriptor.hpp>
#include <baton/base/umask.hpp>
#include <baton/worker/clock.hpp>
#include <baton/worker/spawn.hpp>

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "process_setup.hpp"

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
  bool enclosed = false;  // it is born in its control group
  Failure failure;
};

// "0" is the process that writes.
bool enter(int procs_fd) noexcept { return procs_fd < 0 || ::write(procs_fd, "0", 1) == 1; }

// Runs in the child. It may share the parent's memory and must not return, allocate or take locks.
Failure become_task(const SpawnPlan& plan, bool enclosed) noexcept {
  const Enclosure& enclosure = plan.enclosure;
  if ((!enclosed && !enter(enclosure.cgroup_procs_fd)) || !enter(enclosure.memory_procs_fd)) {
    return {errno, SpawnStage::enclosure};
  }
  if (::setsid() < 0 || ::dup2(plan.stdin_fd, 0) < 0 || ::dup2(plan.output_fd, 1) < 0 ||
      ::dup2(plan.output_fd, 2) < 0) {
    return {errno, SpawnStage::session};
  }
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  restore_descriptor_limit();
  restore_umask();
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
    const Failure failure = become_task(*arguments.plan, false);
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
  arguments->failure = become_task(*arguments->plan, arguments->enclosed);
  ::_exit(127);
}

constexpr std::size_t kStackBytes = 64u << 10;

// One stack serves every child, because this thread waits until the child has left it.
void* child_stack() {
  static void* const stack =
      ::mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  return stack == MAP_FAILED ? nullptr : stack;
}

// A child that is born in its control group: writing to cgroup.procs costs several times as much, because the kernel
// stops every fork of the host for it. The C library has no function for this call.
pid_t clone_into([[maybe_unused]] void* stack, [[maybe_unused]] ChildArguments& arguments) {
#if defined(__x86_64__)
  clone_args how{};
  how.flags = CLONE_VM | CLONE_VFORK | CLONE_INTO_CGROUP;
  how.exit_signal = SIGCHLD;
  how.stack = reinterpret_cast<std::uint64_t>(stack);
  how.stack_size = kStackBytes;
  how.cgroup = static_cast<std::uint64_t>(arguments.plan->enclosure.cgroup_fd);
  register int (*entry)(void*) __asm__("r12") = child_main;
  register void* argument __asm__("r13") = &arguments;
  long result = 0;
  __asm__ volatile(
      "syscall\n\t"
      "test %%rax, %%rax\n\t"
      "jnz 1f\n\t"
      "xor %%ebp, %%ebp\n\t"
      "mov %%r13, %%rdi\n\t"
      "call *%%r12\n\t"
      "ud2\n"
      "1:"
      : "=a"(result)
      : "a"(SYS_clone3), "D"(&how), "S"(sizeof how), "r"(entry), "r"(argument)
      : "rcx", "r11", "cc", "memory");
  if (result >= 0) return static_cast<pid_t>(result);
  errno = static_cast<int>(-result);
#else
  errno = ENOSYS;
#endif
  return -1;
}

pid_t start_child(ChildArguments& arguments) {
  void* stack = child_stack();
  if (stack == nullptr) {
    errno = ENOMEM;
    return -1;
  }
  if (arguments.plan->enclosure.cgroup_fd >= 0) {
    arguments.enclosed = true;
    const pid_t pid = clone_into(stack, arguments);
    if (pid > 0 || errno == EAGAIN || errno == ENOMEM) return pid;
    arguments.enclosed = false;  // an old kernel, or a sandbox that does not know the call
  }
  return ::clone(child_main, static_cast<char*>(stack) + kStackBytes, CLONE_VM | CLONE_VFORK | SIGCHLD, &arguments);
}

#endif

bool is_program(const std::string& path) {
  struct stat info{};
  return ::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) && ::access(path.c_str(), X_OK) == 0;
}

}  // namespace

SpawnResult spawn(const SpawnPlan& plan) {
  plan.started->start.boot_from_ns = boot_ns();
  ChildArguments arguments{&plan, false, {}};
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
