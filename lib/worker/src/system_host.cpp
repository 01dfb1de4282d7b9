#include <baton/worker/clock.hpp>
#include <baton/worker/host.hpp>
#include <baton/worker/outcome.hpp>

#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor_log.hpp"

namespace baton::worker {
namespace {

std::uint64_t usage_us(const timeval& time) {
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000u + static_cast<std::uint64_t>(time.tv_usec);
}

// glibc's waitid has no place for the resource usage that the system call gives.
int wait_for_child(idtype_t type, id_t id, siginfo_t* info, int options, rusage* usage) {
  info->si_pid = 0;
  return static_cast<int>(::syscall(SYS_waitid, type, id, info, options, usage));
}

class SystemHost final : public Host {
 public:
  [[nodiscard]] std::uint64_t boot_ns() const override { return worker::boot_ns(); }
  [[nodiscard]] TimePoint wall_time() const override { return worker::wall_time(); }
  [[nodiscard]] std::string name() const override {
    char name[256] = {};
    return ::gethostname(name, sizeof name - 1) == 0 ? name : "unknown";
  }
  [[nodiscard]] HostResources resources() const override { return detect_resources(); }

  SpawnResult spawn(const SpawnPlan& plan) override { return worker::spawn(plan); }

  std::optional<ExitedChild> peek_exited() override {
    siginfo_t info;
    rusage usage;
    if (wait_for_child(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT, &usage) != 0 || info.si_pid == 0) {
      return std::nullopt;
    }
    return ExitedChild{.pid = info.si_pid,
                       .status = wait_status(info.si_code, info.si_status),
                       .user_us = usage_us(usage.ru_utime),
                       .system_us = usage_us(usage.ru_stime),
                       .max_rss_bytes = static_cast<std::uint64_t>(usage.ru_maxrss) * 1024u};
  }

  void reap(pid_t pid) override {
    siginfo_t ignored;
    wait_for_child(P_PID, static_cast<id_t>(pid), &ignored, WEXITED | WNOHANG, nullptr);
  }

  [[nodiscard]] bool has_ended(pid_t child) const override {
    siginfo_t info{};
    constexpr int kLook = WEXITED | WNOHANG | WNOWAIT;
    return wait_for_child(P_PID, static_cast<id_t>(child), &info, kLook, nullptr) == 0 && info.si_pid == child;
  }

  [[nodiscard]] Result<ProcessStat> read_process(pid_t pid) const override { return worker::read_process(pid); }

  std::unique_ptr<Containment> contain(const Folder& folder) override { return make_containment(folder, *this); }
};

}  // namespace

void Host::log(const std::string& problem) { say(problem); }

Host& system_host() {
  static SystemHost host;
  return host;
}

}  // namespace baton::worker
