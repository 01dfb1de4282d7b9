#include "statement.hpp"

#include <sqlite3.h>

namespace baton::store {

Rows::~Rows() {
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);  // they point into memory of the caller
}

bool Rows::next() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) connection_->raise_code(code, "query");
  return false;
}

bool Rows::is_null(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }
bool Rows::is_integer(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_INTEGER; }
bool Rows::is_text(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_TEXT; }
std::int64_t Rows::integer(int column) const { return sqlite3_column_int64(statement_, column); }
std::string Rows::text(int column) const { return std::string(view(column)); }

std::string_view Rows::view(int column) const {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  if (text == nullptr) return {};
  return {text, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

std::size_t Rows::text_bytes() const {
  std::size_t bytes = 0;
  for (int column = 0; column < sqlite3_column_count(statement_); ++column) {
    if (is_text(column)) bytes += static_cast<std::size_t>(sqlite3_column_bytes(statement_, column));
  }
  return bytes;
}

std::optional<TimePoint> Rows::time(int column) const {
  if (is_null(column)) return std::nullopt;
  return time_or_zero(column);
}

Statement::Statement(const Connection& connection, std::string_view sql) : connection_(&connection) {
  const int code = sqlite3_prepare_v3(connection.handle(), sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &statement_, nullptr);
  if (code != SQLITE_OK) connection.raise_code(code, sql.substr(0, 80));
}

Statement::~Statement() { sqlite3_finalize(statement_); }

void Statement::bind_null(int index) { sqlite3_bind_null(statement_, index); }

void Statement::bind_integer(int index, std::int64_t value) { sqlite3_bind_int64(statement_, index, value); }

void Statement::bind_text(int index, std::string_view value) {
  // An empty view may have no address, which would bind NULL.
  const char* data = value.empty() ? "" : value.data();
  const int code = sqlite3_bind_text64(statement_, index, data, value.size(), SQLITE_STATIC, SQLITE_UTF8);
  if (code != SQLITE_OK) connection_->raise_code(code, "bind");
}

void Statement::finish() {
  const int code = sqlite3_step(statement_);
  const int reset = sqlite3_reset(statement_);
  if (code != SQLITE_DONE) connection_->raise_code(reset != SQLITE_OK ? reset : SQLITE_MISUSE, "write");
}

Statement& StatementCache::operator[](std::string_view sql) {
  const auto found = statements_.find(std::string(sql));
  if (found != statements_.end()) return found->second;
  return statements_.emplace(std::string(sql), Statement(connection_, sql)).first->second;
}

}  // namespace baton::store
