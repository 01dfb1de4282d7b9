// The worker's journal. Input: pieces of 12 bytes, each a record in short form or some bytes that are none.
#include <unistd.h>
#include <baton/worker/folder.hpp>
#include <baton/worker/journal.hpp>
#include <baton/worker/outcome.hpp>

#include <cstring>
#include <filesystem>

#include "../target.hpp"
#include "temp_folder.hpp"

namespace baton::fuzz {
namespace {

using worker::Journal;
using worker::Ledger;
using worker::Record;
using worker::RecordKind;

constexpr std::size_t kPiece = 12;

Record record_of(std::string_view piece) {
  const auto byte = [piece](std::size_t at) { return static_cast<std::uint8_t>(piece[at]); };
  Record record(static_cast<RecordKind>(byte(0) % 9));  // 0 and 8 are kinds of the future
  record.attempt = byte(1) % 8;
  record.pid = byte(2) % 8;
  record.cause = byte(3);
  record.flags = byte(4);
  record.time_us = static_cast<std::int64_t>(byte(5)) * 1'000'000;
  switch (record.kind) {
    case RecordKind::boot:
      std::memset(record.boot_id, 'a' + byte(6) % 4, byte(7) % sizeof record.boot_id);
      break;
    case RecordKind::started:
      record.start.segment = byte(6) % 4;
      record.start.slot = byte(9) % 3;
      record.start.boot_from_ns = byte(7) * std::uint64_t{1'000'000'000};
      record.start.boot_to_ns = record.start.boot_from_ns + byte(8);
      break;
    case RecordKind::forgotten:
      for (std::size_t i = 0; i < 4; ++i) record.forgotten[i] = byte(6 + i) % 8;
      break;
    default:
      record.end.start_ns = byte(6) * std::uint64_t{1'000'000'000};
      std::memcpy(&record.end.status, piece.data() + 7, sizeof record.end.status);
      break;
  }
  worker::seal(record);
  return record;
}

bool same(const Record& a, const Record& b) { return std::memcmp(&a, &b, sizeof a) == 0; }

// Also seals what the ledger made up itself.
std::vector<Record> sealed(std::vector<Record> records) {
  for (Record& record : records) worker::seal(record);
  return records;
}

Ledger replayed(const std::vector<Record>& records) {
  Ledger ledger;
  for (const Record& record : records) ledger.apply(record);
  return ledger;
}

void check_same(const Ledger& a, const Ledger& b) {
  holds(a.boot_id() == b.boot_id(), "the boot id is the same");
  holds(a.entries().size() == b.entries().size(), "the attempts are the same");
  const auto first = sealed(a.records());
  const auto second = sealed(b.records());
  holds(first.size() == second.size(), "as many records");
  for (std::size_t i = 0; i < first.size(); ++i) holds(same(first[i], second[i]), "the same records");
}

void check_outcomes(const Ledger& ledger) {
  for (const auto& [attempt, entry] : ledger.entries()) {
    const auto* started = entry.started ? &*entry.started : nullptr;
    if (entry.finished) worker::outcome_of_finished(*entry.finished, started);
    if (started != nullptr) {
      worker::outcome_of(*started, entry.exited ? &*entry.exited : nullptr, entry.killed ? &*entry.killed : nullptr);
      worker::open_log(*started);
    }
  }
}

}  // namespace

void journal(std::string_view input) {
  static const TempFolder folder;
  const std::string path = folder.path("journal");
  std::filesystem::remove(path);
  constexpr std::uint64_t kReserved = 4096;  // the usual 8 MiB of room take a hundred times as long as all else here
  auto log = Journal::open(folder.fd(), kReserved);
  holds(log.has_value(), "a journal opens");
  std::vector<Record> intact;
  for (; input.size() >= kPiece; input.remove_prefix(kPiece)) {
    const std::string_view piece = input.substr(0, kPiece);
    Record record = record_of(piece);
    const auto size = static_cast<std::size_t>(static_cast<std::uint8_t>(piece[11])) / 2;
    if ((static_cast<std::uint8_t>(piece[10]) & 3) == 3) {  // torn, or junk
      std::string bytes(reinterpret_cast<const char*>(&record), size);
      if ((static_cast<std::uint8_t>(piece[10]) & 4) == 0) {
        bytes = piece.substr(0, size % kPiece);
        // Zeros could complete a record that is torn near its end, and that is then an intact one.
        if (!bytes.empty()) bytes.front() = '\xff';
      }
      const ssize_t written = ::write(log->fd(), bytes.data(), bytes.size());
      holds(written == static_cast<ssize_t>(bytes.size()), "the disk takes it");
    } else {
      holds(log->append(record).has_value(), "a record is appended");
      intact.push_back(record);
    }
  }
  const auto read = log->read_new();
  holds(read.has_value() && read->size() == intact.size(), "every intact record is read, and nothing else");
  for (std::size_t i = 0; i < intact.size(); ++i) holds(same((*read)[i], intact[i]), "in order and unchanged");

  const Ledger ledger = replayed(intact);
  check_outcomes(ledger);
  holds(log->compact().has_value(), "a journal is compacted");
  const auto compacted = log->read_new();
  holds(compacted.has_value() && compacted->size() <= intact.size() + ledger.entries().size() + 1, "it got no longer");
  check_same(replayed(*compacted), ledger);
}

}  // namespace baton::fuzz
