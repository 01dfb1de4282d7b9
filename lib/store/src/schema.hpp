// The tables, and how a database comes to have them.
#pragma once
#include <cstdint>
#include <string>

#include "connection.hpp"

namespace baton::store {

// In the file's header, so that `file` and Baton know a database of Baton's from any other.
inline constexpr std::int64_t kApplicationId = 0x4241544e;  // "BATN"
// The newest format that this program knows: PRAGMA user_version.
inline constexpr int kSchemaVersion = 1;

// Makes the file if there is none, readable by its owner alone, and refuses what cannot be written.
// Errors: denied, not_found, disk_full, io.
Result<> ensure_file(const std::string& path);

// Throws corrupt for a file that is no database of Baton's, newer_format for one of a later version. Returns the
// version; 0: empty.
int check_format(Connection& connection);

// Sets the writer's pragmas and brings the schema up to kSchemaVersion. Throws SqlError.
void prepare_database(Connection& connection);

}  // namespace baton::store
