#include <baton/store/store.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "reader.hpp"

namespace baton::store {
namespace {

// SQLite's names (https://www.sqlite.org/walformat.html, section 1); the database itself first.
constexpr std::array kSuffixes{"", "-wal", "-shm"};

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
  return now[0] && now[0] != opened_[0] ? Place::replaced : Place::lost;
}

Result<std::string> OpenFiles::save(Queries& queries, const std::string& aside, bool put_back) const {
  if (const Result<> copied = queries.copy_to(aside); !copied) return std::unexpected(copied.error());
  if (!put_back) return aside;
  // The copy has what is in the log, and SQLite would read a log that it finds into any database of that name. When the
  // store is closed, SQLite sees that the database was moved and leaves what is there alone.
  const Place place = look();
  const auto now = identities();
  for (std::size_t i = 1; i < kSuffixes.size(); ++i) {
    if (place == Place::lost || now[i] == opened_[i]) ::unlink((path_ + kSuffixes[i]).c_str());
  }
  if (place != Place::lost) return aside;
  if (::rename(aside.c_str(), path_.c_str()) != 0) return fail_errno(errno, path_);
  const std::string folder = std::filesystem::path(path_).parent_path().string();
  if (const Result<> synced = sync_path(folder, O_RDONLY | O_DIRECTORY); !synced)
    return std::unexpected(synced.error());
  return path_;
}

}  // namespace baton::store
