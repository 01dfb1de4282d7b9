#include "worker/boot_file.hpp"

#include <baton/base/descriptor.hpp>
#include <baton/base/file.hpp>

#include <fcntl.h>

#include <cerrno>
#include <filesystem>

namespace baton::executor {

std::string read_boot_file(const std::string& path) {
  constexpr std::size_t kMaxBytes = 256;
  const auto text = read_file_at(AT_FDCWD, path.c_str(), kMaxBytes);
  return text ? text->substr(0, text->find('\n')) : std::string();
}

Result<> write_boot_file(const std::string& path, const std::string& boot_id) {
  if (read_boot_file(path) == boot_id) return {};
  const std::filesystem::path file(path);
  const Descriptor folder(::open(file.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return fail_errno(errno, path);
  return replace_file_at(folder.get(), file.filename().native(), boot_id + "\n", true);
}

}  // namespace baton::executor
