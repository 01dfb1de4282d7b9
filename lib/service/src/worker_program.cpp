#include "worker_program.hpp"

#include <unistd.h>

#include <filesystem>

namespace baton::service {

std::string find_worker_program() {
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  if (!error) {
    const std::string beside = (self.parent_path() / "baton-worker").string();
    if (::access(beside.c_str(), X_OK) == 0) return beside;
  }
  return "baton-worker";
}

}  // namespace baton::service
