#include <baton/base/umask.hpp>

#include <fmt/format.h>
#include <sys/stat.h>

#include <cstdlib>
#include <optional>

namespace baton {
namespace {

std::optional<mode_t> of_user;  // nullopt: the process has it

}  // namespace

void keep_own_rights() {
  const mode_t had = ::umask(0077);
  ::umask(had & 0077);
  if ((had & 0700) != 0) {
    of_user = had;
    ::setenv(kUmaskVariable, fmt::format("{:o}", had).c_str(), 1);
  } else if (const char* kept = std::getenv(kUmaskVariable)) {
    of_user = static_cast<mode_t>(std::strtoul(kept, nullptr, 8)) & 0777;
  }
}

void restore_umask() noexcept {
  if (of_user) ::umask(*of_user);
}

}  // namespace baton
