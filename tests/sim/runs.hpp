// Seeds, one after the other or in several processes: carried out, and what they violate printed.
#pragma once
#include <unistd.h>

#include <cstdint>
#include <string>

namespace baton::sim {

// The folder of one simulation at a time, and the database that all simulations of this process begin with; gone at the
// end. One for each process, or for a child that may die before it has removed its own.
class Workspace {
 public:
  explicit Workspace(std::uint64_t number, pid_t process = ::getpid());
  ~Workspace();
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;
  [[nodiscard]] const std::string& folder() const { return folder_; }

 private:
  std::string folder_;
};

struct Range {
  std::uint64_t first = 1, count = 0, jobs = 1;
};

// How seeds are run.
struct Manner {
  bool trace = false;
  bool digest = false;  // print each seed's
  bool twice = false;   // and require the same digest
};

// These return what the program does: 0, or 1 after a violation.
int run_seed(std::uint64_t seed, Manner manner);
int run_seeds(const Range& range, Manner manner);
int run_file(const std::string& path, Manner manner);

// A failed assertion of the production code says which seed it was.
void name_seed_on_abort();

}  // namespace baton::sim
