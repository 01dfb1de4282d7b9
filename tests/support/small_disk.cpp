#include "small_disk.hpp"

#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "catch.hpp"
#include "skip.hpp"

namespace baton::testing {
namespace {

// Of its own: as root, or as the same user in a user namespace, which many systems allow to everybody.
bool enter_mount_namespace() {
  if (::unshare(CLONE_NEWNS) == 0) return true;
  const std::string user = std::to_string(::geteuid());
  const std::string group = std::to_string(::getegid());
  if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return false;
  std::ofstream("/proc/self/setgroups") << "deny";
  std::ofstream("/proc/self/uid_map") << user << " " << user << " 1";
  std::ofstream("/proc/self/gid_map") << group << " " << group << " 1";
  return true;
}

}  // namespace

std::string in_child(const std::function<std::string()>& work) {
  std::array<int, 2> pipe{};
  REQUIRE(::pipe(pipe.data()) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const std::string said = work();
    const bool written = ::write(pipe[1], said.data(), said.size()) == static_cast<ssize_t>(said.size());
    ::_exit(written ? 0 : 1);
  }
  ::close(pipe[1]);
  std::string said;
  std::array<char, 512> buffer{};
  for (ssize_t got = 0; (got = ::read(pipe[0], buffer.data(), buffer.size())) > 0;) {
    said.append(buffer.data(), static_cast<std::size_t>(got));
  }
  ::close(pipe[0]);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) FAIL("the child process died: status " << status);
  return said;
}

void check_on_small_disk(const std::string& folder, const char* options, const std::function<std::string()>& work) {
  const std::string not_allowed = "not allowed to mount";
  const std::string problem = in_child([&] {
    if (!enter_mount_namespace()) return not_allowed;
    const bool mounted = ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                         ::mount("none", folder.c_str(), "tmpfs", 0, options) == 0;
    if (mounted) return work();
    return errno == EPERM || errno == EACCES ? not_allowed : std::string("cannot mount: ") + std::strerror(errno);
  });
  if (problem == not_allowed) return skip("no small file system can be mounted here");
  CHECK(problem == "");
}

void fill_disk(const std::string& path) {
  std::ofstream file(path, std::ios::app);
  const std::string page(4096, 'x');
  while (file.write(page.data(), static_cast<std::streamsize>(page.size())).flush()) {
  }
}

}  // namespace baton::testing
