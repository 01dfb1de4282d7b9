// Removes what was moved to the trash folder, a little at a time.
//
// Nothing here recurses and no path is built from names that tasks chose: a folder's sub-folders are first moved up
// into the trash, so that everything is one level deep, and symbolic links are removed, never followed.
#pragma once
#include <baton/base/result.hpp>

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>

namespace baton::worker {

class Sweeper {
 public:
  // `folder` stays the caller's. What an earlier session left in the trash is swept too.
  explicit Sweeper(int folder);

  // Moves `name` (relative to the worker folder, made by us) into the trash. not_found is no error.
  Result<void> discard(const std::string& name);
  [[nodiscard]] bool pending() const { return pending_; }
  // Looks at up to about `budget` entries; true if there is more to do. What cannot be removed does not keep it going.
  bool step(std::size_t budget);

 private:
  struct Step {
    std::size_t budget = 0;
    std::size_t done = 0;  // removed, moved or given up
  };
  std::string fresh_name();
  bool sweep_folder(int trash, const std::string& name, Step& step);

  int folder_;
  std::uint64_t next_ = 0;
  bool pending_ = true;
  std::set<std::string> stuck_;  // cannot be removed (a mount point, say); not tried again by this session
};

}  // namespace baton::worker
