#include "tools/demo_load.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "base/random.h"
#include "client/client.h"

namespace eddy::tools {

namespace {

constexpr auto kLookEvery = std::chrono::milliseconds(20);

constexpr const char* kGoods[] = {"apples", "pears", "bread", "cheese", "tea", "figs"};

std::unique_ptr<client::Client> MakeClient(const client::Address& node,
                                           const std::string& cluster) {
  client::ClientOptions options;
  options.nodes = {node};
  options.cluster = cluster;
  options.software = "eddyctl demo";
  // Whoever asks this node means it: what the others do is what is to be seen.
  options.ring_aware = false;
  options.timeout = std::chrono::milliseconds(800);
  options.attempt_timeout = std::chrono::milliseconds(800);
  options.connect_timeout = std::chrono::milliseconds(300);
  options.attempts_max = 1;
  return std::make_unique<client::Client>(std::move(options));
}

}  // namespace

std::string DemoCart(uint32_t cart) { return fmt::format("cart:{}", cart + 1); }

DemoLoad::DemoLoad(std::vector<client::Address> nodes, std::string cluster, uint32_t per_second)
    : nodes_(std::move(nodes)),
      cluster_(std::move(cluster)),
      per_second_(per_second),
      thread_([this] { Run(); }) {}

DemoLoad::~DemoLoad() {
  ended_ = true;
  thread_.join();
}

void DemoLoad::Run() {
  Random random(20071014);
  std::vector<std::unique_ptr<client::Client>> clients;
  for (const client::Address& node : nodes_) clients.push_back(MakeClient(node, cluster_));
  auto next = std::chrono::steady_clock::now();
  uint64_t number = 0;
  std::map<std::string, std::chrono::steady_clock::time_point> seen_several;  // since when
  while (!ended_) {
    const uint32_t rate = per_second_;
    const auto now = std::chrono::steady_clock::now();
    if (rate == 0 || now < next) {
      std::this_thread::sleep_for(kLookEvery);
      if (rate == 0) next = now;
      continue;
    }
    // What could not be done in time is not made up for.
    next = std::max(next + std::chrono::microseconds(1'000'000 / rate), now - kLookEvery);
    client::Client& client = *clients[random.Between(0, clients.size() - 1)];
    const std::string cart = DemoCart(static_cast<uint32_t>(random.Between(0, kDemoCarts - 1)));
    const auto seen = client.Get(kDemoBucket, cart);
    if (!seen || seen->error) {
      ++failed_;
      continue;
    }
    ++done_;
    if (seen->siblings.size() < 2) {
      seen_several.erase(cart);
    } else if (now - seen_several.emplace(cart, now).first->second < kSettleAfter) {
      continue;
    }
    const bool writes = random.Between(0, 1) == 0;
    if (!writes) continue;
    const std::string value =
        fmt::format("{} {}", ++number, kGoods[random.Between(0, std::size(kGoods) - 1)]);
    // Between the reading and the writing others may write: that is what makes siblings.
    const auto written = client.Put(kDemoBucket, cart, value, seen->context);
    if (!written || written->error) {
      ++failed_;
      continue;
    }
    ++done_;
    if (seen->siblings.size() > 1) ++settled_;
  }
}

}  // namespace eddy::tools
