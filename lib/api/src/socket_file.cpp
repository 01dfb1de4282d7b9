#include "socket_file.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace baton::api {
namespace {

// Is there a living listener behind the socket file?
Result<bool> answers(const sockaddr_un& address) {
  const Descriptor probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (probe.get() < 0) return fail_errno(errno, "socket");
  if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return true;
  if (errno == EAGAIN) return true;  // its queue is full
  if (errno == ECONNREFUSED || errno == ENOENT) return false;
  return fail_errno(errno, address.sun_path);
}

}  // namespace

Result<> fill_address(const std::string& path, sockaddr_un& address) {
  address = {};
  address.sun_family = AF_UNIX;
  if (path.empty()) return fail(ErrorCode::invalid_argument, "the socket's path is empty");
  if (path.size() >= sizeof address.sun_path) {
    return fail(ErrorCode::invalid_argument, "the socket's path has {} bytes, {} are allowed: {}", path.size(),
                sizeof address.sun_path - 1, path);
  }
  if (path.find('\0') != std::string::npos) return fail(ErrorCode::invalid_argument, "the socket's path has a NUL");
  std::memcpy(address.sun_path, path.data(), path.size());
  return {};
}

SocketFile& SocketFile::operator=(SocketFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(device_, other.device_);
  std::swap(inode_, other.inode_);
  return *this;
}

SocketFile::~SocketFile() {
  if (!path_.empty() && in_place()) ::unlink(path_.c_str());
}

bool SocketFile::in_place() const {
  if (path_.empty()) return true;
  struct stat now{};
  return ::lstat(path_.c_str(), &now) == 0 && now.st_dev == device_ && now.st_ino == inode_;
}

Result<SocketFile> SocketFile::bind(int fd, const std::string& path) {
  sockaddr_un address{};
  if (auto filled = fill_address(path, address); !filled) return std::unexpected(filled.error());
  // bind() gives the file the socket's own mode (unix_bind_bsd in Linux's net/unix/af_unix.c), so it is never open to
  // others, not even for a moment.
  if (::fchmod(fd, 0600) != 0) return fail_errno(errno, "fchmod");
  const auto try_bind = [&] { return ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address); };
  if (try_bind() != 0) {
    if (errno != EADDRINUSE) return fail_errno(errno, path);
    struct stat there{};
    if (::lstat(path.c_str(), &there) == 0 && !S_ISSOCK(there.st_mode)) {
      return fail(ErrorCode::conflict, "{} exists and is not a socket", path);
    }
    auto live = answers(address);
    if (!live) return std::unexpected(live.error());
    if (*live) return fail(ErrorCode::conflict, "a daemon answers on {} already", path);
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) return fail_errno(errno, path);
    if (try_bind() != 0) {
      if (errno == EADDRINUSE) return fail(ErrorCode::conflict, "another daemon took {} just now", path);
      return fail_errno(errno, path);
    }
  }
  struct stat made{};
  if (::lstat(path.c_str(), &made) != 0) return fail_errno(errno, path);
  SocketFile file;
  file.path_ = path;
  file.device_ = made.st_dev;
  file.inode_ = made.st_ino;
  return file;
}

}  // namespace baton::api
