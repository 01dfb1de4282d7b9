// One journal record: 128 bytes, written in one append by whoever knows the fact first, checked by a CRC.
//
// Writers are the session, the supervisor, and every task's process itself between clone and exec. So everything here
// is async-signal-safe, and a record has a fixed place for everything.
#pragma once
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace baton::worker {

enum class RecordKind : std::uint8_t {
  boot = 1,          // the host's boot id; written when it is not the one before
  started = 2,       // by the task's process, before exec
  spawn_failed = 3,  // by the task's process, after an exec that failed: status is the errno
  exited = 4,        // by the session or, with attempt 0, by the supervisor: wait status and resource usage
  killed = 5,        // the session is about to send the first signal; cause says why
  finished = 6,      // the outcome is decided and is not what `exited` alone says; without `started` a tombstone
  forgotten = 7,     // the daemon has committed these attempts' ends
};

struct Record {
  static constexpr std::uint32_t kMagic = 0x4e544142;  // "BATN"
  static constexpr std::uint8_t kVersion = 1;
  static constexpr std::uint8_t kHasSideFile = 1;  // started: slots/N/launch; finished: details/ATTEMPT
  static constexpr std::uint8_t kHasOutcome = 2;   // finished: decided by cause and status, not by `exited`
  static constexpr std::uint8_t kLeftBehind = 4;   // finished: a process of it could not be killed
  static constexpr std::size_t kForgottenIds = 11;

  struct Start {
    std::uint64_t boot_from_ns, boot_to_ns;  // the process began in between, by CLOCK_BOOTTIME
    std::uint64_t log_from;
    std::int64_t timeout_us, grace_us;
    std::int64_t cpu_milli, memory_bytes, gpu_milli;
    std::uint64_t gpu_devices;  // bit per device index
    std::uint32_t segment;
    std::uint32_t slot;  // 0: the segment's number, in records of when the two were one
  };
  struct End {
    std::uint64_t start_ns;  // of the process, by /proc; 0 from the session, which knows it is its child
    std::uint64_t user_us, system_us, max_rss_bytes;
    std::uint64_t log_to;
    std::int32_t status;  // as wait(2) gives it; finished: Outcome::detail; spawn_failed: errno
    std::uint32_t padding;
  };

  struct Kill {
    std::uint64_t boot_ns;  // when, by CLOCK_BOOTTIME; 0 in records of older versions
  };

  std::uint32_t magic;
  std::uint32_t crc;  // of everything behind it
  std::uint8_t version;
  RecordKind kind;
  std::uint8_t flags;
  std::uint8_t cause;  // wire::ExitCause
  std::uint32_t pid;
  std::uint64_t attempt;
  std::int64_t time_us;  // wall time
  union {
    Start start;
    End end;
    Kill kill;
    std::uint64_t forgotten[kForgottenIds];  // 0: none
    char boot_id[88];
    std::uint8_t body[96];
  };

  explicit Record(RecordKind what = RecordKind::boot) noexcept {
    std::memset(static_cast<void*>(this), 0, sizeof *this);
    kind = what;
  }
};
static_assert(sizeof(Record) == 128 && std::is_trivially_copyable_v<Record>);

inline std::uint64_t grace_ns(const Record& started) noexcept {
  return started.start.grace_us > 0 ? static_cast<std::uint64_t>(started.start.grace_us) * 1000u : 0;
}

inline std::uint32_t slot_of(const Record& started) noexcept {
  return started.start.slot != 0 ? started.start.slot : started.start.segment;
}

// Fills in magic, version and crc.
void seal(Record& record) noexcept;
bool intact(const Record& record) noexcept;
// Seals and appends; 0 or an errno. A short write (the disk is full) counts as ENOSPC: readers skip the torn piece.
int append_record(int journal_fd, Record& record) noexcept;

// Whether a process that began at `start_ns` (a multiple of the clock tick, rounded down) can be the one of `started`.
bool same_process(const Record& started, std::uint64_t start_ns) noexcept;

}  // namespace baton::worker
