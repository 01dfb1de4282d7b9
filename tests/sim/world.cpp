#include "world.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace baton::sim {

void World::at(Time when, std::shared_ptr<Life> life, std::function<void()> happen) {
  events_.push({std::max(when, now_), order_++, std::move(life), std::move(happen)});
}

void World::thaw(Life& life, const std::shared_ptr<Life>& shared) {
  life.frozen = false;
  for (auto& happen : std::exchange(life.missed, {})) at(now_, shared, std::move(happen));
}

void World::note(std::string_view bytes) {
  while (!bytes.empty()) {
    std::uint64_t word = bytes.size();
    const std::size_t size = std::min(bytes.size(), sizeof word);
    std::memcpy(&word, bytes.data(), size);
    digest_ = mix(digest_, word);
    bytes.remove_prefix(size);
  }
}

bool World::step() {
  if (events_.empty()) return false;
  Event event = events_.top();
  events_.pop();
  now_ = event.when;
  digest_ = mix(digest_ ^ event.order, now_);
  if (event.life && !event.life->alive) return true;
  if (event.life && event.life->frozen) {
    event.life->missed.push_back(std::move(event.happen));
    return true;
  }
  event.happen();
  return true;
}

}  // namespace baton::sim
