#include "recovery.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "snapshot.hpp"
#include "state_id.hpp"
#include "statement.hpp"

namespace baton::store {
namespace {

// A counter out of the meta row, or what the rows say if that is more or the counter makes no sense.
std::int64_t counter(std::int64_t stored, std::int64_t highest) {
  if (stored < 0 || stored > kPlausible) stored = 0;
  if (highest < 0 || highest > kPlausible) highest = 0;
  return std::max(stored, highest);
}

struct Meta {
  std::string state_id;
  std::int64_t incarnation = 0, last_run = 0, last_attempt = 0, last_event = 0;
};

Meta read_meta(Connection& connection, const Seen& seen, std::vector<Recovered::Quarantined>& quarantined) {
  Meta meta;
  {
    Statement select(connection, "SELECT state_id, incarnation, last_run, last_attempt, last_event FROM meta LIMIT 1");
    Rows rows = select.query();
    if (rows.next()) meta = {rows.text(0), rows.integer(1), rows.integer(2), rows.integer(3), rows.integer(4)};
  }
  if (!is_state_id(meta.state_id)) {
    const bool known = is_state_id(seen.state_id);
    quarantined.push_back({"", fmt::format("the state's id could not be read; it has {} now",
                                           known ? "the one that its workers know" : "a new one")});
    meta.state_id = known ? seen.state_id : make_state_id();
  }
  // Workers refuse a lower one than they have seen, so a lost one goes on far above every real one.
  if (meta.incarnation < 0 || meta.incarnation >= kPlausible) {
    meta.incarnation = std::max(std::int64_t{1} << 40, static_cast<std::int64_t>(seen.incarnation));
  }
  meta.last_run = counter(meta.last_run, connection.integer("SELECT max(key) FROM runs"));
  meta.last_attempt = counter(meta.last_attempt, connection.integer("SELECT max(id) FROM attempts"));
  meta.last_event = counter(meta.last_event, connection.integer("SELECT max(seq) FROM events"));
  return meta;
}

void write_meta(Connection& connection, const Meta& meta) {
  connection.execute("DELETE FROM meta");
  Statement(connection, "INSERT INTO meta VALUES(1, ?1, ?2, ?3, ?4, ?5)")
      .run(meta.state_id, meta.incarnation, meta.last_run, meta.last_attempt, meta.last_event);
}

// The last number of each workflow's runs; never less than what a run has, or the next one could not be stored.
std::map<std::string, std::uint64_t, std::less<>> read_run_numbers(StatementCache& statements) {
  std::map<std::string, std::uint64_t, std::less<>> numbers;
  {
    Rows rows = statements["SELECT name, last_number FROM workflows"].query();
    while (rows.next()) numbers[rows.text(0)] = static_cast<std::uint64_t>(counter(rows.integer(1), 0));
  }
  // From name to name through the index: the time does not grow with the number of runs.
  Statement& next = statements
      ["SELECT workflow, max(number) FROM runs WHERE workflow ="
       " (SELECT min(workflow) FROM runs WHERE workflow > ?1)"];
  for (std::string name;;) {
    Rows rows = next.query(name);
    if (!rows.next() || rows.is_null(0)) return numbers;
    std::string found = rows.text(0);
    auto& number = numbers[found];
    number = std::max(number, static_cast<std::uint64_t>(counter(rows.integer(1), 0)));
    name = std::move(found);
  }
}

// Runs and what is wrong with them.
class ActiveRuns {
 public:
  explicit ActiveRuns(StatementCache& statements) : statements_(statements) {}

  void load() {
    std::vector<std::pair<RunKey, std::string>> keys;
    {
      Rows rows = statements_["SELECT key, id FROM runs WHERE state NOT IN (2, 3, 4) ORDER BY key"].query();
      while (rows.next()) keys.emplace_back(rows.id<RunKey>(0), rows.text(1));
    }
    for (auto& [key, id] : keys) {
      ids_.emplace(key, id.empty() ? fmt::format("(number {})", key.value()) : id);
      if (auto run = try_load(key)) {
        runs_.emplace(key, std::move(*run));
      } else {
        bad_.emplace(key, run.error().message);
      }
    }
    check_families();
  }

  void move_to(Recovered& recovered) {
    for (auto& [key, run] : runs_) {
      if (!bad_.contains(key)) recovered.runs.push_back(std::move(run));
    }
    for (const auto& [key, why] : bad_) recovered.quarantined.push_back({ids_.at(key), why, open_attempts(key)});
  }

 private:
  Result<engine::RunSnapshot> try_load(RunKey key) {
    try {
      if (key.value() == 0 || key.value() > static_cast<std::uint64_t>(kPlausible)) {
        return fail(ErrorCode::corrupt, "its number is none that Baton gives");
      }
      return load_run(statements_, key);
    } catch (const SqlError& error) {
      // Damaged pages spoil the runs that lie on them, not the start.
      if (error.error().code != ErrorCode::corrupt) throw;
      return std::unexpected(error.error());
    }
  }

  // As far as they can be read.
  std::vector<AttemptId> open_attempts(RunKey key) {
    std::vector<AttemptId> attempts;
    try {
      Rows rows = statements_["SELECT id FROM attempts WHERE run = ?1 AND state IN (0, 1)"].query(key);
      while (rows.next()) attempts.push_back(rows.id<AttemptId>(0));
    } catch (const SqlError& error) {
      if (error.error().code != ErrorCode::corrupt) throw;
    }
    return attempts;
  }

  // A child run and a parent that waits for it go on together or not at all, so what spoils one spoils both.
  void check_families() {
    for (const auto& [key, run] : runs_) {
      for (const auto& instance : run.instances) {
        const auto child = is_waiting_for_child(instance) ? runs_.find(instance.child) : runs_.end();
        if (child != runs_.end() && child->second.created.parent != instance.key) {
          bad_.emplace(key, fmt::format("it waits for run {}, which another started", ids_.at(child->first)));
        }
      }
    }
    for (bool changed = true; changed;) {
      changed = false;
      for (const auto& [key, run] : runs_) {
        // Only a parent that waits for it minds a bad child.
        if (run.created.parent) changed = spread(run.created.parent->run, key) || changed;
        for (const auto& instance : run.instances) {
          if (is_waiting_for_child(instance)) changed = spread(instance.child, key) || changed;
        }
      }
    }
  }

  static bool is_waiting_for_child(const engine::InstanceChanged& instance) {
    return instance.phase == engine::InstancePhase::running && instance.child.value() != 0;
  }

  bool spread(RunKey cause, RunKey to) {
    const auto bad = bad_.find(cause);
    if (bad == bad_.end() || bad_.contains(to)) return false;
    bad_.emplace(to, fmt::format("it belongs to run {}: {}", ids_.at(cause), bad->second));
    return true;
  }

  StatementCache& statements_;
  std::map<RunKey, std::string> ids_;
  std::map<RunKey, engine::RunSnapshot> runs_;
  std::map<RunKey, std::string> bad_;
};

}  // namespace

std::string lost_before(const std::string& path, const Seen& seen) {
  return fmt::format(
      "the database {} is new or missing, but its workers have seen start {}: the one before it is lost. Put a backup "
      "in "
      "its place, if there is one; `baton daemon adopt` goes on from what is there (the runs that are not in it, and "
      "what workers still run of them, are lost)",
      path, seen.incarnation);
}

std::string why_not_to_go_on(Connection& connection, const Seen& seen) {
  const std::int64_t incarnation = connection.integer("SELECT incarnation FROM meta LIMIT 1");
  if (incarnation == kCopyMark) {
    return fmt::format(
        "the database {} is a backup; `baton daemon adopt` goes on from it (what was started since then is lost to it)",
        connection.path());
  }
  if (incarnation == 0 && seen.incarnation > 0) return lost_before(connection.path(), seen);
  if (incarnation >= 0 && static_cast<std::uint64_t>(incarnation) < seen.incarnation) {
    return fmt::format(
        "the database {} is older than its workers: it was started {} times, they have seen start {}. Was a backup put "
        "back? `baton daemon adopt` goes on from it (what was started since then is lost to it)",
        connection.path(), incarnation, seen.incarnation);
  }
  return {};
}

Recovered recover_state(Connection& connection, const Seen& seen) {
  Recovered recovered;
  Transaction transaction(connection);
  if (const std::string why = why_not_to_go_on(connection, seen); !why.empty()) raise(ErrorCode::denied, "{}", why);
  Meta meta = read_meta(connection, seen, recovered.quarantined);
  ++meta.incarnation;
  write_meta(connection, meta);
  {
    StatementCache statements(connection);
    recovered.counters.run_numbers = read_run_numbers(statements);
    ActiveRuns runs(statements);
    runs.load();
    runs.move_to(recovered);
  }
  transaction.commit();
  recovered.state_id = meta.state_id;
  recovered.incarnation = static_cast<std::uint64_t>(meta.incarnation);
  recovered.counters.last_run = RunKey(static_cast<std::uint64_t>(meta.last_run));
  recovered.counters.last_attempt = AttemptId(static_cast<std::uint64_t>(meta.last_attempt));
  return recovered;
}

}  // namespace baton::store
