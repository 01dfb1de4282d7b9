#include "session_lock.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "temp_folder.hpp"

namespace baton::worker {

using namespace std::chrono_literals;

TEST_CASE("a session that is stopped and does not leave is killed for the next one") {
  TempFolder temp;
  const pid_t stopped = ::fork();
  if (stopped == 0) {
    const auto lock = lock_session(temp.fd());
    if (lock) ::raise(SIGSTOP);
    ::_exit(1);
  }
  int status = 0;
  REQUIRE(::waitpid(stopped, &status, WUNTRACED) == stopped);
  REQUIRE(WIFSTOPPED(status));
  const auto lock = lock_session(temp.fd(), 1ms);
  CHECK(lock.has_value());
  REQUIRE(::waitpid(stopped, &status, 0) == stopped);
  CHECK((WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
}

}  // namespace baton::worker
