// Prepared statements with typed parameters and columns.
#pragma once
#include <baton/base/ids.hpp>
#include <baton/base/time.hpp>

#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "connection.hpp"

struct sqlite3_stmt;

namespace baton::store {

// Binds NULL for an empty text.
struct TextOrNull {
  std::string_view text;
};

// The rows of one execution. Resets its statement at the end of its life; one at a time for each statement.
class Rows {
 public:
  explicit Rows(const Connection& connection, sqlite3_stmt* statement)
      : connection_(&connection), statement_(statement) {}
  ~Rows();
  Rows(const Rows&) = delete;
  Rows& operator=(const Rows&) = delete;

  bool next();
  [[nodiscard]] bool is_null(int column) const;
  [[nodiscard]] bool is_integer(int column) const;
  [[nodiscard]] bool is_text(int column) const;
  [[nodiscard]] std::int64_t integer(int column) const;   // 0 for NULL
  [[nodiscard]] std::string text(int column) const;       // "" for NULL
  [[nodiscard]] std::string_view view(int column) const;  // valid until next()
  [[nodiscard]] std::size_t text_bytes() const;           // of all columns
  [[nodiscard]] std::optional<TimePoint> time(int column) const;
  [[nodiscard]] TimePoint time_or_zero(int column) const { return TimePoint(Duration(integer(column))); }
  template <class Id>
  [[nodiscard]] Id id(int column) const {
    return Id(static_cast<typename Id::rep>(integer(column)));
  }
  template <class Integer>
  [[nodiscard]] Integer number(int column) const {
    return static_cast<Integer>(integer(column));
  }

 private:
  const Connection* connection_;
  sqlite3_stmt* statement_;
};

class Statement {
 public:
  Statement(const Connection& connection, std::string_view sql);
  ~Statement();
  Statement(Statement&& other) noexcept : connection_(other.connection_), statement_(other.statement_) {
    other.statement_ = nullptr;
  }
  Statement& operator=(Statement&&) = delete;
  Statement(const Statement&) = delete;

  // Executes a statement that yields no rows, with the parameters ?1, ?2, … in order.
  template <class... Args>
  void run(const Args&... args) {
    int index = 0;
    (bind(++index, args), ...);
    finish();
  }
  // Texts given as parameters must live as long as the rows.
  template <class... Args>
  [[nodiscard]] Rows query(const Args&... args) {
    int index = 0;
    (bind(++index, args), ...);
    return Rows(*connection_, statement_);
  }
  // For a number of parameters that only the run time knows; then query().
  template <class Arg>
  void bind(int index, const Arg& value) {
    if constexpr (std::same_as<Arg, std::nullopt_t>) {
      bind_null(index);
    } else if constexpr (std::same_as<Arg, TextOrNull>) {
      value.text.empty() ? bind_null(index) : bind_text(index, value.text);
    } else if constexpr (std::same_as<Arg, TimePoint>) {
      bind_integer(index, value.time_since_epoch().count());
    } else if constexpr (std::integral<Arg>) {
      bind_integer(index, static_cast<std::int64_t>(value));
    } else if constexpr (requires { value.has_value(); }) {
      value ? bind(index, *value) : bind_null(index);
    } else if constexpr (requires { value.value(); }) {
      bind_integer(index, static_cast<std::int64_t>(value.value()));
    } else {
      bind_text(index, std::string_view(value));
    }
  }

 private:
  void bind_null(int index);
  void bind_integer(int index, std::int64_t value);
  void bind_text(int index, std::string_view value);
  void finish();

  const Connection* connection_;
  sqlite3_stmt* statement_ = nullptr;
};

// Statements by their text, prepared when first asked for.
class StatementCache {
 public:
  explicit StatementCache(Connection& connection) : connection_(connection) {}
  Statement& operator[](std::string_view sql);
  [[nodiscard]] Connection& connection() { return connection_; }

 private:
  Connection& connection_;
  std::unordered_map<std::string, Statement> statements_;
};

}  // namespace baton::store
