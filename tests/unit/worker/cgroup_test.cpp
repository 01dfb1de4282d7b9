// Where control groups are, and what they let be done.
#include "cgroup.hpp"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "catch.hpp"
#include "skip.hpp"
#include "temp_folder.hpp"
#include "unique_folder.hpp"

namespace baton::worker {
namespace {

CgroupPlaces own_cgroups() { return find_cgroups(slurp("/proc/self/cgroup"), slurp("/proc/self/mountinfo")); }

CgroupPlace test_group(const CgroupPlace& own) {
  return below(own, std::filesystem::path(testing::UniqueFolder().path).filename().string());
}

}  // namespace

TEST_CASE("control groups are found in every layout") {
  const auto unified = find_cgroups("0::/system.slice/batond.service\n",
                                    "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n");
  REQUIRE(unified.unified);
  CHECK(unified.unified->folder == "/sys/fs/cgroup/system.slice/batond.service");
  CHECK_FALSE(unified.memory);
  const std::string mounts =
      "31 23 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
      "32 23 0:28 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"
      "33 23 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
  const auto hybrid = find_cgroups("4:memory:/a/b\n0::/\n", mounts);
  REQUIRE((hybrid.unified && hybrid.memory));
  CHECK(hybrid.unified->folder == "/sys/fs/cgroup/unified");
  CHECK(hybrid.memory->folder == "/sys/fs/cgroup/memory/a/b");
  CHECK(below(*hybrid.unified, "x").path == "/x");
  const auto container = find_cgroups("0::/docker/1/x\n", "30 23 0:26 /docker/1 /cg rw - cgroup2 cgroup2 rw\n");
  REQUIRE(container.unified);
  CHECK(container.unified->folder == "/cg/x");
  CHECK_FALSE(find_cgroups("0::/../other\n", mounts).unified);
  CHECK_FALSE(find_cgroups("", "").unified);
}

TEST_CASE("a group is removed with the empty groups below it, and entered only if it is new") {
  const auto places = own_cgroups();
  Cgroup group;
  if (!places.unified || !group.open(test_group(*places.unified), Cgroup::Making::only_new)) {
    return testing::skip("no control group can be made here");
  }
  const std::string folder = group.place().folder;
  for (const char* below : {"/a", "/a/b", "/a/b/c", "/a/d", "/e"})
    REQUIRE(::mkdir((folder + below).c_str(), 0755) == 0);
  Cgroup again;
  CHECK_FALSE(again.open(group.place(), Cgroup::Making::only_new));
  const pid_t child = ::fork();
  if (child == 0) {
    ::pause();
    ::_exit(0);
  }
  Cgroup inner;
  REQUIRE(inner.open(below(group.place(), "a/b")));
  REQUIRE(inner.write("cgroup.procs", std::to_string(child)));
  CHECK_FALSE(group.remove());
  CHECK(std::filesystem::exists(folder));
  ::kill(child, SIGKILL);
  REQUIRE(::waitpid(child, nullptr, 0) == child);
  CHECK(group.remove());
  CHECK_FALSE(std::filesystem::exists(folder));
}

TEST_CASE("a group's processes are killed also where the kernel has no cgroup.kill, and no others are signalled") {
  const auto places = own_cgroups();
  Cgroup group;
  if (!places.unified || !group.open(test_group(*places.unified), Cgroup::Making::only_new)) {
    return testing::skip("no control group can be made here");
  }
  const pid_t child = ::fork();
  if (child == 0) {
    ::pause();
    ::_exit(0);
  }
  CHECK_FALSE(group.signal(child, SIGKILL));  // not in the group
  REQUIRE(group.write("cgroup.procs", std::to_string(child)));
  CHECK(group.populated() == true);
  CHECK(group.processes() == std::vector<pid_t>{child});
  group.kill(true);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WTERMSIG(status) == SIGKILL);
  CHECK(group.populated() == false);
  CHECK(group.remove());
}

}  // namespace baton::worker
