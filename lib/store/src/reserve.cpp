#include "reserve.hpp"

#include <baton/base/descriptor.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace baton::store {
namespace {

Descriptor open_reserve(const std::string& path, int flags) {
  return Descriptor(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0600));
}

std::uint64_t size_of(const Descriptor& file) {
  struct stat info{};
  return ::fstat(file.get(), &info) == 0 && S_ISREG(info.st_mode) ? static_cast<std::uint64_t>(info.st_size) : 0;
}

}  // namespace

bool Reserve::take() const {
  const Descriptor file = open_reserve(path_, O_CREAT);
  if (!file) return errno != ENOSPC && errno != EDQUOT;
  // In steps: a disk with less room than all of it gives what it has.
  constexpr std::uint64_t kStep = kForStarts;
  for (std::uint64_t size = size_of(file); size < kBytes; size += kStep) {
    if (::fallocate(file.get(), 0, static_cast<off_t>(size), static_cast<off_t>(kStep)) != 0) {
      return errno != ENOSPC && errno != EDQUOT;
    }
  }
  return true;
}

bool Reserve::give_back(std::uint64_t keep) const {
  const Descriptor file = open_reserve(path_, 0);
  return file && size_of(file) > keep && ::ftruncate(file.get(), static_cast<off_t>(keep)) == 0;
}

}  // namespace baton::store
