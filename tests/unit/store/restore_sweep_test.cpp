// No stored value makes the engine stumble: each value of each row of runs in every state is replaced in turn, and what
// the store still hands out, and check_snapshot() lets pass, is gone on from to the end.
#include <baton/engine/engine.hpp>
#include <baton/engine/snapshot_check.hpp>

#include <sqlite3.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "catch.hpp"
#include "fixture.hpp"

namespace baton::store::test {
namespace {

using engine::Event;
using Specs = std::map<std::string, std::shared_ptr<const workflow::WorkflowSpec>>;  // by used path

const char* kMain = R"(
name: main
tasks:
  list: {command: [l], outputs: [items]}
  each: {command: [e], needs: list, matrix: {item: "${{ fromJSON(needs.list.outputs.items) }}"}, max_parallel: 1}
  fixed: {command: [f], matrix: {n: [1, 2]}, pool: {narrow: 1}}
  again: {command: [a], retry: {max_retries: 3, delay: 1h}}
  ask: {approval: {message: m, timeout: 2h}}
  call: {uses: sub.yaml}
  later: {command: [l], needs: [each, fixed]}
finally:
  report: {command: [r]}
)";
const char* kSub = "name: sub\ntasks: {work: {command: [w]}, then: {command: [t], needs: work}}\n";

Specs parse() {
  const auto parsed =
      workflow::parse_bundle({.entry = "main.yaml", .files = {{"main.yaml", kMain}, {"sub.yaml", kSub}}});
  for (const Diagnostic& d : parsed.diagnostics) UNSCOPED_INFO(render(d, kMain));
  REQUIRE(parsed.workflow);
  Specs specs{{"", parsed.workflow}};
  for (const workflow::TaskSpec& task : parsed.workflow->tasks) {
    if (const auto* uses = std::get_if<workflow::UsesWorkflow>(&task.action)) specs[uses->file] = uses->workflow;
  }
  return specs;
}

// An engine whose steps are checked and committed, and its one worker, as long as nothing goes wrong.
class World {
 public:
  World(const std::string& path, const Specs& specs) : specs_(specs) { open(path); }
  ~World() { store_.reset(); }

  void apply(std::vector<Event> events) {
    if (!trouble_.empty()) return;
    engine::Step step = engine_.apply(events, now_);
    engine_.check();
    for (engine::Effect& effect : step.effects) {
      if (auto* launch = std::get_if<engine::Launch>(&effect))
        launched_.insert_or_assign(launch->label, launch->attempt);
    }
    std::optional<Result<Committed>> answer;
    store_->commit({std::move(step.records), {{"hash", "{}"}}, now_}, [&](auto got) { answer = std::move(got); });
    loop_.run_until([&] { return answer.has_value(); });
    if (!*answer) fail_with(answer->error().message);
  }

  void submit() {
    runs_.emplace_back(1);
    apply({engine::SubmitRun{
        .token = 1, .id = "main-1", .workflow = specs_.at(""), .bundle_hash = "hash", .working_dir = "/work"}});
  }
  void start(const std::string& label) {
    const auto found = launched_.find(label);
    REQUIRE(found != launched_.end());
    apply({engine::AttemptStarted{WorkerId(0), found->second, now_, {}}});
  }
  void end(AttemptId attempt, std::int32_t exit_code) {
    engine::AttemptEnded event{.worker = WorkerId(0), .attempt = attempt};
    if (exit_code != 0) event.failure = {workflow::FailureKind::exit, exit_code};
    event.exit_code = exit_code;
    event.outputs = {{"items", "[1, 2, 3]"}};
    event.started_at = now_;
    event.ended_at = now_;
    apply({event});
  }
  void end(const std::string& label, std::int32_t exit_code) {
    const auto found = launched_.find(label);
    REQUIRE(found != launched_.end());
    const AttemptId attempt = found->second;
    launched_.erase(found);
    end(attempt, exit_code);
  }
  // Everything that is launched succeeds, and all that waits for a time gets it.
  void go_on() {
    for (int round = 0; round < 12 && trouble_.empty(); ++round) {
      for (const auto& [label, attempt] : std::exchange(launched_, {})) end(attempt, 0);
      now_ += std::chrono::hours(1);
      apply({});
    }
  }
  void cancel() {
    for (const RunKey run : runs_) apply({engine::CancelRun{.token = run.value(), .run = run, .reason = "cancelled"}});
  }
  [[nodiscard]] std::size_t active() const {
    return static_cast<std::size_t>(
        std::count_if(runs_.begin(), runs_.end(), [&](RunKey run) { return engine_.is_active(run); }));
  }
  [[nodiscard]] std::size_t left_out() const { return left_out_; }
  [[nodiscard]] const std::string& trouble() const { return trouble_; }
  [[nodiscard]] const std::map<std::string, AttemptId>& launched() const { return launched_; }

 private:
  void open(const std::string& path) {
    auto opened = Store::open({path, [this](std::function<void()> completion) { loop_.post(std::move(completion)); }});
    if (!opened) return fail_with(opened.error().message);
    store_ = std::move(*opened);
    auto recovered = store_->recover();
    if (!recovered) return fail_with(recovered.error().message);
    engine_ = engine::Engine(recovered->counters);
    left_out_ = recovered->quarantined.size();
    std::vector<Event> events{engine::PoolsChanged{}};
    std::set<RunKey> bad;
    for (engine::RunSnapshot& run : recovered->runs) {  // as Daemon::restore_next
      const auto spec = specs_.find(run.created.used_path);
      if ((run.created.parent && bad.contains(run.created.parent->run)) || spec == specs_.end() ||
          !engine::check_snapshot(run, *spec->second)) {
        bad.insert(run.created.run);
        continue;
      }
      runs_.push_back(run.created.run);
      events.emplace_back(engine::RunRestored{std::move(run), spec->second});
    }
    left_out_ += bad.size();
    apply(std::move(events));
    engine::WorkerUp up{.worker = WorkerId(0), .name = "local"};
    up.capacity = {.cpu_milli = 8000, .memory_bytes = std::int64_t{1} << 34};
    apply({up});
  }

  void fail_with(const std::string& why) { trouble_ = why.empty() ? "no reason" : why; }

  const Specs& specs_;
  Loop loop_;
  std::unique_ptr<Store> store_;
  engine::Engine engine_;
  TimePoint now_ = at_ms(1'000'000);
  std::vector<RunKey> runs_;
  std::size_t left_out_ = 0;
  std::map<std::string, AttemptId> launched_;
  std::string trouble_;
};

void make_busy_state(const std::string& path, const Specs& specs) {
  World world(path, specs);
  world.submit();
  world.end("main-1/list/1", 0);
  world.start("main-1/each[item=1]/1");
  world.end("main-1/again/1", 1);
  world.start("main-1/fixed[n=1]/1");
  REQUIRE(world.trouble().empty());
}

std::vector<std::string> texts(sqlite3* db, const std::string& sql) {
  std::vector<std::string> found;
  sqlite3_exec(
      db, sql.c_str(),
      [](void* to, int, char** row, char**) {
        static_cast<std::vector<std::string>*>(to)->emplace_back(row[0]);
        return 0;
      },
      &found, nullptr);
  return found;
}

struct Place {
  std::string table, column, where;
};

std::vector<Place> places(const std::string& path) {
  sqlite3* db = nullptr;
  REQUIRE(sqlite3_open(path.c_str(), &db) == SQLITE_OK);
  std::vector<Place> found;
  for (const std::string& table : texts(db, "SELECT name FROM sqlite_schema WHERE type = 'table'")) {
    const std::string info = " FROM pragma_table_info('" + table + "')";
    const std::string key = texts(db, "SELECT group_concat(name)" + info + " WHERE pk > 0").at(0);
    for (const std::string& column : texts(db, "SELECT name" + info)) {
      const int rows = std::stoi(texts(db, "SELECT count(*) FROM " + table).at(0));
      for (int r = 0; r < rows; ++r) {
        found.push_back({table, column,
                         fmt::format("({0}) = (SELECT {0} FROM {1} ORDER BY {0} LIMIT 1 OFFSET {2})", key, table, r)});
      }
    }
  }
  sqlite3_close(db);
  return found;
}

bool replace(const std::string& path, const Place& place, const char* value) {
  sqlite3* db = nullptr;
  bool changed = false;
  if (sqlite3_open(path.c_str(), &db) == SQLITE_OK) {
    sqlite3_exec(db, "PRAGMA ignore_check_constraints = ON; PRAGMA foreign_keys = OFF", nullptr, nullptr, nullptr);
    const std::string sql = fmt::format("UPDATE {0} SET {1} = {2} WHERE {3} AND {1} IS NOT {2}", place.table,
                                        place.column, value, place.where);
    // What the table itself refuses cannot come about.
    changed = sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK && sqlite3_changes(db) == 1;
  }
  sqlite3_close(db);
  return changed;
}

constexpr std::size_t kNote = 4096;

// Every value in one place; `note` says what was tried last, and what went wrong.
bool is_survived(const std::string& good, const std::string& path, const Place& place, const Specs& specs, char* note) {
  for (const char* value :
       {"0", "1", "2", "3", "5", "7", "-1", "4294967295", "9007199254740993", "''", "'x'", "'[]'", "'{}'", "NULL"}) {
    for (const bool cancels : {false, true}) {
      const auto text = fmt::format("{}.{} = {} where {}", place.table, place.column, value, place.where);
      std::strncpy(note, text.c_str(), kNote - 1);
      for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(path + suffix);
      std::filesystem::copy_file(good, path);
      if (!replace(path, place, value)) break;
      World world(path, specs);
      if (cancels) world.cancel();
      world.go_on();
      if (world.trouble().empty()) continue;
      std::strncpy(note, (text + ": " + world.trouble()).c_str(), kNote - 1);
      return false;
    }
  }
  return true;
}

TEST_CASE("no value of any row keeps the daemon from going on with the rest") {
  const Specs specs = parse();
  const TempFolder folder;
  const std::string good = folder.path("good.db");
  make_busy_state(good, specs);
  {
    const std::string copy = folder.path("copy.db");
    std::filesystem::copy_file(good, copy);
    World whole(copy, specs);
    CHECK(whole.left_out() == 0);
    CHECK(whole.active() == 2);
    whole.go_on();
    CHECK(whole.trouble() == "");
  }
  // Shared with the children, so that one that dies can be told what of.
  auto* note = static_cast<char*>(::mmap(nullptr, kNote, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  REQUIRE(note != MAP_FAILED);
  const std::vector<Place> all = places(good);
  REQUIRE(all.size() > 300);
  constexpr std::size_t kBatch = 25;
  for (std::size_t first = 0; first < all.size(); first += kBatch) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      bool well = true;
      try {
        for (std::size_t i = first; i < std::min(first + kBatch, all.size()) && well; ++i) {
          well = is_survived(good, folder.path("bad.db"), all[i], specs, note);
        }
      } catch (...) {
        well = false;
      }
      ::_exit(well ? 0 : 1);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    if (status != 0) FAIL_CHECK("status " << status << ": " << note);
  }
  ::munmap(note, kNote);
}

}  // namespace
}  // namespace baton::store::test
