// A control group for every slot, used by one attempt after the other: entering one that is there costs a few
// microseconds, making one a hundred.
//
//   OWN/baton-DEVICE-INODE/NUMBER     OWN: this process' group; device and inode: the worker folder's; NUMBER: the
//   slot's
//
// Groups outlive the session, and attempts are found in them again by the slot in their `started` record. The worker
// folder's file `cgroups` lists where groups may be, as the next supervisor may have another place.
#include <baton/base/file.hpp>
#include <baton/base/limits.hpp>
#include <baton/worker/containment.hpp>
#include <baton/worker/host.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cgroup.hpp"

namespace baton::worker {
namespace {

constexpr const char* kListFile = "cgroups";
constexpr std::size_t kListBytes = 64u << 10;
constexpr std::string_view kOwnName = "baton-self";  // where processes go that stand in the way of controllers
constexpr std::size_t kKeptGroups = 64;              // that nobody uses; each takes three descriptors

std::vector<CgroupPlace> read_list(int folder) {
  std::vector<CgroupPlace> places;
  const auto text = read_file_at(folder, kListFile, kListBytes);
  std::string_view rest = text ? std::string_view(*text) : std::string_view();
  while (!rest.empty()) {  // path TAB folder
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    const std::size_t tab = line.find('\t');
    if (tab == std::string_view::npos) continue;
    places.push_back({std::string(line.substr(0, tab)), std::string(line.substr(tab + 1))});
  }
  return places;
}

bool exists(const CgroupPlace& place) { return ::access(place.folder.c_str(), F_OK) == 0; }

// systemd marks what it leaves to the service (Delegate=).
bool delegated(const CgroupPlace& place) {
  char value[8];
  for (const char* name : {"user.delegate", "trusted.delegate"}) {
    if (::getxattr(place.folder.c_str(), name, value, sizeof value) == 1 && value[0] == '1') return true;
  }
  return false;
}

// A group with processes of its own cannot share out memory. Ours are moved one level down, if the group is ours alone.
bool make_way(const Cgroup& own) {
  Cgroup down;
  if (!delegated(own.place()) || !down.open(below(own.place(), kOwnName), Cgroup::Making::if_missing)) return false;
  constexpr int kRounds = 16;
  for (int round = 0; round < kRounds; ++round) {
    const std::vector<pid_t> pids = own.processes();
    if (pids.empty()) return true;
    for (const pid_t pid : pids) down.write("cgroup.procs", std::to_string(pid));
  }
  return false;
}

bool has_memory(const Cgroup& group, const char* file) {
  const std::string list = " " + group.read(file);
  return list.find(" memory") != std::string::npos;
}

// Makes the controllers usable below `group`. pids goes along where it is there.
bool share_out(const Cgroup& group) {
  if (!has_memory(group, "cgroup.subtree_control")) group.write("cgroup.subtree_control", "+memory");
  group.write("cgroup.subtree_control", "+pids");
  return has_memory(group, "cgroup.subtree_control");
}

// Half of what the kernel has numbers for, so that a fork bomb leaves room for others.
std::string process_limit() {
  const auto text = read_file_at(AT_FDCWD, "/proc/sys/kernel/pid_max", 64);
  const long all = text ? std::atol(text->c_str()) : 0;
  return std::to_string(all > 0 ? std::min<long>(all / 2, limits::kAttemptProcesses) : limits::kAttemptProcesses);
}

// The group of a slot, and the one beside it where memory has a hierarchy of its own.
struct Group {
  Cgroup processes, memory;
  std::int64_t memory_bytes = 0;  // negative: not known
  bool killed = false;
  [[nodiscard]] std::uint64_t oom_kills() const {
    return std::max(processes.oom_kills(), memory ? memory.oom_kills() : 0);
  }
  // Whether every trace of it is gone.
  bool remove() {
    if (memory && !memory.remove()) return false;
    return !processes || processes.remove();
  }
};

class CgroupContainment final : public Containment {
 public:
  CgroupContainment(const Folder& folder, Host& host)
      : folder_(folder), host_(host), session_(make_session_containment(folder.path + "/slots")) {}

  // False: groups cannot be made here.
  bool prepare();

  std::string_view name() const override {
    return limits_memory_ ? std::string_view("cgroup") : std::string_view("cgroup without memory");
  }
  Enclosure enclose(std::uint32_t slot, std::int64_t memory_bytes) override;
  void add(AttemptId attempt, const Record& started, bool adopted) override;
  void settle() override;
  bool remove(AttemptId attempt) override;
  void main_reaped(AttemptId attempt) override {
    if (const auto main = mains_.find(attempt); main != mains_.end()) main->second.pid = 0;
    session_->main_reaped(attempt);
  }
  void orphan_reaped(pid_t pid) override { session_->orphan_reaped(pid); }
  bool may_be_left(AttemptId attempt) override {
    // Both, because a task with the right to do so can leave its group.
    const Group* group = group_of(attempt);
    return (group != nullptr && group->processes.populated().value_or(false)) || session_->may_be_left(attempt);
  }
  std::size_t signal_all(AttemptId attempt, int signal) override {
    const auto living = signal_group(attempt, signal);
    return living ? *living : session_->signal_all(attempt, signal);
  }
  void signal_each(const std::vector<AttemptId>& attempts, int signal) override {
    std::vector<AttemptId> outside;
    for (const AttemptId attempt : attempts) {
      if (!signal_group(attempt, signal)) outside.push_back(attempt);
    }
    if (!outside.empty()) session_->signal_each(outside, signal);
  }
  bool out_of_memory(AttemptId attempt) const override {
    const Group* group = group_of(attempt);
    return group != nullptr && group->oom_kills() > 0;
  }
  void leave() override { remove_idle_cgroups(folder_.fd.get()); }

 private:
  struct Main {
    std::uint32_t slot = 0;
    pid_t pid = 0;  // 0: it is reaped, or another process' child
  };

  [[nodiscard]] const Group* group_of(AttemptId attempt) const {
    const auto main = mains_.find(attempt);
    const auto group = main == mains_.end() ? groups_.end() : groups_.find(main->second.slot);
    return group == groups_.end() ? nullptr : &group->second;
  }
  Group* make(std::uint32_t slot, bool with_memory);
  bool limit(Group& group, std::int64_t memory_bytes);
  // nullopt: what is left of the attempt, if anything, is outside of its group.
  std::optional<std::size_t> signal_group(AttemptId attempt, int signal);
  void sweep();

  const Folder& folder_;
  Host& host_;
  std::unique_ptr<Containment> session_;
  Cgroup base_, memory_base_;         // memory_base_: of version 1
  std::vector<CgroupPlace> earlier_;  // bases of other sessions
  bool limits_memory_ = false;
  std::map<AttemptId, Main> mains_;
  std::map<std::uint32_t, Group> groups_;  // by slot; of attempts, or idle
  std::vector<std::uint32_t> idle_;        // the last one used last
  std::vector<Group> leftovers_;           // to be removed when they are empty
  std::string process_limit_ = process_limit();
};

bool CgroupContainment::prepare() {
  const auto cgroups = read_file_at(AT_FDCWD, "/proc/self/cgroup", kListBytes);
  const auto mounts = read_file_at(AT_FDCWD, "/proc/self/mountinfo", 4u << 20);
  struct stat info{};
  if (!cgroups || !mounts || ::fstat(folder_.fd.get(), &info) != 0) return false;
  CgroupPlaces places = find_cgroups(*cgroups, *mounts);
  if (!places.unified) return false;
  // Where an earlier session moved this process to make way, the place is the one above.
  const std::string moved = fmt::format("/{}", kOwnName);
  if (places.unified->path.ends_with(moved) && places.unified->folder.ends_with(moved)) {
    places.unified->path.resize(std::max<std::size_t>(1, places.unified->path.size() - moved.size()));
    places.unified->folder.resize(places.unified->folder.size() - moved.size());
  }
  const std::string name = fmt::format("baton-{:x}-{:x}", info.st_dev, info.st_ino);
  Cgroup own;
  if (!own.open(*places.unified)) return false;
  if (!base_.open(below(*places.unified, name), Cgroup::Making::if_missing) || !base_.populated()) return false;
  if (has_memory(own, "cgroup.controllers")) {
    limits_memory_ = share_out(own) || (make_way(own) && share_out(own));
    limits_memory_ = limits_memory_ && share_out(base_);
  } else if (places.memory) {
    limits_memory_ = memory_base_.open(below(*places.memory, name), Cgroup::Making::if_missing);
  }
  for (CgroupPlace& place : read_list(folder_.fd.get())) {
    const bool ours =
        place.folder == base_.place().folder || (memory_base_ && place.folder == memory_base_.place().folder);
    if (!ours && exists(place)) earlier_.push_back(std::move(place));
  }
  std::vector<CgroupPlace> all{base_.place()};
  if (memory_base_) all.push_back(memory_base_.place());
  all.insert(all.end(), earlier_.begin(), earlier_.end());
  std::string text;
  for (const CgroupPlace& place : all) text += fmt::format("{}\t{}\n", place.path, place.folder);
  // Without the list a later session could not find them, so there must be no groups.
  return replace_file_at(folder_.fd.get(), kListFile, text, false).has_value();
}

// One that is there already is not entered: its limits, its count and who is in it are another attempt's.
Group* CgroupContainment::make(std::uint32_t slot, bool with_memory) {
  constexpr auto kNew = Cgroup::Making::only_new;
  Group& group = groups_[slot];
  const std::string name = std::to_string(slot);
  if (!group.processes && !group.processes.open(below(base_.place(), name), kNew)) {
    groups_.erase(slot);
    return nullptr;
  }
  if (with_memory && memory_base_ && !group.memory) group.memory.open(below(memory_base_.place(), name), kNew);
  return &group;
}

bool CgroupContainment::limit(Group& group, std::int64_t memory_bytes) {
  if (group.memory_bytes == memory_bytes) return true;
  const std::string bytes = memory_bytes > 0 ? std::to_string(memory_bytes) : std::string();
  bool done = false;
  if (group.memory) {
    // Memory and swap together may not be less than memory: raised first, and lowered last.
    group.memory.write("memory.memsw.limit_in_bytes", "-1");
    done = group.memory.write("memory.limit_in_bytes", bytes.empty() ? "-1" : bytes);
    if (!bytes.empty()) group.memory.write("memory.memsw.limit_in_bytes", bytes);
  } else {
    done = group.processes.write("memory.max", bytes.empty() ? "max" : bytes);
    group.processes.write("memory.swap.max", bytes.empty() ? "max" : "0");
    group.processes.write("memory.oom.group", bytes.empty() ? "0" : "1");  // half a task would only hang
  }
  if (done) group.memory_bytes = memory_bytes;
  return done;
}

Enclosure CgroupContainment::enclose(std::uint32_t slot, std::int64_t memory_bytes) {
  std::erase(idle_, slot);
  const auto known = groups_.find(slot);
  // Somebody may have removed it, and what is not empty is nobody's to enter.
  if (known != groups_.end() && known->second.processes.populated().value_or(true)) {
    if (!known->second.remove()) leftovers_.push_back(std::move(known->second));
    groups_.erase(known);
  }
  const bool fresh = !groups_.contains(slot);
  Group* group = make(slot, limits_memory_ && memory_bytes > 0);
  if (group == nullptr || group->processes.populated().value_or(true)) {
    host_.log(fmt::format("there is no control group for slot {}; its task runs without one", slot));
    return {};
  }
  if (fresh) group->processes.write("pids.max", process_limit_);
  if (limits_memory_ && !limit(*group, memory_bytes)) {
    host_.log(fmt::format("a task's memory could not be limited to {} bytes", memory_bytes));
  }
  const bool enter_memory = memory_bytes > 0 && group->memory;
  return {.cgroup_fd = group->processes.fd(),
          .cgroup_procs_fd = group->processes.procs_fd(),
          .memory_procs_fd = enter_memory ? group->memory.procs_fd() : -1};
}

void CgroupContainment::add(AttemptId attempt, const Record& started, bool adopted) {
  session_->add(attempt, started, adopted);
  const std::uint32_t slot = slot_of(started);
  mains_[attempt] = {slot, adopted ? 0 : static_cast<pid_t>(started.pid)};
  if (!adopted) return;
  Group& group = groups_[slot];
  const std::string name = std::to_string(slot);
  group.processes.open(below(base_.place(), name));
  if (memory_base_) group.memory.open(below(memory_base_.place(), name));
  for (const CgroupPlace& place : earlier_) {
    Cgroup there;
    if (!there.open(below(place, name))) continue;
    (there.populated() ? group.processes : group.memory) = std::move(there);
  }
  group.memory_bytes = -1;  // whatever it was
  if (!group.processes && !group.memory) groups_.erase(slot);
}

void CgroupContainment::settle() {
  std::vector<CgroupPlace> bases = earlier_;
  bases.push_back(base_.place());
  if (memory_base_) bases.push_back(memory_base_.place());
  for (const CgroupPlace& base : bases) {
    for (const std::uint32_t number : numbered_below(base)) {
      if (groups_.contains(number)) continue;
      Group group;
      if (!group.processes.open(below(base, std::to_string(number)))) continue;
      if (group.processes.populated()) group.processes.kill();  // those of version 1 go with their processes
      leftovers_.push_back(std::move(group));
    }
  }
  sweep();
}

bool CgroupContainment::remove(AttemptId attempt) {
  session_->remove(attempt);
  const auto main = mains_.find(attempt);
  if (main == mains_.end()) return true;
  bool clean = true;
  const std::uint32_t slot = main->second.slot;
  mains_.erase(main);
  const auto group = groups_.find(slot);
  if (group != groups_.end()) {
    // The counter starts at nothing for whoever comes next. And Linux 6.18 kills whatever is cloned into a
    // group that was killed once, because it compares the sequence number of the parent's group.
    const bool spent = group->second.killed || group->second.oom_kills() > 0 || group->second.memory_bytes < 0;
    if (spent) {
      clean = group->second.remove();
      if (!clean) leftovers_.push_back(std::move(group->second));
      groups_.erase(group);
    } else {
      idle_.push_back(slot);
    }
  }
  if (idle_.size() > kKeptGroups) {
    const auto oldest = groups_.find(idle_.front());
    if (!oldest->second.remove()) leftovers_.push_back(std::move(oldest->second));
    groups_.erase(oldest);
    idle_.erase(idle_.begin());
  }
  if (!leftovers_.empty()) sweep();
  return clean;
}

void CgroupContainment::sweep() {
  std::erase_if(leftovers_, [](Group& group) { return group.remove(); });
}

std::optional<std::size_t> CgroupContainment::signal_group(AttemptId attempt, int signal) {
  Group* group = const_cast<Group*>(group_of(attempt));
  if (group == nullptr || !group->processes) return std::nullopt;
  const pid_t leader = mains_.at(attempt).pid;
  if (leader != 0) ::kill(-leader, signal);  // its pid cannot be anybody else's yet, and this needs no descriptor
  if (signal == SIGKILL) {
    group->killed = true;
    if (!group->processes.kill()) return 0;
    // Dying takes a moment. What has left the group is looked for when the group is empty, as that is slow.
    if (group->processes.populated().value_or(false)) {
      return std::max<std::size_t>(1, group->processes.processes().size());
    }
    return std::nullopt;
  }
  std::size_t living = 0;
  for (const pid_t pid : group->processes.processes()) {
    ++living;
    if (leader != 0 && ::getpgid(pid) == leader) continue;
    group->processes.signal(pid, signal);
  }
  return living;
}

}  // namespace

void remove_idle_cgroups(int folder) {
  for (const CgroupPlace& base : read_list(folder)) {
    for (const std::uint32_t number : numbered_below(base)) {
      Cgroup group;
      // A count that somebody may still ask for is kept.
      if (group.open(below(base, std::to_string(number))) && group.oom_kills() == 0) group.remove();
    }
    ::rmdir(base.folder.c_str());
  }
}

std::unique_ptr<Containment> make_containment(const Folder& folder, Host& host) {
  const char* wanted = std::getenv("BATON_CONTAINMENT");
  const bool by_session = wanted != nullptr && std::string_view(wanted) == "session";
  auto containment = std::make_unique<CgroupContainment>(folder, host);
  if (!by_session && containment->prepare()) return containment;
  return make_session_containment(folder.path + "/slots");
}

}  // namespace baton::worker
