// The environment of tasks: this process' own, what the launch adds, what the worker adds.
#pragma once
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace baton::worker {

using Variables = std::vector<std::pair<std::string, std::string>>;

// What execve(2) takes; points into itself.
class EnvironmentBlock {
 public:
  [[nodiscard]] char* const* get() const { return pointers_.data(); }

 private:
  friend class Environment;
  std::vector<std::string> entries_;
  std::vector<char*> pointers_;
};

class Environment {
 public:
  // `entries`: NAME=VALUE, ended by a null pointer, as ::environ. kUmaskVariable is left out: tasks have the umask
  // itself.
  explicit Environment(const char* const* entries);

  // Later variables win over earlier ones, `worker` over `launch`; `worker` comes first in the block, so that its
  // marker is at the front of /proc/PID/environ. Names and values must not contain NUL, names no `=`. The block must
  // not outlive this.
  [[nodiscard]] EnvironmentBlock compose(const Variables& launch, const Variables& worker) const;
  // Where programs are searched: PATH of the launch, else of this process, else the system's usual folders.
  [[nodiscard]] std::string_view search_path(const Variables& launch) const;

 private:
  std::vector<std::string> entries_;
  std::unordered_map<std::string_view, std::size_t> index_;  // by name, into entries_
};

}  // namespace baton::worker
