#include <baton/worker/journal.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "small_disk.hpp"
#include "temp_folder.hpp"

namespace baton::worker {
namespace {

Record started(std::uint64_t attempt, std::uint32_t pid, std::uint32_t segment = 1) {
  Record record(RecordKind::started);
  record.attempt = attempt;
  record.pid = pid;
  record.start.segment = segment;
  record.start.boot_from_ns = attempt * 1'000'000'000u;
  record.start.boot_to_ns = record.start.boot_from_ns + 1'000'000u;
  return record;
}

Record exited(std::uint64_t attempt, std::uint32_t pid, std::int32_t status) {
  Record record(RecordKind::exited);
  record.attempt = attempt;
  record.pid = pid;
  record.end.status = status;
  return record;
}

Record forgotten(std::initializer_list<std::uint64_t> attempts) {
  Record record(RecordKind::forgotten);
  std::copy(attempts.begin(), attempts.end(), record.forgotten);
  return record;
}

Record boot(const char* id) {
  Record record(RecordKind::boot);
  std::strncpy(record.boot_id, id, sizeof record.boot_id - 1);
  return record;
}

std::vector<std::uint64_t> attempts(const std::vector<Record>& records) {
  std::vector<std::uint64_t> ids;
  for (const Record& record : records) ids.push_back(record.attempt);
  return ids;
}

Ledger fold(const std::vector<Record>& records) {
  Ledger ledger;
  for (const Record& record : records) ledger.apply(record);
  return ledger;
}

}  // namespace

TEST_CASE("records come back in order, once each") {
  TempFolder temp;
  auto journal = Journal::open(temp.fd());
  REQUIRE(journal);
  for (std::uint64_t attempt = 1; attempt <= 3; ++attempt) {
    Record record = started(attempt, 10);
    REQUIRE(journal->append(record));
  }
  CHECK(attempts(*journal->read_new()) == std::vector<std::uint64_t>{1, 2, 3});
  CHECK(journal->read_new()->empty());
  Record more = started(4, 10);
  REQUIRE(journal->append(more));
  CHECK(attempts(*journal->read_new()) == std::vector<std::uint64_t>{4});
}

TEST_CASE("a torn or mutated record is skipped and the others count") {
  TempFolder temp;
  std::string bytes;
  for (std::uint64_t attempt = 1; attempt <= 4; ++attempt) {
    Record record = started(attempt, 10);
    seal(record);
    bytes.append(reinterpret_cast<const char*>(&record), sizeof record);
  }
  constexpr std::size_t kSize = sizeof(Record);
  SECTION("cut at every byte") {
    for (std::size_t cut = 0; cut < kSize; ++cut) {
      spill(temp.path("journal"), bytes.substr(0, kSize + cut) + bytes.substr(2 * kSize));
      auto journal = Journal::open(temp.fd());
      CHECK(attempts(*journal->read_new()) == std::vector<std::uint64_t>{1, 3, 4});
    }
  }
  SECTION("any bit flipped") {
    for (std::size_t bit = 0; bit < kSize * 8; bit += 5) {
      std::string mutant = bytes;
      mutant[kSize + bit / 8] = static_cast<char>(mutant[kSize + bit / 8] ^ (1 << (bit % 8)));
      spill(temp.path("journal"), mutant);
      auto journal = Journal::open(temp.fd());
      CHECK(attempts(*journal->read_new()) == std::vector<std::uint64_t>{1, 3, 4});
    }
  }
  SECTION("a torn end is completed by nobody, and what follows it is read") {
    spill(temp.path("journal"), bytes.substr(0, 3 * kSize + 50));
    auto journal = Journal::open(temp.fd());
    CHECK(journal->read_new()->size() == 3);
    Record record = started(9, 10);
    REQUIRE(journal->append(record));
    CHECK(attempts(*journal->read_new()) == std::vector<std::uint64_t>{9});
  }
}

TEST_CASE("of two records that say the same the first wins") {
  const Ledger ledger = fold({started(1, 10), exited(1, 10, 0x100), exited(1, 10, 0x200), started(1, 11)});
  const Ledger::Entry& entry = ledger.entries().at(AttemptId(1));
  CHECK(entry.exited->end.status == 0x100);
  CHECK(entry.started->pid == 10);
}

TEST_CASE("the supervisor's exits find their attempt by pid") {
  Record late = exited(0, 10, 0x300);
  SECTION("the last that had it") {
    const Ledger ledger = fold({started(1, 10), exited(0, 10, 0x100), started(2, 10, 2), late});
    CHECK(ledger.entries().at(AttemptId(1)).exited->end.status == 0x100);
    CHECK(ledger.entries().at(AttemptId(2)).exited->end.status == 0x300);
  }
  SECTION("not one that began at another time") {
    late.end.start_ns = 5'000'000'000u;
    CHECK_FALSE(fold({started(1, 10), late}).entries().at(AttemptId(1)).exited);
    late.end.start_ns = 1'000'000'000u;
    CHECK(fold({started(1, 10), late}).entries().at(AttemptId(1)).exited);
  }
  SECTION("not one of another boot, and not a stranger") {
    CHECK_FALSE(fold({started(1, 10), boot("b"), late}).entries().at(AttemptId(1)).exited);
    CHECK(fold({late}).entries().empty());
  }
}

TEST_CASE("a slot's next attempt proves that the one before has ended") {
  const std::vector<Record> records = {started(1, 10, 7), exited(1, 10, 0x100), started(2, 11, 7)};
  const Ledger ledger = fold(records);
  REQUIRE(ledger.entries().at(AttemptId(1)).finished);
  CHECK(ledger.entries().at(AttemptId(1)).finished->end.status == 1);
  CHECK_FALSE(ledger.entries().at(AttemptId(2)).finished);
  // Also when that one is dropped by a compaction.
  std::vector<Record> kept = records;
  kept.push_back(exited(2, 11, 0));
  kept.push_back(forgotten({2}));
  CHECK(fold(fold(kept).records()).entries().at(AttemptId(1)).finished);
}

TEST_CASE("an exit that is recorded behind the slot's next start decides as well, also after a compaction") {
  const Ledger ledger = fold({started(1, 10, 7), started(2, 11, 7), exited(1, 10, 0x100)});
  REQUIRE(ledger.entries().at(AttemptId(1)).finished);
  CHECK(ledger.entries().at(AttemptId(1)).finished->end.status == 1);
  CHECK(fold(ledger.records()).records().size() == ledger.records().size());
}

TEST_CASE("a start in the slot of an attempt of which only the exit is left") {
  const Ledger ledger = fold({started(1, 10, 7), forgotten({1}), exited(1, 10, 0x100), started(2, 11, 7)});
  CHECK(ledger.entries().contains(AttemptId(2)));
  CHECK_FALSE(ledger.entries().at(AttemptId(1)).finished);
}

TEST_CASE("compaction keeps what matters and nothing else") {
  TempFolder temp;
  auto journal = Journal::open(temp.fd(), 1u << 20);
  REQUIRE(journal);
  Record id = boot("the boot");
  REQUIRE(journal->append(id));
  for (std::uint64_t attempt = 1; attempt <= 100; ++attempt) {
    Record one = started(attempt, static_cast<std::uint32_t>(attempt), static_cast<std::uint32_t>(attempt));
    Record two = exited(attempt, static_cast<std::uint32_t>(attempt), 0x100);
    REQUIRE(journal->append(one));
    REQUIRE(journal->append(two));
    if (attempt == 50) continue;
    Record three = forgotten({attempt});
    REQUIRE(journal->append(three));
  }
  Record unread = exited(0, 9, 0);
  CHECK(journal->read_new()->size() == 1 + 100 + 100 + 99);
  REQUIRE(append_to_journal(temp.fd(), unread) == 0);
  REQUIRE(journal->compact());
  struct stat info{};
  REQUIRE(::stat(temp.path("journal").c_str(), &info) == 0);
  CHECK(info.st_size == static_cast<off_t>(3 * sizeof(Record)));

  // The session goes on with the new file, and so does the supervisor.
  Record own = started(101, 200, 101);
  REQUIRE(journal->append(own));
  Record supervisors = exited(0, 200, 0x500);
  REQUIRE(append_to_journal(temp.fd(), supervisors) == 0);
  auto again = Journal::open(temp.fd());
  const Ledger ledger = fold(*again->read_new());
  CHECK(ledger.boot_id() == "the boot");
  REQUIRE(ledger.entries().size() == 2);
  CHECK(ledger.entries().at(AttemptId(50)).exited);
  CHECK(ledger.entries().at(AttemptId(101)).exited->end.status == 0x500);
}

TEST_CASE("compaction is due when the file has grown, and a crash in it leaves the old journal") {
  TempFolder temp;
  auto journal = Journal::open(temp.fd(), 10 * sizeof(Record));
  REQUIRE(journal);
  for (std::uint64_t attempt = 1; attempt <= 10; ++attempt) {
    CHECK_FALSE(journal->wants_compaction());
    Record record = started(attempt, 10, static_cast<std::uint32_t>(attempt));
    REQUIRE(journal->append(record));
  }
  CHECK(journal->wants_compaction());
  spill(temp.path("journal.new"), "what a crash left");
  REQUIRE(journal->compact());
  CHECK_FALSE(journal->wants_compaction());
  CHECK(Journal::open(temp.fd())->read_new()->size() == 10);
}

TEST_CASE("the supervisor does not wait for a compaction") {
  TempFolder temp;
  const Descriptor lock(::open(temp.path("journal.lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  REQUIRE(::flock(lock.get(), LOCK_EX) == 0);
  Record record = exited(0, 1, 0);
  CHECK(append_to_journal(temp.fd(), record) == EWOULDBLOCK);
}

TEST_CASE(
    "a full disk leaves the journal the room that was kept for it, and what is torn there costs no other record") {
  const TempFolder outer;
  testing::check_on_small_disk(outer.root(), "size=4m", [&]() -> std::string {
    constexpr std::uint64_t kKept = 1u << 20;
    constexpr std::uint64_t kFits = (kKept + kKept / Journal::kSpareShare) / sizeof(Record);
    auto folder = open_folder(outer.root() + "/small");
    if (!folder) return folder.error().message;
    auto journal = Journal::open(folder->fd.get(), kKept);
    if (!journal) return journal.error().message;
    testing::fill_disk(outer.root() + "/filler");
    std::uint64_t attempt = 0;
    for (; attempt < kFits; ++attempt) {
      Record record = exited(attempt, 1, 0);
      if (auto done = journal->append(record); !done) return fmt::format("{}: {}", attempt, done.error().message);
    }
    Record beyond = exited(attempt, 1, 0);
    const auto refused = journal->append(beyond);
    if (refused || refused.error().code != ErrorCode::disk_full) return "more fits than there is room";
    std::filesystem::remove(outer.root() + "/filler");
    for (std::uint64_t more = 0; more < 10; ++more) {
      Record record = exited(kFits + more, 1, 0);
      if (auto done = journal->append(record); !done) return "there is room again: " + done.error().message;
    }
    const auto records = journal->read_new();
    if (!records) return records.error().message;
    return records->size() == kFits + 10 ? "" : fmt::format("{} records come back", records->size());
  });
}

TEST_CASE("a journal that cannot be compacted leaves nothing behind and still has room") {
  const TempFolder outer;
  testing::check_on_small_disk(outer.root(), "size=4m", [&]() -> std::string {
    constexpr std::uint64_t kLong = 1u << 20;
    auto folder = open_folder(outer.root() + "/small");
    if (!folder) return folder.error().message;
    auto journal = Journal::open(folder->fd.get(), kLong);
    if (!journal) return journal.error().message;
    std::uint64_t attempt = 0;
    while (!journal->wants_compaction()) {
      ++attempt;
      Record record = started(attempt, 1, static_cast<std::uint32_t>(attempt));
      if (auto done = journal->append(record); !done) return done.error().message;
    }
    testing::fill_disk(outer.root() + "/filler");
    if (journal->compact()) return "it was compacted on a full disk";
    if (::faccessat(folder->fd.get(), "journal.new", F_OK, 0) == 0) return "a half-made journal is left";
    std::uint64_t more = 0;
    while (!journal->wants_compaction()) {  // it asks again while there is room
      Record record = exited(++more, 1, 0);
      if (auto done = journal->append(record); !done) return done.error().message;
    }
    std::filesystem::remove(outer.root() + "/filler");
    if (auto compacted = journal->compact(); !compacted) return compacted.error().message;
    return journal->read_new()->size() == attempt + more ? "" : "records are lost";
  });
}

TEST_CASE("random bytes are no records") {
  TempFolder temp;
  std::string noise;
  std::uint32_t state = 1;
  for (int i = 0; i < 100'000; ++i) {
    state = state * 1664525u + 1013904223u;
    noise += static_cast<char>(state >> 24);
    if (i % 50 == 0) noise += "BATN";
  }
  spill(temp.path("journal"), noise);
  CHECK(Journal::open(temp.fd())->read_new()->empty());
}

}  // namespace baton::worker
