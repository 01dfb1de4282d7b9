// Small files, read and written whole. `folder` is an open folder or AT_FDCWD. What somebody put in a file's place is
// neither followed nor waited for: no symbolic link, no pipe, no device.
#pragma once
#include <baton/base/result.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace baton {

// Errors: not_found, limit (over max_bytes), invalid_argument (not a regular file), denied, io.
Result<std::string> read_file_at(int folder, const char* name, std::size_t max_bytes);

// Makes a file (0600) that must not be there yet.
Result<> create_file_at(int folder, const std::string& name, std::string_view bytes);

// Replaces a file in one step: after a crash it is the old one or the new one. `durable` also survives a power loss.
// The new bytes are in NAME.new meanwhile.
Result<> replace_file_at(int folder, const std::string& name, std::string_view bytes, bool durable);

}  // namespace baton
