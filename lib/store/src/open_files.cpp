#include <baton/store/store.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "reader.hpp"
#include "reserve.hpp"

namespace baton::store {
namespace {

// SQLite's names (https://www.sqlite.org/walformat.html, section 1); the database itself first.
constexpr std::array kSuffixes{"", "-wal", "-shm"};
constexpr std::size_t kDatabase = 0, kLog = 1, kIndex = 2;

}  // namespace

OpenFiles::OpenFiles(std::string path) : path_(std::move(path)), opened_(identities()) {}

std::array<OpenFiles::Identity, 3> OpenFiles::identities() const {
  std::array<Identity, 3> found;
  for (std::size_t i = 0; i < kSuffixes.size(); ++i) {
    struct stat info{};
    if (::stat((path_ + kSuffixes[i]).c_str(), &info) == 0) found[i].emplace(info.st_dev, info.st_ino);
  }
  return found;
}

OpenFiles::Place OpenFiles::look() const {
  const auto now = identities();
  if (now == opened_) return Place::kept;
  return now[kDatabase] && now[kDatabase] != opened_[kDatabase] ? Place::replaced : Place::lost;
}

// SQLite reads a log that it finds into any database of that name.
void OpenFiles::remove_logs(bool of_ours) const {
  const auto now = identities();
  for (const std::size_t i : {kLog, kIndex}) {
    if ((now[i] == opened_[i]) == of_ours) ::unlink((path_ + kSuffixes[i]).c_str());
  }
}

Result<std::string> OpenFiles::save(Queries& queries, const std::string& aside, bool put_back) const {
  const auto is_whole = [this] {
    const auto now = identities();
    return now[kDatabase] == opened_[kDatabase] && now[kLog] == opened_[kLog];
  };
  if (is_whole()) return path_;  // without the log's index nothing is lost; whoever opens it makes another
  Result<> copied = queries.copy_to(aside);
  if (!copied && copied.error().code == ErrorCode::disk_full && Reserve::beside(path_).give_back(0)) {
    copied = queries.copy_to(aside);
  }
  if (!copied) return std::unexpected(copied.error());
  if (is_whole()) {  // it was moved away and is back
    ::unlink(aside.c_str());
    return path_;
  }
  if (!put_back) return aside;
  if (look() == Place::replaced) {
    remove_logs(true);
    return aside;
  }
  // The log of another is in the way. Ours goes after the copy has its place: read into it, it changes nothing.
  remove_logs(false);
  if (identities()[kDatabase]) {
    if (::rename(aside.c_str(), path_.c_str()) != 0) return fail_errno(errno, path_);
  } else {
    if (::link(aside.c_str(), path_.c_str()) != 0) {
      if (errno == EEXIST) return aside;
      return fail_errno(errno, path_);
    }
    ::unlink(aside.c_str());
  }
  const std::string folder = std::filesystem::path(path_).parent_path().string();
  if (const Result<> synced = sync_path(folder, O_RDONLY | O_DIRECTORY); !synced) {
    return std::unexpected(synced.error());
  }
  remove_logs(true);
  return path_;
}

}  // namespace baton::store
