#include "worker/boot_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>

namespace baton::executor {
namespace {

Result<> sync_path(const std::string& path, int flags) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC);
  if (fd < 0) return fail_errno(errno, path);
  const int result = ::fsync(fd);
  const int error = errno;
  ::close(fd);
  if (result != 0) return fail_errno(error, path);
  return {};
}

}  // namespace

std::string read_boot_file(const std::string& path) {
  std::ifstream file(path);
  std::string boot_id;
  std::getline(file, boot_id);
  return boot_id;
}

Result<> write_boot_file(const std::string& path, const std::string& boot_id) {
  if (read_boot_file(path) == boot_id) return {};
  const std::string temporary = path + ".new";
  {
    std::ofstream file(temporary, std::ios::trunc);
    file << boot_id << '\n';
    if (!file.flush()) return fail(ErrorCode::io, "{}: cannot be written", temporary);
  }
  if (Result<> synced = sync_path(temporary, O_RDONLY); !synced) return synced;
  if (std::rename(temporary.c_str(), path.c_str()) != 0) return fail_errno(errno, path);
  return sync_path(std::filesystem::path(path).parent_path().string(), O_RDONLY | O_DIRECTORY);
}

}  // namespace baton::executor
