#include "worker_disk.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <utility>

namespace baton::sim {
namespace {

const WorkerDisk* in_use;

bool exists(int folder, const char* name) {
  struct stat info{};
  return ::fstatat(folder, name, &info, AT_SYMLINK_NOFOLLOW) == 0;
}

// How far the file can grow without more room.
std::uint64_t taken(const struct stat& info) { return static_cast<std::uint64_t>(info.st_blocks) * 512; }

// How many of `size` bytes a write to this file still finds room for.
std::size_t room_for(int fd, std::size_t size) {
  struct stat info{};
  if (in_use == nullptr || !in_use->full() || ::fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) return size;
  const bool appends = (::fcntl(fd, F_GETFL) & O_APPEND) != 0;
  const auto at = static_cast<std::uint64_t>(appends ? info.st_size : ::lseek(fd, 0, SEEK_CUR));
  return std::min<std::size_t>(size, taken(info) > at ? taken(info) - at : 0);
}

}  // namespace

WorkerDisk::Use::Use(const WorkerDisk& disk) : before_(std::exchange(in_use, &disk)) {}
WorkerDisk::Use::~Use() { in_use = before_; }

}  // namespace baton::sim

// NOLINTBEGIN(bugprone-reserved-identifier): these names are the linker's.
extern "C" {
ssize_t __real_write(int fd, const void* bytes, size_t size);
int __real_openat(int folder, const char* name, int flags, ...);
int __real_mkdirat(int folder, const char* name, mode_t mode);
int __real_fallocate(int fd, int mode, off_t offset, off_t size);

static int no_space() {
  errno = ENOSPC;
  return -1;
}

ssize_t __wrap_write(int fd, const void* bytes, size_t size) {
  const size_t fits = baton::sim::room_for(fd, size);
  return fits == 0 && size > 0 ? no_space() : __real_write(fd, bytes, fits);
}

int __wrap_openat(int folder, const char* name, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  const bool full = baton::sim::in_use != nullptr && baton::sim::in_use->no_files();
  if (full && (flags & O_CREAT) != 0 && !baton::sim::exists(folder, name)) return no_space();
  return __real_openat(folder, name, flags, mode);
}

int __wrap_mkdirat(int folder, const char* name, mode_t mode) {
  const bool full = baton::sim::in_use != nullptr && baton::sim::in_use->full();
  return full && !baton::sim::exists(folder, name) ? no_space() : __real_mkdirat(folder, name, mode);
}

int __wrap_fallocate(int fd, int mode, off_t offset, off_t size) {
  struct stat info{};
  const bool takes = (mode & FALLOC_FL_PUNCH_HOLE) == 0;
  if (takes && baton::sim::in_use != nullptr && baton::sim::in_use->full() && ::fstat(fd, &info) == 0) {
    return baton::sim::taken(info) >= static_cast<std::uint64_t>(offset + size) ? 0 : no_space();
  }
  return __real_fallocate(fd, mode, offset, size);
}
}
// NOLINTEND(bugprone-reserved-identifier)
