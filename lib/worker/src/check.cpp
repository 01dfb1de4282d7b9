// Reads a worker folder as the next session would, and says what it would not understand.
#include <baton/worker/check.hpp>

#include <baton/base/descriptor.hpp>
#include <baton/worker/journal.hpp>

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include "runner_files.hpp"

namespace baton::worker {
namespace {

void check_part(int folder, const char* name, bool is_folder, std::vector<std::string>& findings) {
  struct stat info{};
  if (::fstatat(folder, name, &info, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno != ENOENT) findings.push_back(fail_errno(errno, name).error().message);
  } else if (is_folder ? !S_ISDIR(info.st_mode) : !S_ISREG(info.st_mode)) {
    findings.push_back(fmt::format("{} is not a {}", name, is_folder ? "folder" : "regular file"));
  } else if (info.st_uid != ::geteuid()) {
    findings.push_back(fmt::format("{} belongs to user {}", name, info.st_uid));
  }
}

// What a session needs to take an attempt over that has not ended.
void check_running(int folder, AttemptId attempt, const Record& started, std::vector<std::string>& findings) {
  const std::string log = segment_name(started.start.segment);
  if (::faccessat(folder, log.c_str(), F_OK, 0) != 0) {
    findings.push_back(fmt::format("attempt {}: its log {} is missing", attempt.value(), log));
  }
  if ((started.flags & Record::kHasSideFile) == 0) return;
  Slot slot;
  slot.folder = slot_name(slot_of(started));
  if (const auto launch = read_launch(folder, slot); !launch) {
    findings.push_back(fmt::format("attempt {}: {}", attempt.value(), launch.error().message));
  } else if (launch->attempt != attempt) {
    findings.push_back(fmt::format("attempt {}: {}/launch is another attempt's", attempt.value(), slot.folder));
  }
}

void check_journal(int folder, std::vector<std::string>& findings) {
  const auto contents = inspect_journal(folder);
  if (!contents) {
    if (contents.error().code != ErrorCode::not_found) findings.push_back(contents.error().message);
    return;
  }
  if (contents->damaged_bytes > 0) {
    findings.push_back(
        fmt::format("journal: {} bytes are no records, what they said is lost", contents->damaged_bytes));
  }
  Ledger ledger;
  for (const Record& record : contents->records) ledger.apply(record);
  for (const auto& [attempt, entry] : ledger.entries()) {
    if (entry.finished && (entry.finished->flags & Record::kHasSideFile) != 0) {
      if (const auto details = read_details(folder, attempt); !details) {
        findings.push_back(fmt::format("attempt {}: {}", attempt.value(), details.error().message));
      }
    } else if (entry.started && !entry.finished && !entry.exited) {
      check_running(folder, attempt, *entry.started, findings);
    }
  }
}

}  // namespace

Result<std::vector<std::string>> check_folder(const std::string& path) {
  const Descriptor folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return fail_errno(errno, path);
  std::vector<std::string> findings;
  struct stat info{};
  if (::fstat(folder.get(), &info) != 0) return fail_errno(errno, path);
  if (info.st_uid != ::geteuid()) findings.push_back(fmt::format("the folder belongs to user {}", info.st_uid));
  if ((info.st_mode & 0077) != 0) findings.emplace_back("the folder can be entered by others");
  for (const char* part : {"logs", "slots", "trash", "details"}) check_part(folder.get(), part, true, findings);
  for (const char* part : {"journal", "daemon", "boot-id"}) check_part(folder.get(), part, false, findings);
  if (const auto owner = read_owner(folder.get()); !owner && owner.error().code != ErrorCode::not_found) {
    findings.push_back(owner.error().message);
  }
  check_journal(folder.get(), findings);
  return findings;
}

}  // namespace baton::worker
