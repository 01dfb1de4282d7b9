// What is done to a state directory from outside a daemon. Each returns the program's exit code and prints what it did.
#pragma once
#include <baton/base/locations.hpp>

#include <string>

namespace baton::service {

// Checks the database and the worker folders, changing nothing: one line per finding. 0: none; 1: some; 6: a daemon
// runs or the state cannot be read.
int check_state(const Locations& locations, bool json);
// What a start would refuse, changing nothing: a JSON array of {name, detail}. 0: nothing; 1: something.
int check_start(const Locations& locations);
// A copy of the database at `file`, also while a daemon runs.
int back_up_state(const Locations& locations, const std::string& file);
// Goes on from an older copy of the database that was put in its place.
int adopt_state(const Locations& locations);

}  // namespace baton::service
