#include "style.hpp"

#include <fmt/format.h>
#include <baton/base/text.hpp>

#include <algorithm>
#include <array>
#include <utility>

namespace baton::cli {
namespace {

std::string_view sgr(Style style) {
  switch (style) {
    case Style::plain:
      return "";
    case Style::bold:
      return "1";
    case Style::dim:
      return "2";
    case Style::red:
      return "31";
    case Style::green:
      return "32";
    case Style::yellow:
      return "33";
    case Style::blue:
      return "34";
  }
  return "";
}

constexpr std::array<std::pair<std::string_view, Look>, 15> kLooks{{
    {"queued", {"·", Style::dim}},
    {"waiting", {"·", Style::dim}},
    {"ready", {"○", Style::dim}},
    {"starting", {"◌", Style::blue}},
    {"running", {"●", Style::blue}},
    {"unreachable", {"!", Style::yellow}},
    {"backoff", {"↻", Style::yellow}},
    {"awaiting_approval", {"?", Style::yellow}},
    {"succeeded", {"✓", Style::green}},
    {"failed", {"✗", Style::red}},
    {"skipped", {"-", Style::dim}},
    {"upstream_failed", {"✗", Style::dim}},
    {"cancelled", {"◼", Style::yellow}},
    {"online", {"●", Style::green}},
    {"offline", {"✗", Style::red}},
}};

bool starts_code_point(char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }

}  // namespace

std::string paint(std::string_view text, Style style, bool colour) {
  if (!colour || style == Style::plain || text.empty()) return std::string(text);
  return fmt::format("\x1b[{}m{}\x1b[0m", sgr(style), text);
}

Look look_of(std::string_view state) {
  const auto* found =
      std::find_if(kLooks.begin(), kLooks.end(), [&](const auto& entry) { return entry.first == state; });
  return found == kLooks.end() ? Look{" ", Style::plain} : found->second;
}

std::size_t columns_of(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), starts_code_point));
}

std::string cut_to(std::string_view text, std::size_t columns) {
  if (columns_of(text) <= columns) return std::string(text);
  if (columns == 0) return {};
  std::size_t at = 0;
  for (std::size_t column = 0; at < text.size(); ++at) {
    if (starts_code_point(text[at]) && column++ == columns - 1) break;
  }
  return std::string(text.substr(0, at)) + "…";
}

std::string pad_to(std::string text, std::size_t columns) {
  const std::size_t used = columns_of(text);
  if (used < columns) text.append(columns - used, ' ');
  return text;
}

std::string counted(std::uint64_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

Line& Line::add(std::string_view text, Style style) {
  pieces_.push_back({escape_control(text), style});
  return *this;
}

std::string Line::render(std::size_t columns, bool colour) const {
  std::string out;
  std::size_t used = 0;
  for (const Piece& piece : pieces_) {
    if (columns == 0) {
      out += paint(piece.text, piece.style, colour);
      continue;
    }
    const std::string shown = cut_to(piece.text, columns - used);
    out += paint(shown, piece.style, colour);
    used += columns_of(shown);
    if (used >= columns) break;
  }
  return out;
}

void Table::add(std::vector<Cell> row) {
  for (Cell& cell : row) cell.text = escape_control(cell.text);
  row.resize(header_.size(), Cell(""));
  rows_.push_back(std::move(row));
}

std::string Table::render(bool colour) const {
  std::vector<std::size_t> widths;
  widths.reserve(header_.size());
  for (const std::string& title : header_) widths.push_back(columns_of(title));
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], columns_of(row[i].text));
  }
  const std::size_t last = header_.size() - 1;
  const auto gap = [&](std::size_t i, std::size_t used) {
    return i == last ? std::string("\n") : std::string(widths[i] - used + 2, ' ');
  };
  std::string out;
  for (std::size_t i = 0; i < header_.size(); ++i) {
    out += paint(header_[i], Style::bold, colour) + gap(i, columns_of(header_[i]));
  }
  for (const auto& row : rows_) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += paint(row[i].text, row[i].style, colour) + gap(i, columns_of(row[i].text));
    }
    // Empty last cells leave no blanks behind.
    line.pop_back();
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + '\n';
  }
  return out;
}

}  // namespace baton::cli
