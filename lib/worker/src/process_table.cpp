#include <baton/base/descriptor.hpp>
#include <baton/worker/process_table.hpp>

#include <dirent.h>
#include <fcntl.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

namespace baton::worker {
namespace {

// A file below /proc. not_found: the process is gone, also if it left while it was read.
Result<std::size_t> read_up_to(const char* path, char* buffer, std::size_t size) {
  const auto failure = [path](int error) { return fail_errno(error == ESRCH ? ENOENT : error, path); };
  const Descriptor fd(::open(path, O_RDONLY | O_CLOEXEC));
  if (!fd) return failure(errno);
  std::size_t had = 0;
  while (had < size) {
    const ssize_t got = ::read(fd.get(), buffer + had, size - had);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failure(errno);
    if (got == 0) break;
    had += static_cast<std::size_t>(got);
  }
  return had;
}

// It is gone, or is another user's on a host that hides those (EPERM), which no process of ours is.
bool is_absent(const Error& error) { return error.code == ErrorCode::not_found || error.code == ErrorCode::denied; }

}  // namespace

Result<ProcessStat> read_process(pid_t pid) {
  char path[64];
  std::snprintf(path, sizeof path, "/proc/%d/stat", pid);
  char text[2048];
  const auto size = read_up_to(path, text, sizeof text - 1);
  if (!size) return std::unexpected(size.error());
  text[*size] = '\0';
  // The name stands in parentheses and may contain anything; what follows the last one is fields 3 (state) and on.
  const char* at = std::strrchr(text, ')');
  if (at == nullptr || at[1] != ' ') return fail(ErrorCode::corrupt, "{}: makes no sense", path);
  ProcessStat process;
  process.pid = pid;
  int parent = 0, group = 0, session = 0;
  unsigned long long user_ticks = 0, system_ticks = 0, start_ticks = 0;
  const int fields =
      std::sscanf(at + 2, "%c %d %d %d %*d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d %*d %*d %*d %llu",
                  &process.state, &parent, &group, &session, &user_ticks, &system_ticks, &start_ticks);
  if (fields != 7) return fail(ErrorCode::corrupt, "{}: makes no sense", path);
  process.parent = parent;
  process.session = session;
  const auto tick_ns = 1'000'000'000u / static_cast<unsigned long long>(::sysconf(_SC_CLK_TCK));
  process.start_ns = start_ticks * tick_ns;
  process.cpu_ns = (user_ticks + system_ticks) * tick_ns;
  return process;
}

ProcessList read_processes() {
  ProcessList list;
  const std::unique_ptr<DIR, int (*)(DIR*)> proc(::opendir("/proc"), ::closedir);
  if (!proc) return list;
  list.complete = true;
  errno = 0;
  for (const dirent* entry = nullptr; (entry = ::readdir(proc.get())) != nullptr; errno = 0) {
    const char* end = entry->d_name + std::strlen(entry->d_name);
    pid_t pid = 0;
    const auto parsed = std::from_chars(entry->d_name, end, pid);
    if (parsed.ec != std::errc() || parsed.ptr != end) continue;
    if (const auto process = read_process(pid)) {
      list.processes.push_back(*process);
    } else if (!is_absent(process.error())) {
      list.complete = false;
    }
  }
  if (errno != 0) list.complete = false;
  std::sort(list.processes.begin(), list.processes.end(), [](const auto& a, const auto& b) { return a.pid < b.pid; });
  return list;
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

Result<std::string> read_environment(pid_t pid) {
  char path[64];
  std::snprintf(path, sizeof path, "/proc/%d/environ", pid);
  std::string text(128u << 10, '\0');
  const auto size = read_up_to(path, text.data(), text.size());
  if (!size && !is_absent(size.error())) return std::unexpected(size.error());
  text.resize(size.value_or(0));
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
