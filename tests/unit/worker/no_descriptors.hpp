// As long as it lives this process can open nothing.
#pragma once
#include <baton/base/descriptor.hpp>

#include <fcntl.h>
#include <sys/resource.h>

#include <vector>

#include "catch.hpp"

namespace baton::worker {

class NoDescriptors {
 public:
  NoDescriptors() {
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before_) == 0);
    Descriptor first(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    REQUIRE(first);
    rlimit few = before_;
    few.rlim_cur = static_cast<rlim_t>(first.get()) + 1;
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &few) == 0);
    for (; first; first.reset(::open("/dev/null", O_RDONLY | O_CLOEXEC))) taken_.push_back(std::move(first));
  }
  ~NoDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  NoDescriptors(const NoDescriptors&) = delete;

 private:
  rlimit before_{};
  std::vector<Descriptor> taken_;
};

}  // namespace baton::worker
