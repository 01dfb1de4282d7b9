#include <baton/base/descriptor.hpp>
#include <baton/base/file.hpp>

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

namespace baton {
namespace {

Result<> write_all(int fd, std::string_view bytes, const std::string& name) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail_errno(errno, name);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

}  // namespace

Result<std::string> read_file_at(int folder, const char* name, std::size_t max_bytes) {
  const Descriptor fd(::openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd) return fail_errno(errno, name);
  struct stat info{};
  if (::fstat(fd.get(), &info) != 0) return fail_errno(errno, name);
  if (!S_ISREG(info.st_mode)) return fail(ErrorCode::invalid_argument, "{}: not a regular file", name);
  std::string bytes;
  char chunk[16384];
  for (;;) {
    const ssize_t got = ::read(fd.get(), chunk, sizeof chunk);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(errno, name);
    if (got == 0) return bytes;
    bytes.append(chunk, static_cast<std::size_t>(got));
    if (bytes.size() > max_bytes) return fail(ErrorCode::limit, "{}: over {} bytes", name, max_bytes);
  }
}

Result<> create_file_at(int folder, const std::string& name, std::string_view bytes) {
  const Descriptor fd(::openat(folder, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) return fail_errno(errno, name);
  return write_all(fd.get(), bytes, name);
}

Result<> replace_file_at(int folder, const std::string& name, std::string_view bytes, bool durable) {
  const std::string fresh = name + ".new";
  ::unlinkat(folder, fresh.c_str(), 0);
  const Descriptor fd(::openat(folder, fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) return fail_errno(errno, fresh);
  if (auto written = write_all(fd.get(), bytes, fresh); !written) return written;
  if (durable && ::fsync(fd.get()) != 0) return fail_errno(errno, fresh);
  if (::renameat(folder, fresh.c_str(), folder, name.c_str()) != 0) return fail_errno(errno, name);
  if (durable && ::fsync(folder) != 0) return fail_errno(errno, name);
  return {};
}

}  // namespace baton
