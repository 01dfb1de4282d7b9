#include <baton/base/text.hpp>
#include <baton/worker/output_file.hpp>

#include <optional>

namespace baton::worker {
namespace {

// Takes lines off the front of a text and counts them. A last line need not end with a newline.
class Lines {
 public:
  explicit Lines(std::string_view text) : rest_(text) {}
  std::optional<std::string_view> next() {
    if (rest_.empty()) return std::nullopt;
    const std::size_t end = rest_.find('\n');
    const std::string_view line = rest_.substr(0, end);
    rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
    ++number_;
    return line;
  }
  [[nodiscard]] std::size_t number() const { return number_; }

 private:
  std::string_view rest_;
  std::size_t number_ = 0;
};

}  // namespace

// Errors quote nothing that a task has written but names that are valid: it may be a part of a secret, which nobody
// would recognise.
Result<std::map<std::string, std::string>> parse_outputs(std::string_view text) {
  std::map<std::string, std::string> outputs;
  Lines lines(text);
  while (const auto line = lines.next()) {
    if (line->empty() || *line == "\r") continue;
    const std::size_t number = lines.number();
    const std::size_t equals = line->find('=');
    const std::size_t heredoc = line->find("<<");
    if (equals == std::string_view::npos && heredoc == std::string_view::npos) {
      return fail(ErrorCode::invalid_argument, "line {}: neither name=value nor name<<DELIMITER", number);
    }
    const std::string_view name = line->substr(0, std::min(equals, heredoc));
    if (!is_identifier(name)) {
      return fail(ErrorCode::invalid_argument, "line {}: what is before the {} is not a name", number,
                  equals < heredoc ? "=" : "<<");
    }
    std::string value;
    if (equals < heredoc) {
      value = line->substr(equals + 1);
    } else {
      const std::string_view delimiter = line->substr(heredoc + 2);
      if (delimiter.empty()) return fail(ErrorCode::invalid_argument, "line {}: << without a delimiter", number);
      bool first = true;
      for (;;) {
        const auto part = lines.next();
        if (!part) {
          return fail(ErrorCode::invalid_argument, "line {}: the block of `{}` does not end with its delimiter", number,
                      name);
        }
        if (*part == delimiter) break;
        if (!first) value += '\n';
        value += *part;
        first = false;
      }
    }
    if (!is_valid_utf8(value)) {
      return fail(ErrorCode::invalid_argument, "line {}: the value of `{}` is not UTF-8", number, name);
    }
    outputs.insert_or_assign(std::string(name), std::move(value));
  }
  return outputs;
}

}  // namespace baton::worker
