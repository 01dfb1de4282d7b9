#include "cgroup.hpp"

#include <fmt/format.h>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <memory>

namespace baton::worker {
namespace {

constexpr std::size_t kFileBytes = 256u << 10;

std::string read_whole(int folder, const char* file) {
  const Descriptor fd(::openat(folder, file, O_RDONLY | O_CLOEXEC));
  std::string text;
  char bytes[4096];
  while (fd && text.size() < kFileBytes) {
    const ssize_t got = ::read(fd.get(), bytes, sizeof bytes);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    text.append(bytes, static_cast<std::size_t>(got));
  }
  return text;
}

// Calls `use` with each part between separators.
template <class Use>
void split(std::string_view text, char separator, const Use& use) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(separator), text.size());
    use(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

bool names(std::string_view list, std::string_view word) {
  bool found = false;
  split(list, ',', [&](std::string_view each) { found = found || each == word; });
  return found;
}

struct Mount {
  std::string root, point;
  bool found = false;
};

// A line of mountinfo (proc(5)): id, parent, device, root, mount point, options, optional fields, "-", type, source,
// options of the file system.
void read_mount(std::string_view line, Mount& unified, Mount& memory) {
  const std::size_t dash = line.find(" - ");
  if (dash == std::string_view::npos) return;
  std::vector<std::string_view> left, right;
  split(line.substr(0, dash), ' ', [&](std::string_view field) { left.push_back(field); });
  split(line.substr(dash + 3), ' ', [&](std::string_view field) { right.push_back(field); });
  if (left.size() < 5 || right.size() < 3) return;
  Mount* mount = nullptr;
  if (right[0] == "cgroup2") mount = &unified;
  if (right[0] == "cgroup" && names(right[2], "memory")) mount = &memory;
  if (mount == nullptr || mount->found) return;
  *mount = {std::string(left[3]), std::string(left[4]), true};
}

std::optional<CgroupPlace> place_in(const Mount& mount, std::string_view path) {
  if (!mount.found || !path.starts_with('/') || path.find("/..") != std::string_view::npos) return std::nullopt;
  std::string_view inside = path;
  if (mount.root != "/") {
    if (!inside.starts_with(mount.root)) return std::nullopt;
    inside.remove_prefix(mount.root.size());
    if (!inside.empty() && inside.front() != '/') return std::nullopt;
  }
  while (inside.ends_with('/')) inside.remove_suffix(1);
  return CgroupPlace{std::string(path), mount.point + std::string(inside)};
}

// The number behind `key` in lines of keys and numbers.
std::optional<std::uint64_t> number_of_key(std::string_view text, std::string_view key) {
  std::optional<std::uint64_t> found;
  split(text, '\n', [&](std::string_view line) {
    if (!line.starts_with(key) || line.size() <= key.size() || line[key.size()] != ' ') return;
    std::uint64_t value = 0;
    const char* begin = line.data() + key.size() + 1;
    if (std::from_chars(begin, line.data() + line.size(), value).ec == std::errc()) found = value;
  });
  return found;
}

// The first folder in a folder; empty if there is none.
std::string first_folder(int folder) {
  const int copy = ::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(copy < 0 ? nullptr : ::fdopendir(copy), ::closedir);
  while (const dirent* entry = entries ? ::readdir(entries.get()) : nullptr) {
    const std::string_view name = entry->d_name;
    if (entry->d_type == DT_DIR && name != "." && name != "..") return std::string(name);
  }
  return {};
}

// Removes a group below this one that has none below itself. False: there is none, or it is not empty.
bool remove_one_below(const char* group) {
  constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  Descriptor parent(::open(group, kFlags));
  std::string name = parent ? first_folder(parent.get()) : std::string();
  if (name.empty()) return false;
  for (;;) {
    Descriptor inner(::openat(parent.get(), name.c_str(), kFlags));
    std::string deeper = inner ? first_folder(inner.get()) : std::string();
    if (deeper.empty()) return ::unlinkat(parent.get(), name.c_str(), AT_REMOVEDIR) == 0;
    parent = std::move(inner);
    name = std::move(deeper);
  }
}

}  // namespace

CgroupPlaces find_cgroups(std::string_view cgroups, std::string_view mounts) {
  Mount unified, memory;
  split(mounts, '\n', [&](std::string_view line) { read_mount(line, unified, memory); });
  CgroupPlaces places;
  split(cgroups, '\n', [&](std::string_view line) {  // number:controllers:path
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string_view::npos ? first : line.find(':', first + 1);
    if (second == std::string_view::npos) return;
    const std::string_view controllers = line.substr(first + 1, second - first - 1);
    const std::string_view path = line.substr(second + 1);
    if (controllers.empty()) places.unified = place_in(unified, path);
    if (names(controllers, "memory")) places.memory = place_in(memory, path);
  });
  return places;
}

CgroupPlace below(const CgroupPlace& place, std::string_view name) {
  return {fmt::format("{}/{}", place.path == "/" ? "" : place.path, name), fmt::format("{}/{}", place.folder, name)};
}

std::vector<std::uint32_t> numbered_below(const CgroupPlace& place) {
  std::vector<std::uint32_t> numbers;
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(::opendir(place.folder.c_str()), ::closedir);
  while (const dirent* entry = entries ? ::readdir(entries.get()) : nullptr) {
    const std::string_view name = entry->d_name;
    std::uint32_t number = 0;
    const auto parsed = std::from_chars(name.data(), name.data() + name.size(), number);
    if (parsed.ec == std::errc() && parsed.ptr == name.data() + name.size()) numbers.push_back(number);
  }
  return numbers;
}

bool Cgroup::open(const CgroupPlace& place, Making making) {
  close();
  place_ = place;
  if (making != Making::none && ::mkdir(place.folder.c_str(), 0755) != 0 &&
      (errno != EEXIST || making == Making::only_new)) {
    return false;
  }
  folder_.reset(::open(place.folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!folder_) return false;
  procs_.reset(::openat(fd(), "cgroup.procs", O_WRONLY | O_CLOEXEC));
  events_.reset(::openat(fd(), "cgroup.events", O_RDONLY | O_CLOEXEC));  // version 2 has it
  if (procs_) return true;
  close();
  return false;
}

void Cgroup::close() {
  folder_.reset();
  procs_.reset();
  events_.reset();
}

std::optional<bool> Cgroup::populated() const {
  char text[128];
  const ssize_t got = events_ ? ::pread(events_.get(), text, sizeof text, 0) : -1;
  if (got < 0) return std::nullopt;
  return number_of_key({text, static_cast<std::size_t>(got)}, "populated").value_or(0) != 0;
}

std::vector<pid_t> Cgroup::processes() const {
  std::vector<pid_t> pids;
  split(read("cgroup.procs"), '\n', [&](std::string_view line) {
    pid_t pid = 0;
    if (std::from_chars(line.data(), line.data() + line.size(), pid).ec == std::errc() && pid > 0) pids.push_back(pid);
  });
  return pids;
}

bool Cgroup::kill(bool one_by_one) const {
  if (!one_by_one && write("cgroup.kill", "1")) return true;
  // What is frozen cannot fork, and dies all the same.
  if (!write("cgroup.freeze", "1") && (errno == EMFILE || errno == ENFILE || errno == ENOMEM)) return false;
  constexpr int kRounds = 8;
  for (int round = 0; round < kRounds; ++round) {
    const std::vector<pid_t> pids = processes();
    if (pids.empty()) break;
    for (const pid_t pid : pids) signal(pid, SIGKILL);
  }
  write("cgroup.freeze", "0");
  return true;
}

bool Cgroup::signal(pid_t pid, int signal) const {
  // The descriptor pins the process; that it is in this group, asked after opening it, proves that it is ours.
  const Descriptor process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!process) return false;
  const std::string file = fmt::format("/proc/{}/cgroup", pid);
  bool here = false;
  split(read_whole(AT_FDCWD, file.c_str()), '\n', [&](std::string_view line) {
    if (line.starts_with("0::")) here = here || line.substr(3) == place_.path;
  });
  return here && ::syscall(SYS_pidfd_send_signal, process.get(), signal, nullptr, 0) == 0;
}

std::uint64_t Cgroup::oom_kills() const {
  const std::string text = read("memory.events");
  return number_of_key(text.empty() ? read("memory.oom_control") : text, "oom_kill").value_or(0);
}

bool Cgroup::write(const char* file, std::string_view value) const {
  const Descriptor target(::openat(fd(), file, O_WRONLY | O_CLOEXEC));
  return target && ::write(target.get(), value.data(), value.size()) == static_cast<ssize_t>(value.size());
}

std::string Cgroup::read(const char* file) const { return folder_ ? read_whole(fd(), file) : std::string(); }

bool Cgroup::remove() {
  // One that is removed each time, the deepest first; a task that goes on making more is not waited for.
  constexpr int kBelow = 1'024;
  int tries = 0;
  while (::rmdir(place_.folder.c_str()) != 0 && errno != ENOENT) {
    if (++tries > kBelow || !remove_one_below(place_.folder.c_str())) return false;
  }
  close();
  return true;
}

}  // namespace baton::worker
