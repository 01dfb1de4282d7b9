// The kinds of requests. Each file beside this one says everything about its kind: path, method, permission, how the
// request is read, what is answered, and the client's function that asks it.
#pragma once
#include "../route.hpp"

namespace baton::api::requests {

Route info();
Route submit();
Route runs();
Route run();
Route tasks();
Route workflow_source();
Route why();
Route cancel();
Route retry();
Route approve();
Route reject();
Route approve_task();
Route reject_task();
Route run_events();
Route all_events();
Route logs();
Route log();
Route workers();
Route doctor();
Route reload();
Route shutdown();

}  // namespace baton::api::requests
