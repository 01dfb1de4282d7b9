#include <baton/base/file.hpp>
#include <baton/worker/journal.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cstdio>

namespace baton::worker {
namespace {

constexpr const char* kName = "journal";
constexpr const char* kNewName = "journal.new";
constexpr const char* kLockName = "journal.lock";
constexpr int kAppend = O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW;

Result<Descriptor> open_at(int folder, const char* name, int flags) {
  Descriptor fd(::openat(folder, name, flags, 0600));
  if (!fd) return fail_errno(errno, name);
  return fd;
}

// Room that a full disk cannot take away: as much as there is, where it is less. Not every file system can do it, and
// then there is none.
void reserve(int fd, std::uint64_t bytes) {
  while (bytes >= sizeof(Record) && ::fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(bytes)) != 0) {
    if (errno != ENOSPC && errno != EDQUOT && errno != EINTR) return;
    bytes /= 2;
  }
}

// Finds the records in `bytes`. A crash or a full disk may leave a torn piece anywhere; behind it the next intact
// record counts again. Gives the number of bytes that are done with.
std::size_t scan(std::string_view bytes, std::vector<Record>& records) {
  std::size_t at = 0;
  while (bytes.size() - at >= sizeof(Record)) {
    Record record;
    std::memcpy(static_cast<void*>(&record), bytes.data() + at, sizeof record);
    if (intact(record)) {
      records.push_back(record);
      at += sizeof record;
      continue;
    }
    const void* next =
        std::memchr(bytes.data() + at + 1, static_cast<int>(Record::kMagic & 0xff), bytes.size() - at - 1);
    at = next != nullptr ? static_cast<std::size_t>(static_cast<const char*>(next) - bytes.data()) : bytes.size();
  }
  return at;
}

}  // namespace

Journal::Journal(int folder, Descriptor fd, std::uint64_t size, std::uint64_t compact_bytes)
    : folder_(folder), fd_(std::move(fd)), size_(size), compact_bytes_(compact_bytes), compact_at_(compact_bytes) {}

Result<Journal> Journal::open(int folder, std::uint64_t compact_bytes) {
  auto fd = open_at(folder, kName, kAppend);
  if (!fd) return std::unexpected(fd.error());
  struct stat info{};
  if (::fstat(fd->get(), &info) != 0) return fail_errno(errno, "journal");
  if (!S_ISREG(info.st_mode)) return fail(ErrorCode::invalid_argument, "journal: not a regular file");
  const auto size = static_cast<std::uint64_t>(info.st_size);
  if (const std::uint64_t room = compact_bytes + compact_bytes / kSpareShare; size < room) reserve(fd->get(), room);
  return Journal(folder, std::move(*fd), size, compact_bytes);
}

Result<void> Journal::append(Record& record) {
  if (const int error = append_record(fd_.get(), record); error != 0) return fail_errno(error, "journal");
  size_ += sizeof record;
  return {};
}

Result<void> Journal::read(std::uint64_t& from, const std::function<void(const Record&)>& take) const {
  std::string bytes;
  std::vector<Record> records;
  constexpr std::size_t kChunk = 64u << 10;
  for (;;) {
    const std::size_t had = bytes.size();
    bytes.resize(had + kChunk);
    const ssize_t got = ::pread(fd_.get(), bytes.data() + had, kChunk, static_cast<off_t>(from + had));
    if (got < 0) return fail_errno(errno, "journal");
    bytes.resize(had + static_cast<std::size_t>(got));
    records.clear();
    const std::size_t done = scan(bytes, records);
    from += done;
    bytes.erase(0, done);
    for (const Record& record : records) take(record);
    if (got == 0) return {};
  }
}

Result<std::vector<Record>> Journal::read_new() {
  std::vector<Record> records;
  auto read_all = read(read_to_, [&](const Record& record) { records.push_back(record); });
  if (!read_all) return std::unexpected(read_all.error());
  return records;
}

Result<void> Journal::compact() {
  constexpr std::uint64_t kTriesWithinSpare = 4;
  compact_at_ = size_ + compact_bytes_ / kSpareShare / kTriesWithinSpare;
  auto lock = open_at(folder_, kLockName, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW);
  if (!lock) return std::unexpected(lock.error());
  if (::flock(lock->get(), LOCK_EX) != 0) return fail_errno(errno, kLockName);
  auto rewritten = rewrite();
  if (!rewritten) ::unlinkat(folder_, kNewName, 0);  // its room is wanted
  return rewritten;
}

Result<void> Journal::rewrite() {
  Ledger ledger;
  std::uint64_t from = 0;
  if (auto all = read(from, [&](const Record& record) { ledger.apply(record); }); !all) return all;

  ::unlinkat(folder_, kNewName, 0);
  auto fresh = open_at(folder_, kNewName, kAppend | O_EXCL);
  if (!fresh) return std::unexpected(fresh.error());
  std::vector<Record> records = ledger.records();
  reserve(fresh->get(), records.size() * sizeof(Record) + compact_bytes_ + compact_bytes_ / kSpareShare);
  std::uint64_t size = 0;
  for (Record& record : records) {
    if (const int error = append_record(fresh->get(), record); error != 0) return fail_errno(error, kNewName);
    size += sizeof record;
  }
  if (::fsync(fresh->get()) != 0) return fail_errno(errno, kNewName);
  if (::renameat(folder_, kNewName, folder_, kName) != 0) return fail_errno(errno, kName);
  ::fsync(folder_);
  fd_ = std::move(*fresh);
  size_ = size;
  read_to_ = 0;  // what was not read yet is in there too
  compact_at_ = size_ + compact_bytes_;
  return {};
}

Result<JournalContents> inspect_journal(int folder) {
  constexpr std::size_t kMaxBytes = 1u << 30;  // it is compacted long before
  const auto bytes = read_file_at(folder, kName, kMaxBytes);
  if (!bytes) return std::unexpected(bytes.error());
  JournalContents contents;
  scan(*bytes, contents.records);
  contents.damaged_bytes = bytes->size() - contents.records.size() * sizeof(Record);
  return contents;
}

int append_to_journal(int folder, Record& record) noexcept {
  const Descriptor lock(::openat(folder, kLockName, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock || ::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) return errno;
  const Descriptor journal(::openat(folder, kName, kAppend, 0600));
  if (!journal) return errno;
  return append_record(journal.get(), record);
}

}  // namespace baton::worker
