// Virtual time and chance from a seed.
//
// Everything in a simulation happens in one thread, in the order of the world's queue. Chance is a hash of the seed and
// of what it is about, so that leaving out one action of a plan does not change what the others meet.
#pragma once
#include <fmt/format.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <queue>
#include <string>
#include <string_view>
#include <vector>

namespace baton::sim {

using Time = std::uint64_t;  // microseconds since the simulation began
inline constexpr Time kMs = 1'000;
inline constexpr Time kSecond = 1'000'000;

// A promise was broken. Not a std::exception: no production code may catch it.
struct Violation {
  std::string invariant;
  std::string detail;
};

template <class... Args>
void require(bool holds, std::string_view invariant, fmt::format_string<Args...> format, Args&&... args) {
  if (!holds) throw Violation{std::string(invariant), fmt::format(format, std::forward<Args>(args)...)};
}

constexpr std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  std::uint64_t z = a * 0x9e3779b97f4a7c15u + b + 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

class Chance {
 public:
  explicit Chance(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() { return mix(state_++, 0x5eed); }
  std::uint64_t below(std::uint64_t n) { return next() % n; }
  bool in(std::uint64_t n) { return below(n) == 0; }  // one in n

 private:
  std::uint64_t state_;
};

// What must still live for an event to happen. A frozen one (SIGSTOP) gets its events when it thaws.
struct Life {
  bool alive = true;
  bool frozen = false;
  std::vector<std::function<void()>> missed;
};

class World {
 public:
  World(std::uint64_t seed, bool trace) : seed_(seed), trace_(trace) {}

  [[nodiscard]] Time now() const { return now_; }
  [[nodiscard]] std::uint64_t seed() const { return seed_; }
  [[nodiscard]] std::uint64_t hash(std::uint64_t a, std::uint64_t b = 0) const { return mix(mix(seed_, a), b); }

  void at(Time when, std::shared_ptr<Life> life, std::function<void()> happen);
  void after(Time delay, std::shared_ptr<Life> life, std::function<void()> happen) {
    at(now_ + delay, std::move(life), std::move(happen));
  }
  void thaw(Life& life, const std::shared_ptr<Life>& shared);
  bool step();  // the next event; false if there is none
  // Of everything that has happened: the times and the order of events, and what was noted.
  [[nodiscard]] std::uint64_t digest() const { return digest_; }
  void note(std::string_view bytes);
  [[nodiscard]] Time next_time() const { return events_.top().when; }
  [[nodiscard]] bool idle() const { return events_.empty(); }

  template <class... Args>
  void say(fmt::format_string<Args...> format, Args&&... args) {
    if (trace_)
      fmt::print("{:>12.3f} ms  {}\n", static_cast<double>(now_) / 1e3,
                 fmt::format(format, std::forward<Args>(args)...));
  }

 private:
  struct Event {
    Time when;
    std::uint64_t order;
    std::shared_ptr<Life> life;
    std::function<void()> happen;
    bool operator>(const Event& other) const { return when != other.when ? when > other.when : order > other.order; }
  };
  std::uint64_t seed_;
  bool trace_;
  Time now_ = 0;
  std::uint64_t order_ = 0;
  std::uint64_t digest_ = 0;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
};

}  // namespace baton::sim
