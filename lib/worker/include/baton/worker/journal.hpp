// The journal: what happened to attempts, appended before anybody acts on it.
//
// It is not synced: it must survive every process, not the kernel. After a reboot no unfinished attempt is alive
// anyway. Room for it is allocated ahead, so that exits can be recorded on a full disk.
#pragma once
#include <baton/base/descriptor.hpp>
#include <baton/base/ids.hpp>
#include <baton/base/result.hpp>
#include <baton/worker/record.hpp>

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace baton::worker {

// What the records say about each attempt that is not forgotten. Of two records that say the same the first wins.
class Ledger {
 public:
  struct Entry {
    std::optional<Record> started, spawn_failed, killed, exited, finished;
    std::uint64_t order = 0;  // of the starts
  };

  void apply(const Record& record);
  [[nodiscard]] const std::map<AttemptId, Entry>& entries() const { return entries_; }
  [[nodiscard]] const std::string& boot_id() const { return boot_id_; }
  // The fewest records that say the same again.
  [[nodiscard]] std::vector<Record> records() const;

 private:
  void apply_start(const Record& record);
  void apply_supervisors_exit(const Record& record);
  void decide_if_replaced(AttemptId attempt);

  std::map<AttemptId, Entry> entries_;
  std::unordered_map<std::uint32_t, AttemptId> by_pid_;   // the last to start with this pid
  std::unordered_map<std::uint32_t, AttemptId> by_slot_;  // the last to start in this slot
  std::uint64_t starts_ = 0;
  std::string boot_id_;
};

// The session's end of the journal. There is one session at a time (session.lock) and only it compacts.
class Journal {
 public:
  static constexpr std::uint64_t kCompactBytes = 8u << 20;
  // Of what makes it long: room that is kept beyond, for when a full disk lets nothing be compacted.
  static constexpr std::uint64_t kSpareShare = 4;

  // `folder` stays the caller's and must outlive the journal.
  static Result<Journal> open(int folder, std::uint64_t compact_bytes = kCompactBytes);

  [[nodiscard]] int fd() const { return fd_.get(); }
  Result<void> append(Record& record);
  void child_appended() { size_ += sizeof(Record); }
  // The intact records that were not read yet, in order; whatever else is between them is skipped.
  Result<std::vector<Record>> read_new();
  [[nodiscard]] bool wants_compaction() const { return size_ >= compact_at_; }
  // Replaces the journal by what still matters of it. On an error the old one stays in use, and after some more records
  // it wants this again.
  Result<void> compact();

 private:
  Journal(int folder, Descriptor fd, std::uint64_t size, std::uint64_t compact_bytes);

  Result<void> rewrite();
  // A piece at a time: a long journal does not have to fit into memory.
  Result<void> read(std::uint64_t& from, const std::function<void(const Record&)>& take) const;

  int folder_;
  Descriptor fd_;
  std::uint64_t size_ = 0;
  std::uint64_t read_to_ = 0;
  std::uint64_t compact_bytes_;
  std::uint64_t compact_at_;
};

// What a journal holds, for who only looks.
struct JournalContents {
  std::vector<Record> records;
  std::uint64_t damaged_bytes = 0;  // of no record: a torn piece, or worse
};
Result<JournalContents> inspect_journal(int folder);

// The supervisor's way: opens by name under the lock that compaction holds, so that no record goes to a replaced file.
// 0 or an errno; EWOULDBLOCK while a compaction is under way.
int append_to_journal(int folder, Record& record) noexcept;

}  // namespace baton::worker
