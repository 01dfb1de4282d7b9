// One control group: a folder of the kernel's that holds processes, whatever they do to hide.
#pragma once
#include <baton/base/descriptor.hpp>

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace baton::worker {

// Where this process is in one hierarchy, and where that is seen in the file system.
struct CgroupPlace {
  std::string path;  // below the hierarchy's root, as /proc/PID/cgroup has it
  std::string folder;
};

// The two hierarchies that matter. In the hybrid layout the memory controller may have one of its own.
struct CgroupPlaces {
  std::optional<CgroupPlace> unified;
  std::optional<CgroupPlace> memory;  // version 1
};

// `cgroups`: /proc/self/cgroup, `mounts`: /proc/self/mountinfo. What is mounted elsewhere or is outside of this
// process' namespace is not there.
CgroupPlaces find_cgroups(std::string_view cgroups, std::string_view mounts);

class Cgroup {
 public:
  enum class Making { none, if_missing, only_new };
  // Opens one, after making it. False if it is not to be had.
  bool open(const CgroupPlace& place, Making making = Making::none);
  void close();
  explicit operator bool() const { return static_cast<bool>(folder_); }
  [[nodiscard]] const CgroupPlace& place() const { return place_; }

  [[nodiscard]] int fd() const { return folder_.get(); }  // for clone3(2)
  [[nodiscard]] int procs_fd() const { return procs_.get(); }
  // Has living processes, here or below. nullopt: it was removed.
  [[nodiscard]] std::optional<bool> populated() const;
  [[nodiscard]] std::vector<pid_t> processes() const;
  // SIGKILL to everything in it, also to what is forked meanwhile; not waited for. `one_by_one`: as on kernels without
  // cgroup.kill. False: it could not be sent now, for want of descriptors or memory.
  bool kill(bool one_by_one = false) const;
  // Signals one of its processes, and never another that got its pid.
  bool signal(pid_t pid, int signal) const;
  // How often the kernel has ended a process in it for want of memory.
  [[nodiscard]] std::uint64_t oom_kills() const;
  bool write(const char* file, std::string_view value) const;
  [[nodiscard]] std::string read(const char* file) const;
  // Also removes the groups that its processes made below it. Only what is empty can be removed.
  bool remove();

 private:
  CgroupPlace place_;
  Descriptor folder_, procs_, events_;
};

CgroupPlace below(const CgroupPlace& place, std::string_view name);
// The names of the groups right below that are numbers.
std::vector<std::uint32_t> numbered_below(const CgroupPlace& place);

}  // namespace baton::worker
