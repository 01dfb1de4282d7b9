// The executor whose machines run `baton-worker`: one link (a process that carries frames on its stdin and stdout) for
// each worker. Local and through ssh differ only in the argument vector.
#pragma once
#include <baton/executor/executor.hpp>
#include <baton/wire/messages.hpp>

#include <memory>
#include <string>
#include <vector>

namespace boost::asio {
class io_context;
}

namespace baton::executor {

// One end of a link: a stream socket or pipe pair made into one descriptor, and the process behind it.
struct LinkEnd {
  int fd = -1;      // owned by who receives it
  int errors = -1;  // what the process says on stderr, likewise; not blocking; -1: not heard
  int pid = -1;     // a child to be reaped; -1: none
};
using Dial = std::function<Result<LinkEnd>()>;

// Starts `argv` with a socket as its stdin and stdout, in a session of its own (a Ctrl-C at the daemon's terminal must
// not reach it), with default signals, and a pipe as its stderr.
Result<LinkEnd> spawn_link(const std::vector<std::string>& argv);

struct LinkOptions {
  WorkerId id;
  std::string name;
  std::vector<std::string> labels;
  wire::Capacity capacity;  // as configured; zeros are filled in by the worker
  Dial dial;
  std::string boot_file;  // where the boot id of the worker's host is remembered; its folder exists
};

struct WorkerExecutorOptions {
  std::string daemon_id;          // the state directory's
  std::uint64_t incarnation = 0;  // this start's
  std::vector<LinkOptions> links;
  Duration handshake_timeout = std::chrono::seconds(15);  // from dialling to Welcome
  Duration down_after = std::chrono::seconds(4);          // a link that broke may take this long to come back
  Duration first_retry = std::chrono::milliseconds(100);  // doubles with each failure
  Duration last_retry = std::chrono::seconds(10);
  Duration steady_after = std::chrono::seconds(5);    // a link that stays up so long has come back; retries begin anew
  Duration stall_timeout = std::chrono::seconds(30);  // a session that reads nothing for so long, while much waits
  // A session that said nothing between two looks is asked for a sign of life, and given up after so many more looks
  // without one: half a minute. A busy disk or host keeps one from answering for many seconds, and its replacement
  // would be no faster; a cancel should not wait for much longer. See silence.hpp.
  Duration look_every = std::chrono::seconds(5);
  int silent_looks = 6;
};

// `io` must outlive the executor.
std::unique_ptr<Executor> make_worker_executor(boost::asio::io_context& io, WorkerExecutorOptions options,
                                               EventSink sink);

}  // namespace baton::executor
