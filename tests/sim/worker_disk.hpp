// The file system of a worker's folder, which can be full for a while: then room that a file has taken is still
// written to, a write that goes beyond it leaves a piece behind or fails, and nothing new can be made. The linker
// leads the calls of the production code here (--wrap in CMakeLists.txt).
#pragma once

namespace baton::sim {

class WorkerDisk {
 public:
  void fill(bool also_new_files) { full_ = true, no_files_ = also_new_files; }
  void empty() { full_ = false; }
  [[nodiscard]] bool full() const { return full_; }
  [[nodiscard]] bool no_files() const { return full_ && no_files_; }

  // As long as it lives this disk is the one that is written to. Nested: the outer one again afterwards.
  class Use {
   public:
    explicit Use(const WorkerDisk& disk);
    ~Use();
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;

   private:
    const WorkerDisk* before_;
  };

 private:
  bool full_ = false, no_files_ = false;
};

}  // namespace baton::sim
