#include <baton/worker/record.hpp>
#include <boost/crc.hpp>

#include <unistd.h>
#include <cerrno>

namespace baton::worker {
namespace {

constexpr std::size_t kCrcFrom = offsetof(Record, version);

std::uint32_t checksum(const Record& record) noexcept {
  boost::crc_32_type crc;
  crc.process_bytes(reinterpret_cast<const char*>(&record) + kCrcFrom, sizeof record - kCrcFrom);
  return crc.checksum();
}

// USER_HZ: the unit of start times in /proc. It is 100 on every architecture that Linux still runs on but one.
std::uint64_t tick_ns() noexcept {
  static const std::uint64_t value = 1'000'000'000u / static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
  return value;
}

}  // namespace

void seal(Record& record) noexcept {
  record.magic = Record::kMagic;
  record.version = Record::kVersion;
  record.crc = checksum(record);
}

bool intact(const Record& record) noexcept {
  return record.magic == Record::kMagic && record.version == Record::kVersion && record.crc == checksum(record);
}

int append_record(int journal_fd, Record& record) noexcept {
  seal(record);
  for (;;) {
    const ssize_t written = ::write(journal_fd, &record, sizeof record);
    if (written == static_cast<ssize_t>(sizeof record)) return 0;
    if (written >= 0) return ENOSPC;
    if (errno != EINTR) return errno;
  }
}

bool same_process(const Record& started, std::uint64_t start_ns) noexcept {
  return start_ns + tick_ns() > started.start.boot_from_ns && start_ns <= started.start.boot_to_ns;
}

}  // namespace baton::worker
