// What batond and a worker session say to each other, local or through ssh.
//
// The link is a byte stream of frames. The daemon speaks first with Hello; the session answers Welcome, with an
// inventory of every attempt it knows, or Refused. After that both sides send whenever they have something to say. A
// message about an attempt may be sent again after a reconnect: each of them is idempotent by the attempt's id.
#pragma once
#include <baton/base/ids.hpp>
#include <baton/base/time.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace baton::wire {

inline constexpr std::uint32_t kProtocolVersion = 2;

// Where an attempt's output is: bytes [from, to) of one append-only segment file of its worker.
struct LogExtent {
  static constexpr std::uint64_t kOpen = ~std::uint64_t{0};  // `to` of an attempt that still writes
  std::uint32_t segment = 0;                                 // 0: there is no log
  std::uint64_t from = 0;
  std::uint64_t to = 0;
  bool operator==(const LogExtent&) const = default;
};

// What a worker can give to attempts. Amounts in thousandths, memory in bytes.
struct Capacity {
  static constexpr std::int64_t kNone = -1;  // gpu_milli in Hello: none, whatever the host has
  std::int64_t cpu_milli = 0;
  std::int64_t memory_bytes = 0;
  std::int64_t gpu_milli = 0;
  std::map<std::string, std::int64_t> custom_milli;
  bool operator==(const Capacity&) const = default;
};

// Why an attempt ended.
enum class ExitCause : std::uint8_t {
  exited = 0,     // detail: exit code (0: it succeeded)
  signalled = 1,  // detail: signal number
  oom = 2,
  timeout = 3,
  spawn_error = 4,     // detail: errno
  missing_output = 5,  // exit code 0, but a declared output is missing or the output file is malformed
  cancelled = 6,       // killed on request; detail: the wait status' exit code or 128 + signal
  worker_lost = 7,     // the worker cannot know (it rebooted, or supervisor and session both died)
  preempted = 8,
};

struct Outcome {
  ExitCause cause = ExitCause::exited;
  std::int32_t detail = 0;
  std::string message;  // for people, where the cause does not say it all
  std::map<std::string, std::string> outputs;
  LogExtent log;
  TimePoint started_at;  // zero if it never started
  TimePoint ended_at;
  std::uint64_t user_us = 0, system_us = 0;  // CPU time of the attempt's main process and what it waited for
  std::uint64_t max_rss_bytes = 0;
  bool operator==(const Outcome&) const = default;
};

enum class AttemptPhase : std::uint8_t { queued = 0, running = 1, exited = 2 };

struct InventoryEntry {
  AttemptId attempt;
  AttemptPhase phase = AttemptPhase::queued;
  TimePoint started_at;  // running
  LogExtent log;         // running
  Outcome outcome;       // exited
  bool operator==(const InventoryEntry&) const = default;
};

// --- daemon → session ---

struct Hello {
  std::uint32_t protocol = kProtocolVersion;
  std::string daemon_id;          // the state directory's id: one worker folder per daemon
  std::uint64_t incarnation = 0;  // grows with every start of the daemon; a lower one is refused
  Capacity capacity;              // what the configuration says; a zero is filled in by what the host has
  bool operator==(const Hello&) const = default;
};

// Start this attempt as soon as it fits beside what runs. Launches are started in the order they come in; one that does
// not fit yet holds back those behind it. The same id again is answered with what is known, never started twice.
struct Launch {
  AttemptId attempt;
  std::string label;              // RUN/TASK/ATTEMPT, for process listings and messages
  std::vector<std::string> argv;  // command; or, for a script, the shell in front of the script's file
  std::string script;             // empty for a command
  std::vector<std::pair<std::string, std::string>>
      env;                           // added to the worker's own; BATON_OUTPUT, BATON_TMPDIR,
                                     // BATON_CPUS, BATON_MEMORY, CUDA_VISIBLE_DEVICES come from the worker
  std::string working_dir;           // empty: the attempt's scratch folder
  std::vector<std::string> outputs;  // declared names
  Duration timeout{0};               // 0: none
  Duration grace{0};                 // between SIGTERM and SIGKILL
  Capacity needs;
  bool operator==(const Launch&) const = default;
};

// End this attempt: one that is queued or not known yet never starts (the id is remembered), one that runs gets SIGTERM
// and after its grace SIGKILL. Answered by Exited.
struct Kill {
  AttemptId attempt;
  ExitCause cause = ExitCause::cancelled;
  bool operator==(const Kill&) const = default;
};

// The daemon has committed these attempts' ends: drop their records.
struct Forget {
  std::vector<AttemptId> attempts;
  bool operator==(const Forget&) const = default;
};

struct ReadLog {
  std::uint64_t request = 0;
  LogExtent extent;             // `to` may be kOpen: up to what is there now
  std::uint32_t max_bytes = 0;  // at most limits::kLogChunkBytes
  bool from_end = false;        // the last max_bytes instead of the first
  bool operator==(const ReadLog&) const = default;
};

// Asks for a Pong, when nothing was heard for a while. A session that is busy answers late; one that is stopped never.
struct Ping {
  bool operator==(const Ping&) const = default;
};

// --- session → daemon ---

struct Welcome {
  std::uint32_t protocol = kProtocolVersion;
  std::string version;  // Baton's
  std::string host;
  std::string boot_id;            // /proc/sys/kernel/random/boot_id
  Capacity capacity;              // what the session will use
  std::vector<std::string> gpus;  // one name per device
  std::string containment;        // "cgroup", "cgroup without memory" or "session"
  std::vector<InventoryEntry> inventory;
  bool operator==(const Welcome&) const = default;
};

struct Refused {
  std::string reason;
  bool operator==(const Refused&) const = default;
};

struct Started {
  AttemptId attempt;
  TimePoint at;
  std::uint32_t pid = 0;
  LogExtent log;  // open
  bool operator==(const Started&) const = default;
};

struct Exited {
  AttemptId attempt;
  Outcome outcome;
  bool operator==(const Exited&) const = default;
};

struct LogData {
  std::uint64_t request = 0;
  std::uint64_t offset = 0;  // of the first byte, in the segment; before what was asked for: the segment ends there
  std::string bytes;
  bool end = false;   // nothing is left in the extent as it is now
  std::string error;  // empty: none
  bool operator==(const LogData&) const = default;
};

struct Pong {
  bool operator==(const Pong&) const = default;
};

using ToWorker = std::variant<Hello, Launch, Kill, Forget, ReadLog, Ping>;
using ToDaemon = std::variant<Welcome, Refused, Started, Exited, LogData, Pong>;

}  // namespace baton::wire
