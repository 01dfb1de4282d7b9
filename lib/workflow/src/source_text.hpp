// A file's text and the way from a byte in it to the line and column that its user sees.
#pragma once
#include <baton/base/diagnostic.hpp>

#include <cstdint>
#include <string_view>
#include <vector>

namespace baton::workflow {

// Byte offsets are 32 bits wide: the text must be shorter than 4 GiB. The text must outlive this object.
class SourceText {
 public:
  explicit SourceText(std::string_view text);
  [[nodiscard]] std::string_view text() const { return text_; }
  // Takes logarithmic time in the number of lines, however long the line is.
  [[nodiscard]] SourcePos pos(std::size_t offset) const;

 private:
  static constexpr std::size_t kBlock = 256;
  [[nodiscard]] std::uint32_t continuation_bytes(std::size_t end) const;  // in [0, end)

  std::string_view text_;
  std::vector<std::uint32_t> line_starts_;
  std::vector<std::uint32_t> continuations_;  // UTF-8 continuation bytes before each block; empty if there are none
};

}  // namespace baton::workflow
