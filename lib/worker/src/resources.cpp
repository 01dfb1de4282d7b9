#include <fmt/format.h>
#include <sched.h>

#include <baton/base/file.hpp>
#include <baton/worker/folder.hpp>
#include <baton/worker/resources.hpp>

#include <fcntl.h>

#include <unistd.h>
#include <algorithm>
#include <charconv>
#include <filesystem>
#include <limits>

namespace baton::worker {
namespace {

namespace fs = std::filesystem;

// The first number in a small file of the kernel; nullopt if there is none ("max").
std::optional<std::int64_t> read_number(const fs::path& path, std::size_t index = 0) {
  const auto text = read_file_at(AT_FDCWD, path.c_str(), 65536);
  if (!text) return std::nullopt;
  std::string_view rest = *text;
  for (; index > 0; --index) {
    const std::size_t space = rest.find(' ');
    if (space == std::string_view::npos) return std::nullopt;
    rest.remove_prefix(space + 1);
  }
  std::int64_t value = 0;
  if (std::from_chars(rest.data(), rest.data() + rest.size(), value).ec != std::errc()) return std::nullopt;
  return value;
}

struct Limits {
  std::int64_t cpu_milli = std::numeric_limits<std::int64_t>::max();
  std::int64_t memory_bytes = std::numeric_limits<std::int64_t>::max();
};

void lower(std::int64_t& limit, std::optional<std::int64_t> value) {
  if (value && *value > 0) limit = std::min(limit, *value);
}

std::optional<std::int64_t> quota_milli(std::optional<std::int64_t> quota, std::optional<std::int64_t> period) {
  if (!quota || !period || *quota <= 0 || *period <= 0) return std::nullopt;
  return *quota * 1000 / *period;
}

// Applies what one cgroup and all above it allow. `mount` is where its hierarchy is mounted.
void apply_cgroup(const fs::path& mount, const fs::path& group, Limits& limits) {
  fs::path folder = mount / group.relative_path();
  for (;;) {
    lower(limits.cpu_milli, quota_milli(read_number(folder / "cpu.max"), read_number(folder / "cpu.max", 1)));
    lower(limits.cpu_milli,
          quota_milli(read_number(folder / "cpu.cfs_quota_us"), read_number(folder / "cpu.cfs_period_us")));
    lower(limits.memory_bytes, read_number(folder / "memory.max"));
    lower(limits.memory_bytes, read_number(folder / "memory.limit_in_bytes"));
    if (folder == mount || folder.native().size() <= mount.native().size()) return;
    folder = folder.parent_path();
  }
}

// Both versions may be mounted side by side; version 1 has a hierarchy for each controller.
void apply_cgroups(Limits& limits) {
  const fs::path root = "/sys/fs/cgroup";
  const auto text = read_file_at(AT_FDCWD, "/proc/self/cgroup", 65536);
  if (!text) return;
  std::string_view rest = *text;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    const std::string_view controllers = line.substr(first + 1, second - first - 1);
    const fs::path group(line.substr(second + 1));
    std::error_code ignored;
    if (controllers.empty()) {
      apply_cgroup(fs::exists(root / "unified", ignored) ? root / "unified" : root, group, limits);
    } else if (controllers.find("cpu") != std::string_view::npos || controllers == "memory") {
      apply_cgroup(root / controllers, group, limits);
    }
  }
}

std::int64_t total_memory() {
  const auto pages = static_cast<std::int64_t>(::sysconf(_SC_PHYS_PAGES));
  return pages * static_cast<std::int64_t>(::sysconf(_SC_PAGESIZE));
}

std::int64_t usable_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
  return std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN));
}

// The driver makes /dev/nvidiaN for every device N and describes them below /proc/driver/nvidia.
std::vector<Gpu> detect_gpus() {
  std::vector<Gpu> gpus;
  std::error_code ignored;
  for (std::uint32_t index = 0; index < 64; ++index) {
    if (fs::exists(fmt::format("/dev/nvidia{}", index), ignored)) {
      gpus.push_back({index, fmt::format("nvidia{}", index)});
    }
  }
  for (const auto& entry : fs::directory_iterator("/proc/driver/nvidia/gpus", ignored)) {
    const auto text = read_file_at(AT_FDCWD, (entry.path() / "information").c_str(), 65536);
    if (!text) continue;
    const auto field = [&](std::string_view key) {
      const std::size_t at = text->find(key);
      if (at == std::string::npos) return std::string();
      const std::size_t from = text->find_first_not_of(" \t", at + key.size());
      return from == std::string::npos ? std::string() : text->substr(from, text->find('\n', from) - from);
    };
    for (Gpu& gpu : gpus) {
      if (field("Device Minor:") == std::to_string(gpu.index) && !field("Model:").empty()) gpu.name = field("Model:");
    }
  }
  return gpus;
}

}  // namespace

HostResources detect_resources() {
  Limits limits;
  apply_cgroups(limits);
  return {.cpu_milli = std::max<std::int64_t>(1, std::min(usable_cpus() * 1000, limits.cpu_milli)),
          .memory_bytes = std::min(total_memory(), limits.memory_bytes),
          .gpus = detect_gpus()};
}

}  // namespace baton::worker
