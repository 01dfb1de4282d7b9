// The one file that knows yaml-cpp.
#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>
#include <baton/base/limits.hpp>

#include <algorithm>
#include <array>
#include <istream>
#include <optional>
#include <streambuf>

#include "scalar_place.hpp"
#include "tree_builder.hpp"
#include "yaml_tree.hpp"

namespace baton::workflow {
namespace {

// Feeds the parser, and stops feeding it when it keeps asking without an event coming out. yaml-cpp holds back all
// tokens of a flow collection that might turn out to be a key, at some 200 bytes each: 16 MiB of `[` would take 4 GB.
class GuardedInput : public std::streambuf {
 public:
  GuardedInput(std::string_view prefix, std::string_view text) : prefix_(prefix), text_(text) {}
  void progress() { pending_ = 0; }
  [[nodiscard]] bool refused() const { return refused_; }

 protected:
  int_type underflow() override {
    if (pending_ > kPendingIndicators) refused_ = true;
    std::string_view& source = prefix_.empty() ? text_ : prefix_;
    if (refused_ || source.empty()) return traits_type::eof();
    const std::string_view part = source.substr(0, kPart);
    for (const char c : part) pending_ += kIsIndicator[static_cast<unsigned char>(c)];
    source.remove_prefix(part.size());
    char* const begin = const_cast<char*>(part.data());  // streambuf's interface; nothing writes
    setg(begin, begin, begin + part.size());
    return traits_type::to_int_type(part.front());
  }

 private:
  static constexpr std::size_t kPart = 2048;
  static constexpr std::size_t kPendingIndicators = 512u << 10;
  static constexpr std::array<std::uint8_t, 256> kIsIndicator = [] {
    std::array<std::uint8_t, 256> table{};
    for (const char c : std::string_view("[]{},:?-&*!'\"")) table[static_cast<unsigned char>(c)] = 1;
    return table;
  }();

  std::string_view prefix_, text_;
  std::size_t pending_ = 0;  // indicators delivered since the last event
  bool refused_ = false;
};

class Events : public YAML::EventHandler {
 public:
  Events(TreeBuilder& builder, GuardedInput& input, Problems& problems, std::ptrdiff_t shift)
      : builder_(builder), input_(input), problems_(problems), shift_(shift) {}
  [[nodiscard]] std::size_t offset(const YAML::Mark& mark) const {
    return static_cast<std::size_t>(std::max<std::ptrdiff_t>(0, mark.pos + shift_));
  }
  [[nodiscard]] bool any() const { return documents_ > 0; }
  [[nodiscard]] std::optional<std::size_t> last_quoted() const { return last_quoted_; }

  void OnDocumentStart(const YAML::Mark& mark) override {
    input_.progress();
    if (++documents_ == 1) return;
    problems_.error(offset(mark), "a second document begins here: a file holds one workflow");
    throw TreeBuilder::Stop{};
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    input_.progress();
    builder_.null(offset(mark), anchor);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    input_.progress();
    builder_.alias(offset(mark), anchor);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    input_.progress();
    if (tag != "?") last_quoted_ = offset(mark);
    builder_.scalar(offset(mark), tag, anchor, value);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    input_.progress();
    builder_.start(NodeKind::list, offset(mark), tag, anchor);
  }
  void OnSequenceEnd() override { builder_.end(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    input_.progress();
    builder_.start(NodeKind::map, offset(mark), tag, anchor);
  }
  void OnMapEnd() override { builder_.end(); }

 private:
  TreeBuilder& builder_;
  GuardedInput& input_;
  Problems& problems_;
  std::ptrdiff_t shift_;  // from the parser's positions to the file's
  int documents_ = 0;
  std::optional<std::size_t> last_quoted_;  // where the last scalar that is not a plain one begins
};

struct Wording {
  std::string_view original, message, hint;
};
constexpr std::string_view kIndentHint = "check the indentation of this line and of those before it";
constexpr std::array kWordings{
    Wording{"illegal map value", "a `:` cannot stand here", "quote a value that contains `: `, or write it behind `|`"},
    Wording{"end of map not found", "a key of this map is not where one is expected", kIndentHint},
    Wording{"end of sequence not found", "an item of this list is not where one is expected", kIndentHint},
    Wording{"end of map flow not found", "`{` is not closed by `}`", ""},
    Wording{"end of sequence flow not found", "`[` is not closed by `]`", ""},
    Wording{"illegal tab when looking for indentation", "a tab cannot stand here", "use spaces"},
    Wording{"illegal EOF in scalar", "a quote is not closed before the file ends", ""},
    Wording{"illegal document indicator in scalar", "a quote is not closed before the document ends", ""},
    Wording{"unknown token", "a value cannot begin with this character", "quote the value"},
    Wording{"illegal block entry", "a list item cannot stand here", kIndentHint},
    Wording{"illegal map key", "a key cannot stand here", kIndentHint},
    Wording{"illegal flow end", "a closing bracket without an opening one", ""},
    Wording{"the referenced anchor is not defined", "this alias has no anchor before it", ""},
    Wording{"alias not found after *", "a value that begins with `*` must be quoted", ""},
    Wording{"anchor not found after &", "a value that begins with `&` must be quoted", ""},
    Wording{"cannot assign multiple anchors to the same node", "a value has one anchor only", ""},
    Wording{"cannot assign multiple tags to the same node", "a value has one tag only", ""},
};

// A tab in the indentation of the line that the parser could not read, or npos.
std::size_t indenting_tab(std::string_view text, std::size_t offset) {
  const std::size_t before = text.substr(0, offset).rfind('\n');
  const std::size_t start = before == std::string_view::npos ? 0 : before + 1;
  const std::size_t end = std::min(text.find_first_not_of(" \t", start), text.size());
  const std::size_t tab = text.find('\t', start);
  return tab < end ? tab : std::string_view::npos;
}

void report(const YAML::Exception& exception, std::size_t offset, std::optional<std::size_t> open, Problems& problems) {
  if (const std::size_t tab = indenting_tab(problems.source().text(), offset); tab != std::string_view::npos) {
    problems.error(tab, "YAML syntax: a tab cannot indent", "use spaces");
    return;
  }
  const bool unclosed =
      exception.msg == "end of map flow not found" || exception.msg == "end of sequence flow not found";
  if (unclosed && open) offset = *open;
  for (const Wording& wording : kWordings) {
    if (wording.original != exception.msg) continue;
    problems.error(offset, fmt::format("YAML syntax: {}", wording.message), std::string(wording.hint));
    return;
  }
  problems.error(offset, fmt::format("YAML syntax: {}", exception.msg));
}

bool is_allowed_control(char c) { return c == '\n' || c == '\t' || c == '\r'; }
bool is_control(char c) { return (static_cast<unsigned char>(c) < 0x20 && !is_allowed_control(c)) || c == 0x7f; }

// Where the first byte that is not part of valid UTF-8 stands.
std::size_t first_invalid(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    if (!is_valid_utf8(text.substr(at, end - at))) break;
    at = end + 1;
  }
  while (at < text.size()) {
    std::size_t length = 1;
    while (length <= 4 && !is_valid_utf8(text.substr(at, length))) ++length;
    if (length > 4) break;
    at += length;
  }
  return at;
}

bool check_bytes(std::string_view text, Problems& problems) {
  if (text.size() > limits::kWorkflowFileBytes) {
    problems.error(0, fmt::format("the file has {} bytes, more than the {} MiB that a workflow may have", text.size(),
                                  limits::kWorkflowFileBytes >> 20));
    return false;
  }
  unsigned above_ascii = 0, controls = 0;
  for (const char c : text) {
    above_ascii |= static_cast<unsigned char>(c) & 0x80u;
    controls |= static_cast<unsigned>(is_control(c));
  }
  if (above_ascii != 0 && !is_valid_utf8(text)) {
    problems.error(first_invalid(text), "the file is not UTF-8 text");
    return false;
  }
  if (controls != 0) {
    const std::size_t at = static_cast<std::size_t>(std::find_if(text.begin(), text.end(), is_control) - text.begin());
    problems.error(at, fmt::format("a control character (0x{:02x}) in the text", static_cast<unsigned char>(text[at])));
    return false;
  }
  return true;
}

// yaml-cpp takes an open quote for closed if the file ends with its line. Only the last quoted scalar can be open.
std::optional<std::size_t> unclosed_quote(std::string_view text, std::optional<std::size_t> scalar) {
  if (!scalar) return std::nullopt;
  std::size_t at = behind_properties(text, *scalar);
  if (at >= text.size() || (text[at] != '"' && text[at] != '\'')) return std::nullopt;
  const std::size_t begin = at;
  const char quote = text[at];
  while (++at < text.size()) {
    if (text[at] == '\\' && quote == '"') {
      ++at;
    } else if (text[at] == quote) {
      if (quote == '"' || text.substr(at + 1, 1) != "'") return std::nullopt;
      ++at;
    }
  }
  return begin;
}

// Where a document that is one flow collection (as JSON is) begins; npos for all others.
std::size_t flow_root(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    at = text.find_first_not_of(" \t\r\n", at);
    if (at == std::string_view::npos || text[at] != '#') break;
    at = text.find('\n', at);
  }
  return at < text.size() && (text[at] == '{' || text[at] == '[') ? at : std::string_view::npos;
}

}  // namespace

std::unique_ptr<Tree> Tree::read(const SourceText& source, Problems& problems) {
  const std::string_view text = source.text();
  if (!check_bytes(text, problems)) return nullptr;
  auto tree = std::make_unique<Tree>(text);
  TreeBuilder builder(*tree, problems);
  // Behind `---` a flow collection cannot be a key, so that the parser hands on its parts as they come.
  const std::size_t root = flow_root(text);
  const bool is_flow = root != std::string_view::npos;
  constexpr std::string_view kStart = "--- ";
  GuardedInput input(is_flow ? kStart : std::string_view(), is_flow ? text.substr(root) : text);
  const auto shift = is_flow ? static_cast<std::ptrdiff_t>(root) - static_cast<std::ptrdiff_t>(kStart.size()) : 0;
  Events events(builder, input, problems, shift);
  try {
    std::istream stream(&input);
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(events)) continue;
  } catch (const TreeBuilder::Stop&) {
    return nullptr;
  } catch (const YAML::Exception& exception) {
    if (!input.refused()) {
      report(exception, events.offset(exception.mark), builder.innermost(), problems);
      return nullptr;
    }
  } catch (const std::exception& exception) {
    problems.error(0, fmt::format("the file cannot be read: {}", exception.what()));
    return nullptr;
  }
  if (input.refused()) {
    problems.error(tree->size() > 0 ? tree->data(tree->size() - 1).offset : 0,
                   "one value is too large: a list or map in brackets, or a text full of punctuation",
                   "write it in block style, or keep big data in a file of its own");
    return nullptr;
  }
  if (!events.any()) {
    problems.error(0, "the file is empty: a workflow has at least `tasks`");
    return nullptr;
  }
  if (const auto quote = unclosed_quote(text, events.last_quoted())) {
    problems.error(*quote, "YAML syntax: a quote is not closed before the file ends");
    return nullptr;
  }
  return tree;
}

}  // namespace baton::workflow
