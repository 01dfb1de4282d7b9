#include <baton/base/descriptor_limit.hpp>

#include <sys/resource.h>

namespace baton {

Result<> check_descriptor_limit(std::string_view program) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= kFewestDescriptors) return {};
  return fail(ErrorCode::io, "{} needs {} descriptors and may have {} (ulimit -n)", program, kFewestDescriptors,
              limit.rlim_cur);
}

}  // namespace baton
