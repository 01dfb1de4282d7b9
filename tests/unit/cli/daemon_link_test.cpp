#include "daemon_link.hpp"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <thread>

#include <baton/base/daemon_lock.hpp>
#include <baton/base/descriptor.hpp>
#include "catch.hpp"
#include "skip.hpp"
#include "temp_folder.hpp"

namespace baton::cli {
namespace {

Descriptor listening(const std::string& path) {
  Descriptor fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  REQUIRE(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::listen(fd.get(), 1) == 0);
  return fd;
}

TEST_CASE("a socket that is not there, or is stale, has nobody behind it") {
  const test::TempFolder folder;
  const std::string path = folder / "s";
  CHECK(someone_listens(path) == false);
  Descriptor fd = listening(path);
  CHECK(someone_listens(path) == true);
  fd.reset();
  CHECK(someone_listens(path) == false);
}

TEST_CASE("what is not a socket is unavailable, not overwritten") {
  const test::TempFolder folder;
  const auto answer = someone_listens(folder.write("file", ""));
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code == ErrorCode::unavailable);
  CHECK(someone_listens(folder / "file/s").error().code == ErrorCode::unavailable);
}

TEST_CASE("another user's socket is denied") {
  if (::geteuid() != 0) return testing::skip("only root can give a file away");
  const test::TempFolder folder;
  const Descriptor fd = listening(folder / "s");
  REQUIRE(::chown((folder / "s").c_str(), 12345, 12345) == 0);
  REQUIRE(::chmod(folder.path().c_str(), 0755) == 0);
  // Before anything is sent, and for root as for an ordinary user.
  for (const uid_t user : {0u, 54321u}) {
    REQUIRE(::seteuid(user) == 0);
    const auto answer = someone_listens(folder / "s");
    REQUIRE(::seteuid(0) == 0);
    REQUIRE_FALSE(answer);
    CHECK(answer.error().code == ErrorCode::denied);
    CHECK(answer.error().message.find("12345") != std::string::npos);
  }
}

// The lock of a daemon's that runs.
Descriptor held_lock(const Locations& locations, const std::string& note) {
  std::filesystem::create_directories(locations.state_dir);
  Descriptor lock(::open(daemon_lock_path(locations.state_dir).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  REQUIRE(::flock(lock.get(), LOCK_EX | LOCK_NB) == 0);
  REQUIRE(::pwrite(lock.get(), note.data(), note.size(), 0) == static_cast<ssize_t>(note.size()));
  return lock;
}

TEST_CASE("a daemon is found where its state says that it listens, unless another socket was named") {
  const test::TempFolder folder;
  Locations locations{.state_dir = folder / "state", .socket = folder / "here"};
  CHECK(find_daemon(locations)->socket.empty());
  Descriptor lock = held_lock(locations, "4711\n" + folder / "there" + "\n");
  CHECK(find_daemon(locations)->socket.empty());
  CHECK(find_daemon(locations)->silent == 4711);
  {
    const Descriptor there = listening(folder / "there");
    CHECK(find_daemon(locations)->socket == folder / "there");
    CHECK(start_daemon(locations)->socket == folder / "there");
    locations.socket_named = true;
    CHECK(find_daemon(locations)->socket.empty());
    CHECK(find_daemon(locations)->silent == std::nullopt);
    locations.socket_named = false;
    const Descriptor here = listening(folder / "here");
    CHECK(find_daemon(locations)->socket == folder / "here");
  }
  REQUIRE(::ftruncate(lock.get(), 0) == 0);  // nothing is known of it, but it is there
  CHECK(find_daemon(locations)->silent == 0);
  lock.reset();  // what it noted is of the past
  CHECK(find_daemon(locations)->silent == std::nullopt);
}

TEST_CASE("a daemon that has the state and does not listen is named, and none is started beside it") {
  const test::TempFolder folder;
  const Locations locations{.state_dir = folder / "state", .socket = folder / "here"};
  Descriptor lock = held_lock(locations, "4711\n");
  Descriptor here;
  std::vector<std::string> notices;
  const auto started = start_daemon(locations, [&](const std::string& notice) {
    notices.push_back(notice);
    here = listening(folder / "here");  // at last
  });
  REQUIRE(started);
  CHECK_FALSE(started->by_this_call);
  REQUIRE(notices.size() == 1);
  CHECK(notices[0].find("4711") != std::string::npos);
  CHECK_FALSE(std::filesystem::exists(daemon_log_path(locations)));
}

TEST_CASE("a daemon is not started where its state cannot be") {
  const test::TempFolder folder;
  Locations locations;
  locations.state_dir = folder.write("file", "") + "/state";
  locations.socket = folder / "s";
  const auto below_a_file = start_daemon(locations);
  REQUIRE_FALSE(below_a_file);
  CHECK(below_a_file.error().message.find("state directory") != std::string::npos);
  locations.state_dir = "/proc/nowhere";
  CHECK(start_daemon(locations).error().code == ErrorCode::unavailable);
  locations.state_dir = folder / "file";
  const auto a_file = start_daemon(locations);
  REQUIRE_FALSE(a_file);
  CHECK(a_file.error().code == ErrorCode::unavailable);
}

// A `batond` of the test's own on PATH; what it is to do is a shell script, with its arguments in $* and descriptor 3
// to report on.
class FakeBatond {
 public:
  explicit FakeBatond(const std::string& script) : path_(std::getenv("PATH")) {
    const std::string program = folder.write("bin/batond", "#!/bin/sh\n" + script);
    std::filesystem::permissions(program, std::filesystem::perms::owner_all);
    ::setenv("PATH", (folder / "bin").append(":").append(path_).c_str(), 1);
    locations.state_dir = folder / "state/baton";
    locations.socket = folder / "s";
  }
  ~FakeBatond() { ::setenv("PATH", path_.c_str(), 1); }
  [[nodiscard]] std::string log() const {
    std::ifstream file(daemon_log_path(locations));
    return {std::istreambuf_iterator<char>(file), {}};
  }

  test::TempFolder folder;
  Locations locations;

 private:
  std::string path_;
};

TEST_CASE("a daemon is started with its places, apart from its starter, and is ready then") {
  FakeBatond batond("echo \"$*\"; pwd; ls /proc/self/fd | wc -l; readlink /proc/self/fd/0; echo ready >&3\n");
  batond.locations.config = "/c.yaml";
  batond.locations.config_named = true;
  const Descriptor inherited(::open("/dev/null", O_RDONLY));  // not closed on exec
  CHECK(start_daemon(batond.locations)->by_this_call);
  // 0 1 2 3 and the folder that ls reads.
  CHECK(batond.log() ==
        fmt::format("--socket {0}/s --state-dir {0}/state/baton --ready-fd 3 --log-file {0}/state/baton/batond.log "
                    "--config /c.yaml\n/\n5\n/dev/null\n",
                    batond.folder.path()));
  struct stat info{};
  REQUIRE(::stat(batond.locations.state_dir.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0700);
}

TEST_CASE("a daemon that cannot serve says why, in one line") {
  const FakeBatond batond("echo 'error: the database was written by a newer version' >&3; echo more >&3\n");
  const auto started = start_daemon(batond.locations);
  REQUIRE_FALSE(started);
  CHECK(started.error().code == ErrorCode::unavailable);
  CHECK(started.error().message == "cannot start batond: the database was written by a newer version");
}

TEST_CASE("a daemon that is ending is waited for, and then one is started") {
  FakeBatond batond(R"(
test -e "$4/tried" && echo ready >&3 && exit
touch "$4/tried"
echo "error: another batond (pid 1) uses it" >&3
)");
  CHECK(start_daemon(batond.locations)->by_this_call);
}

TEST_CASE("a daemon that is about to listen is found") {
  FakeBatond batond("echo 'error: another batond (pid 1) uses it' >&3; echo tried >> \"$4/tried\"\n");
  Descriptor socket;
  std::thread other([&] {
    // Once it was tried.
    std::filesystem::create_directories(batond.locations.state_dir);
    while (!std::filesystem::exists(batond.locations.state_dir + "/tried")) std::this_thread::yield();
    socket = listening(batond.locations.socket);
  });
  CHECK_FALSE(start_daemon(batond.locations)->by_this_call);
  other.join();
}

TEST_CASE("a socket that was named is not given up for where the state's daemon listens") {
  FakeBatond batond("echo 'error: another batond (pid 1) uses it' >&3\n");
  batond.locations.socket_named = true;
  const Descriptor lock = held_lock(batond.locations, "4711\n/elsewhere\n");
  const auto started = start_daemon(batond.locations);
  REQUIRE_FALSE(started);
  CHECK(started.error().message.find("listens on /elsewhere, not on") != std::string::npos);
}

TEST_CASE("a daemon that ends without a word is found out, and its log is named") {
  const FakeBatond batond("exit 3\n");
  const auto started = start_daemon(batond.locations);
  REQUIRE_FALSE(started);
  CHECK(started.error().code == ErrorCode::unavailable);
  CHECK(started.error().message.find(daemon_log_path(batond.locations)) != std::string::npos);
}

TEST_CASE("a daemon that cannot be executed says so") {
  const FakeBatond batond("");
  batond.folder.write("bin/batond", "not a program");
  const auto started = start_daemon(batond.locations);
  REQUIRE_FALSE(started);
  CHECK(started.error().message.starts_with("cannot start batond: cannot execute batond: "));
}

TEST_CASE("of starters at the same time one starts the daemon, the others find it") {
  FakeBatond batond("echo started; echo ready >&3\n");
  // Somebody holds the turn; the daemon is there when it is given on.
  std::filesystem::create_directories(batond.locations.state_dir);
  Descriptor turn(::open((batond.locations.state_dir + "/start.lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  REQUIRE(::flock(turn.get(), LOCK_EX) == 0);
  Result<StartedDaemon> started;
  std::thread other([&] { started = start_daemon(batond.locations); });
  const Descriptor socket = listening(batond.locations.socket);
  turn.reset();
  other.join();
  CHECK(started->socket == batond.locations.socket);
  CHECK_FALSE(started->by_this_call);
  CHECK(batond.log().empty());
}

}  // namespace
}  // namespace baton::cli
