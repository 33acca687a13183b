// A queue whose clients take turns.

#ifndef QUANTD_SERVER_CALLS_FAIR_QUEUE_H_
#define QUANTD_SERVER_CALLS_FAIR_QUEUE_H_

#include <algorithm>
#include <cassert>
#include <deque>
#include <list>
#include <string>
#include <unordered_map>
#include <utility>

namespace quantd::server {

// Items of several clients. Those of one client are in the order of their arrival; the
// clients take turns, so that one with many items does not delay the others.
template <typename Item>
class FairQueue {
 public:
  bool empty() const { return turns_.empty(); }

  void Push(const std::string& client, Item item) {
    const auto [items, is_new] = items_.try_emplace(client);
    items->second.push_back(std::move(item));
    if (is_new) {
      turns_.push_back(client);
    }
  }

  // The item whose turn it is. The queue must not be empty.
  const Item& Front() const {
    assert(!empty());
    return items_.at(turns_.front()).front();
  }

  // Removes Front(), after which it is the next client's turn.
  void Pop() {
    assert(!empty());
    const auto items = items_.find(turns_.front());
    items->second.pop_front();
    if (items->second.empty()) {
      items_.erase(items);
      turns_.pop_front();
    } else {
      turns_.splice(turns_.end(), turns_, turns_.begin());
    }
  }

  // Removes `item`, which belongs to `client` and is in the queue.
  void Remove(const std::string& client, const Item& item) {
    const auto items = items_.find(client);
    assert(items != items_.end());
    const auto found = std::ranges::find(items->second, item);
    assert(found != items->second.end());
    items->second.erase(found);
    if (items->second.empty()) {
      items_.erase(items);
      turns_.remove(client);
    }
  }

 private:
  // Not empty.
  std::unordered_map<std::string, std::deque<Item>> items_;
  // The clients with items, the next one first.
  std::list<std::string> turns_;
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_CALLS_FAIR_QUEUE_H_
