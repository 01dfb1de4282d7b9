// A listening Unix socket with a name.
#pragma once
#include <sys/types.h>
#include <baton/base/descriptor.hpp>
#include <baton/base/result.hpp>

#include <string>
#include <utility>

struct sockaddr_un;

namespace baton::api {

// invalid_argument if the path does not fit: Linux allows 107 bytes (unix(7)).
Result<> fill_address(const std::string& path, sockaddr_un& address);

// The file of a socket that we bound. Removed with this object, unless somebody has put another in its place.
class SocketFile {
 public:
  SocketFile() = default;  // none
  SocketFile(SocketFile&& other) noexcept { *this = std::move(other); }
  SocketFile& operator=(SocketFile&& other) noexcept;
  ~SocketFile();

  // Binds `fd` to `path`, readable for the owner alone from the first moment on. The file of a daemon that is gone is
  // replaced; conflict if one answers there, or if the file is no socket.
  static Result<SocketFile> bind(int fd, const std::string& path);

  // Whether it is there and still ours. That of none is.
  [[nodiscard]] bool in_place() const;

 private:
  std::string path_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace baton::api
