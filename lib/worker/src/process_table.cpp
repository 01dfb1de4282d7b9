#include <baton/base/descriptor.hpp>
#include <baton/worker/process_table.hpp>

#include <dirent.h>
#include <fcntl.h>
#include <sys/syscall.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

namespace baton::worker {
namespace {

std::size_t read_up_to(const char* path, char* buffer, std::size_t size) {
  const Descriptor fd(::open(path, O_RDONLY | O_CLOEXEC));
  if (!fd) return 0;
  std::size_t had = 0;
  while (had < size) {
    const ssize_t got = ::read(fd.get(), buffer + had, size - had);
    if (got <= 0) break;
    had += static_cast<std::size_t>(got);
  }
  return had;
}

}  // namespace

std::optional<ProcessStat> read_process(pid_t pid) {
  char path[64];
  std::snprintf(path, sizeof path, "/proc/%d/stat", pid);
  char text[2048];
  const std::size_t size = read_up_to(path, text, sizeof text - 1);
  if (size == 0) return std::nullopt;
  text[size] = '\0';
  // The name stands in parentheses and may contain anything; what follows the last one is fields 3 (state) and on.
  const char* at = std::strrchr(text, ')');
  if (at == nullptr || at[1] != ' ') return std::nullopt;
  ProcessStat process;
  process.pid = pid;
  int parent = 0, group = 0, session = 0;
  unsigned long long start_ticks = 0;
  const int fields = std::sscanf(at + 2, "%c %d %d %d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
                                 &process.state, &parent, &group, &session, &start_ticks);
  if (fields != 5) return std::nullopt;
  process.parent = parent;
  process.session = session;
  process.start_ns = start_ticks * (1'000'000'000u / static_cast<unsigned long long>(::sysconf(_SC_CLK_TCK)));
  return process;
}

std::vector<ProcessStat> read_processes() {
  std::vector<ProcessStat> processes;
  const std::unique_ptr<DIR, int (*)(DIR*)> proc(::opendir("/proc"), ::closedir);
  if (!proc) return processes;
  while (const dirent* entry = ::readdir(proc.get())) {
    const char* end = entry->d_name + std::strlen(entry->d_name);
    pid_t pid = 0;
    const auto parsed = std::from_chars(entry->d_name, end, pid);
    if (parsed.ec != std::errc() || parsed.ptr != end) continue;
    if (const auto process = read_process(pid)) processes.push_back(*process);
  }
  std::sort(processes.begin(), processes.end(), [](const auto& a, const auto& b) { return a.pid < b.pid; });
  return processes;
}

ChildList::ChildList(pid_t pid) : text_(4096, '\0') {
  char path[64];
  std::snprintf(path, sizeof path, "/proc/%d/task/%d/children", pid, pid);
  file_.reset(::open(path, O_RDONLY | O_CLOEXEC));
}

bool ChildList::read() {
  // A read at the start makes the kernel list anew. A full buffer means that there may be more.
  std::size_t had = 0;
  for (;;) {
    const ssize_t got =
        file_ ? ::pread(file_.get(), text_.data() + had, text_.size() - had, static_cast<off_t>(had)) : -1;
    if (got < 0) return false;
    had += static_cast<std::size_t>(got);
    // Reads end at a page's or an entry's end, so only a short one of little is the end for certain.
    if (got == 0 || had < 2048) break;
    if (text_.size() - had < 4096) text_.resize(text_.size() * 2);
  }
  pids_.clear();
  const char* end = text_.data() + had;
  for (const char* at = text_.data(); at < end; ++at) {
    pid_t child = 0;
    const auto parsed = std::from_chars(at, end, child);
    if (parsed.ec != std::errc()) break;
    pids_.push_back(child);
    at = parsed.ptr;
  }
  return true;
}

std::string read_environment(pid_t pid) {
  char path[64];
  std::snprintf(path, sizeof path, "/proc/%d/environ", pid);
  std::string text(128u << 10, '\0');
  text.resize(read_up_to(path, text.data(), text.size()));
  return text;
}

std::optional<std::string> find_variable(const std::string& environment, std::string_view name) {
  for (std::size_t at = 0; at < environment.size();) {
    const std::size_t end = std::min(environment.find('\0', at), environment.size());
    const std::string_view entry = std::string_view(environment).substr(at, end - at);
    if (entry.size() > name.size() && entry.starts_with(name) && entry[name.size()] == '=') {
      return std::string(entry.substr(name.size() + 1));
    }
    at = end + 1;
  }
  return std::nullopt;
}

bool signal_process(pid_t pid, std::uint64_t start_ns, int signal) {
  // The descriptor pins the process; checking the start time after opening it proves that it is the one that is meant.
  const Descriptor process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!process) return false;
  const auto now = read_process(pid);
  if (!now || now->start_ns != start_ns) return false;
  return ::syscall(SYS_pidfd_send_signal, process.get(), signal, nullptr, 0) == 0;
}

}  // namespace baton::worker
