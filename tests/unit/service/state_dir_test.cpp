#include <baton/service/state_dir.hpp>

#include <linux/magic.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "catch.hpp"
#include "skip.hpp"
#include "unique_folder.hpp"

using namespace baton;
using namespace baton::service;

namespace {

using TempFolder = testing::UniqueFolder;

mode_t mode_of(const std::string& path) {
  struct stat info{};
  REQUIRE(::stat(path.c_str(), &info) == 0);
  return info.st_mode & 0777;
}

}  // namespace

TEST_CASE("A state directory is made with its parents, private, and held") {
  const TempFolder folder;
  const std::string path = folder.path + "/a/b/state";
  {
    const auto dir = StateDir::claim(path);
    REQUIRE(dir.has_value());
    CHECK(mode_of(path) == 0700);
    CHECK(dir->database() == path + "/baton.db");
    REQUIRE(dir->make_worker_dir("local").has_value());
    CHECK(mode_of(path + "/workers/local") == 0700);
    const auto second = StateDir::claim(path);
    REQUIRE_FALSE(second.has_value());
    CHECK(second.error().code == ErrorCode::conflict);
    CHECK(second.error().message.find("(pid " + std::to_string(::getpid()) + ")") != std::string::npos);
  }
  CHECK(StateDir::claim(path).has_value());
}

TEST_CASE("A state directory that others can read is closed to them") {
  const TempFolder folder;
  REQUIRE(::chmod(folder.path.c_str(), 0755) == 0);
  CHECK(StateDir::claim(folder.path).has_value());
  CHECK(mode_of(folder.path) == 0700);
}

TEST_CASE("What cannot be a state directory is refused") {
  const TempFolder folder;
  std::ofstream(folder.path + "/file") << "x";
  CHECK(StateDir::claim(folder.path + "/file").error().code == ErrorCode::invalid_argument);
  CHECK_FALSE(StateDir::claim(folder.path + "/file/below").has_value());
}

TEST_CASE("A state directory of somebody else is refused") {
  if (::geteuid() != 0) return testing::skip("only root can give a folder away");
  const TempFolder folder;
  REQUIRE(::chown(folder.path.c_str(), 12345, 12345) == 0);
  CHECK(StateDir::claim(folder.path).error().code == ErrorCode::denied);
}

TEST_CASE("The lock of a dead daemon that its child still has for a moment is waited for") {
  const TempFolder folder;
  const pid_t daemon = ::fork();
  if (daemon == 0) {
    const auto dir = StateDir::claim(folder.path);
    const int watch = ::inotify_init1(IN_CLOEXEC);
    if (!dir || ::inotify_add_watch(watch, (folder.path + "/batond.lock").c_str(), IN_OPEN) < 0) ::_exit(1);
    if (::fork() == 0) {  // has the lock until somebody else looks for it
      char event[512];
      ::_exit(::read(watch, event, sizeof event) > 0 ? 0 : 1);
    }
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  REQUIRE(::waitpid(daemon, &status, 0) == daemon);
  REQUIRE(WIFSIGNALED(status));
  CHECK(StateDir::claim(folder.path).has_value());
}

TEST_CASE("A lock outlives its holder's crash by nothing") {
  const TempFolder folder;
  const pid_t child = ::fork();
  if (child == 0) {
    const bool claimed = StateDir::claim(folder.path).has_value();
    ::_exit(claimed ? 0 : 1);  // without giving the lock back
  }
  int status = -1;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(status == 0);
  CHECK(StateDir::claim(folder.path).has_value());
}

TEST_CASE("Network file systems are told from local ones") {
  using enum FileSystemKind;
  CHECK(classify_file_system(EXT4_SUPER_MAGIC).kind == local);
  CHECK(classify_file_system(TMPFS_MAGIC).kind == local);
  CHECK(classify_file_system(0x58465342 /* xfs */).kind == local);
  CHECK(classify_file_system(NFS_SUPER_MAGIC).kind == network);
  CHECK(classify_file_system(0xFF534D42 /* cifs */).kind == network);
  CHECK(classify_file_system(static_cast<std::int32_t>(0xFE534D42) /* smb2, sign extended */).kind == network);
  CHECK(classify_file_system(V9FS_MAGIC).kind == doubtful);
  CHECK(classify_file_system(0x6a656a63 /* virtiofs */).kind == doubtful);
}

TEST_CASE("Free space is that of the path's file system") {
  const auto bytes = free_bytes("/tmp");
  REQUIRE(bytes);
  CHECK(*bytes > 0);
  CHECK(*bytes < std::filesystem::space("/tmp").capacity);
  CHECK(free_bytes("/proc") == 0u);
  CHECK(free_bytes("/nonexistent").error().code == ErrorCode::not_found);
}
