// Room beside the database that is kept for how runs end: a file that is given back when a commit hits a full disk, and
// taken again when there is room. The last part of it is for the first commit of a start.
#pragma once
#include <cstdint>
#include <string>

namespace baton::store {

class Reserve {
 public:
  static constexpr std::uint64_t kBytes = 4u << 20;
  static constexpr std::uint64_t kForStarts = 256u << 10;  // of kBytes; a start takes a few KiB

  static Reserve beside(const std::string& database) { return Reserve(database + "-reserve"); }

  // As much of it as there is room for, beside what it has. Whether it is whole. A file system that cannot allocate
  // ahead has none, which counts as whole.
  bool take() const;
  // Gives everything above `keep` back; whether that was anything.
  [[nodiscard]] bool give_back(std::uint64_t keep) const;

 private:
  explicit Reserve(std::string path) : path_(std::move(path)) {}

  std::string path_;
};

}  // namespace baton::store
