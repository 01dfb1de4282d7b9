#include "source_text.hpp"

#include <algorithm>

namespace baton::workflow {
namespace {

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

}  // namespace

SourceText::SourceText(std::string_view text) : text_(text) {
  line_starts_.reserve(static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) + 1);
  line_starts_.push_back(0);
  for (std::size_t at = text.find('\n'); at != std::string_view::npos; at = text.find('\n', at + 1)) {
    line_starts_.push_back(static_cast<std::uint32_t>(at + 1));
  }
  if (std::none_of(text.begin(), text.end(), is_continuation)) return;
  continuations_.reserve(text.size() / kBlock + 1);
  std::uint32_t count = 0;
  for (std::size_t at = 0; at <= text.size(); at += kBlock) {
    continuations_.push_back(count);
    const std::string_view block = text.substr(at, kBlock);
    count += static_cast<std::uint32_t>(std::count_if(block.begin(), block.end(), is_continuation));
  }
}

std::uint32_t SourceText::continuation_bytes(std::size_t end) const {
  if (continuations_.empty()) return 0;
  const std::size_t block = end / kBlock;
  const std::string_view rest = text_.substr(block * kBlock, end % kBlock);
  return continuations_[block] + static_cast<std::uint32_t>(std::count_if(rest.begin(), rest.end(), is_continuation));
}

SourcePos SourceText::pos(std::size_t offset) const {
  offset = std::min(offset, text_.size());
  const auto next = std::upper_bound(line_starts_.begin(), line_starts_.end(), offset);
  const auto line = static_cast<std::uint32_t>(next - line_starts_.begin());
  const std::size_t start = line_starts_[line - 1];
  const auto bytes = static_cast<std::uint32_t>(offset - start);
  return {line, bytes - (continuation_bytes(offset) - continuation_bytes(start)) + 1};
}

}  // namespace baton::workflow
