// Colours, and how each state looks.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace baton::cli {

enum class Style { plain, bold, dim, red, green, yellow, blue };

// `text` in the SGR sequences of `style` (ECMA-48), or as it is without colour.
std::string paint(std::string_view text, Style style, bool colour);

struct Look {
  std::string_view symbol;  // one column wide
  Style style = Style::plain;
};
// Of a run's, task instance's or attempt's state; unknown ones look plain.
Look look_of(std::string_view state);

// How many columns a terminal needs for escaped text: one for each code point.
std::size_t columns_of(std::string_view text);
// The first `columns` columns of escaped text, with … at the end if something was cut off.
std::string cut_to(std::string_view text, std::size_t columns);
std::string pad_to(std::string text, std::size_t columns);
// "1 task", "3 tasks".
std::string counted(std::uint64_t count, std::string_view noun);

// One line made of differently styled pieces; user text in it is escaped.
class Line {
 public:
  Line& add(std::string_view text, Style style = Style::plain);
  // At most `columns` wide, so that it does not wrap; 0: no limit.
  [[nodiscard]] std::string render(std::size_t columns, bool colour) const;

 private:
  struct Piece {
    std::string text;
    Style style;
  };
  std::vector<Piece> pieces_;
};

// Columns under a header, two blanks apart; the last one is not padded. Cells are escaped.
class Table {
 public:
  struct Cell {
    // Cells are text: a row may be written as a list of strings.
    Cell(std::string words) : text(std::move(words)) {}  // NOLINT(google-explicit-constructor)
    Cell(const char* words) : text(words) {}             // NOLINT(google-explicit-constructor)
    Cell(std::string words, Style look) : text(std::move(words)), style(look) {}
    std::string text;
    Style style = Style::plain;
  };
  explicit Table(std::vector<std::string> header) : header_(std::move(header)) {}
  void add(std::vector<Cell> row);  // as many cells as the header has
  [[nodiscard]] bool empty() const { return rows_.empty(); }
  [[nodiscard]] std::string render(bool colour) const;

 private:
  std::vector<std::string> header_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace baton::cli
