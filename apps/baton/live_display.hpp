// A block of lines at the bottom of the terminal that is redrawn in place, with lasting lines scrolling above it.
#pragma once
#include <chrono>
#include <string>
#include <vector>

#include "output.hpp"

namespace baton::cli {

class LiveDisplay {
 public:
  static constexpr std::chrono::milliseconds kBetweenDraws{100};

  explicit LiveDisplay(Output& out) : out_(out) {}
  ~LiveDisplay() { clear(); }
  LiveDisplay(const LiveDisplay&) = delete;
  LiveDisplay& operator=(const LiveDisplay&) = delete;

  // Whether enough time has passed since the last draw.
  [[nodiscard]] bool is_due() const { return std::chrono::steady_clock::now() - drawn_at_ >= kBetweenDraws; }
  // Prints `lasting` and the block below it. No line may be wider than the terminal.
  void draw(const std::string& lasting, const std::vector<std::string>& block);
  // Takes the block off the terminal, so that something else can be written.
  void clear();

 private:
  Output& out_;
  std::size_t lines_ = 0;
  std::chrono::steady_clock::time_point drawn_at_{};
};

}  // namespace baton::cli
