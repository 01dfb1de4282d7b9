// One thread for what takes too long for the event loop: reading workflows, hashing them.
#pragma once
#include <baton/base/result.hpp>

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace baton::service {

class Background {
 public:
  // Jobs that wait beyond this are refused, so that clients cannot pile up work.
  static constexpr std::size_t kMaxJobs = 256;

  Background();
  ~Background();  // finishes the job under way, drops the others
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;

  // In order. False: too much is waiting. A job hands its result back by posting to the loop itself. If it throws
  // instead, `failed` is called in its place, on the same thread, when everything that the job held is freed.
  bool run(std::function<void()> work, std::function<void(Error)> failed);

 private:
  struct Job {
    std::function<void()> work;
    std::function<void(Error)> failed;
  };
  void work();
  static void perform(Job job);

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> jobs_;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace baton::service
