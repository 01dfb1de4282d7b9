#include "live_display.hpp"

namespace baton::cli {

void LiveDisplay::clear() {
  // ECMA-48: cursor to the first column, n lines up (CUU), erase to the end of the screen (ED).
  if (lines_ != 0) out_.print("\r\x1b[{}A\x1b[J", lines_);
  lines_ = 0;
  out_.flush();
}

void LiveDisplay::draw(const std::string& lasting, const std::vector<std::string>& block) {
  std::string text;
  if (lines_ != 0) text = fmt::format("\r\x1b[{}A\x1b[J", lines_);
  text += lasting;
  for (const std::string& line : block) text += line + '\n';
  out_.write(text);
  out_.flush();
  lines_ = block.size();
  drawn_at_ = std::chrono::steady_clock::now();
}

}  // namespace baton::cli
